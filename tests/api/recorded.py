"""A session of one tenant, request by request: before each, other people send the very same one (T16).

They come while the thing is there and the call would do something: after the session is over most of it is gone or
done, and a 404 would prove little. Once more they come when all is over, when answers that were kept might be repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from django.apps import apps
from django.db import connection
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from api_app.gate import BUNDLE, PART
from api_app.main import app
from orchestration.states import AuditAction
from tests.api.tus import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from tests.api.door import Door

CANARY: Final = "canary-2718281"
"""In names and texts of the first tenant, and in the bytes of each of its files."""
PLACE: Final = "place-of-the-first"
"""Its workspace. A refusal may repeat it to who has named it."""
UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Operation(NamedTuple):
    method: str
    name: str

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


@cache
def table() -> list[tuple[re.Pattern[str], frozenset[str], str]]:
    return [
        (compile_path(context.path)[0], frozenset(context.methods or {"SOCKET"}), context.name or "")
        for context in iter_route_contexts(app.routes)
        if context.path
    ]


def operations() -> set[Operation]:
    """All that there are, also those that are in no document."""
    found = {Operation(method, name) for _, methods, name in table() for method in methods}
    return found | {Operation("PUT", "put_part"), Operation("POST", "put_bundle")}


def operation_of(method: str, target: str) -> Operation:
    path = target.partition("?")[0].removeprefix("http://localhost")
    if (method, path) == ("POST", BUNDLE):
        return Operation("POST", "put_bundle")
    if method == "PUT" and PART.fullmatch(path):
        return Operation("PUT", "put_part")
    for fits, methods, name in table():
        if method in methods and fits.fullmatch(path):
            return Operation(method, name)
    raise LookupError(f"{method} {path} is no operation")


class Sent(NamedTuple):
    operation: Operation
    method: str
    path: str
    options: dict[str, Any]
    scheme: str
    """`Bearer`, or none where the address is the permission."""


ROW: Final = "(to_jsonb(t) - 'last_used_at' - 'last_used_ip')::text"
"""That somebody's token was used is noted once a minute."""


LOOKED_AT: Final = {"orchestration_auditentry": f"WHERE action <> '{AuditAction.REFUSED}'"}
"""That somebody was refused is written down of her, and in the workspace of her token."""


def rows() -> dict[str, str]:
    """A digest of each table: all of the database in one question."""
    tables = sorted(model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed)
    digests = ", ".join(map(_digest, tables))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {digests}")
        row = cursor.fetchone()
    return dict(zip(tables, row or (), strict=True))


def _digest(table: str) -> str:
    source = f"{connection.ops.quote_name(table)} t {LOOKED_AT.get(table, '')}"
    return f"(SELECT md5(coalesce(string_agg({ROW}, '|' ORDER BY {ROW}), '')) FROM {source})"  # noqa: S608


@dataclass
class Session:
    """`others` are the tokens of those who come as well; of an empty one nobody is known."""

    door: Door
    token: str
    others: Mapping[str, str]
    sent: list[Sent] = field(default_factory=list)
    own: set[str] = field(default_factory=set)
    """Ids that the tenant was told of, and nobody else may be."""
    known: set[str] = field(default_factory=set)
    """Ids that the others had before."""
    faults: list[str] = field(default_factory=list)

    def __call__(self, method: str, path: str, status: int = 200, *, token: str | None = None, **options: Any) -> Any:
        """As the tenant, after all others have tried. `token`: "" where the address is the permission."""
        address = path if path.startswith(("http:", "/api/", "/ga4gh/")) else f"/api/v1{path}"
        scheme = "" if token == "" else "Bearer"
        one = Sent(operation_of(method, address), method, address, options, scheme)
        if method in {"POST", "PATCH", "DELETE"} and scheme and token is None:
            options["headers"] = {"Idempotency-Key": uuid4().hex} | dict(options.get("headers") or {})
        if one.operation.name not in NOT_REPLAYED:
            self.replay(one)
        answer = self.door.send(method, address, self.token if token is None else token, **options)
        assert answer.status_code == status, f"{one.operation}: {answer.status_code}: {answer.text[:500]}"
        self.sent.append(one)
        if one.operation.name not in GLOBAL:
            self.own |= set(UUID.findall(answer.text)) | set(UUID.findall(str(answer.headers)))
        return answer

    def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        return self(method, path, status, **options).json()

    def replay_all(self) -> None:
        for one in self.sent:
            if one.operation.name not in NOT_REPLAYED:
                self.replay(one)

    def replay(self, one: Sent) -> None:
        before = rows()
        for name, token in self.others.items():
            answer = self.door.send(one.method, one.path, token if one.scheme else "", **one.options)
            for fault in self._faults(one, name, answer):
                self.faults.append(f"{one.operation} as {name}: {answer.status_code}: {fault}: {answer.text[:300]}")
        after = rows()
        changed = {table for table in before if before[table] != after[table]}
        if changed - {OWN_ROWS.get(one.operation.name)}:
            self.faults.append(f"{one.operation}: somebody else's request changed {', '.join(sorted(changed))}")

    def _faults(self, one: Sent, who: str, answer: httpx.Response) -> Iterator[str]:
        if answer.status_code not in allowed(one.operation, who):
            yield "is not refused"
        shown = f"{answer.text} {dict(answer.headers)}"
        asked = f"{one.path} {one.options}"
        if CANARY in shown or (PLACE in shown and PLACE not in asked and encoded(PLACE) not in asked):
            yield "shows a name"
        if leaked := {found for found in UUID.findall(shown) if found in self.own - self.known and found not in asked}:
            yield f"shows {', '.join(sorted(leaked))}"
        if who != "anonymous" and answer.status_code == 404 and (words := self._told_apart(one, who, answer)):
            yield f"is told apart from what is not there, which says {words}"

    def _told_apart(self, one: Sent, who: str, answer: httpx.Response) -> str:
        """SEC-042: an id of somebody else and one that nobody has are answered in the same words."""
        made_up = UUID.sub(lambda _: str(uuid4()), one.path)
        if made_up == one.path:
            return ""
        missing = self.door.send(one.method, made_up, self.others[who], **one.options)
        same = UUID.sub("", missing.text) == UUID.sub("", answer.text) and missing.status_code == answer.status_code
        return "" if same else missing.text[:200]


REFUSED: Final = frozenset({401, 403, 404})
GLOBAL: Final = frozenset(
    {"list_pipelines", "show_pipeline", "list_signing_keys", "show_openapi", "show_upload_config"}
)
"""The same for everybody who may ask; ids in there are nobody's."""
OF_THEIR_OWN: Final = frozenset(
    {
        "show_me",
        "list_tokens",
        "list_bulk",
        "list_jobs",
        "list_files",
        "list_uploads",
        "list_webhooks",
        "list_service_accounts",
        "list_notifications",
        "read_notifications",
        "list_runs",
        "list_tasks",
        "show_wes_service",
        "show_tes_service",
        "create_live_ticket",
    }
)
"""Name nothing of the tenant: each is answered about himself, and of the tenant nothing may be in it."""
ONE_BY_ONE: Final = frozenset({"sign_upload_batch", "complete_upload_batch", "submit_jobs"})
"""Answered item by item: 200, and each is missing."""
OWN_ROWS: Final = dict.fromkeys(ONE_BY_ONE, "orchestration_idempotentcall") | {
    "create_live_ticket": "orchestration_liveticket"
}
"""What such a call writes down for who made it: the answer to his own key, a ticket of his own."""
NOT_REPLAYED: Final = {
    "put_part": "the signature in its address is the permission, for these bytes and no others",
    "put_bundle": "the signatures in its body are",
    "revoke_leaked_token": "the token in its body is: whoever found it may end it, and do nothing else",
}
"""Whoever has such a request was given it to be sent, by anybody."""


def allowed(operation: Operation, who: str) -> frozenset[int]:
    name = operation.name
    if operation == ("OPTIONS", "Tus"):
        return frozenset({204})  # what this server offers, before anybody has signed in
    if who == "anonymous" and name != "list_signing_keys":
        return frozenset({401})
    if name in GLOBAL | ONE_BY_ONE:
        return frozenset({200})
    if name in OF_THEIR_OWN:
        return frozenset({200, 201, 404})
    if name == "begin_bulk" and who == "bound":
        return REFUSED | {422}  # it is one user's key, and was used for another request
    # WES says of a form that names what is not there that it is a bad one.
    return REFUSED | {400} if name == "begin_run" else REFUSED
