"""The OpenAPI document as people read it: what the code says, with examples, scopes and what is to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api_app.auth import OPEN, SCOPE
from api_app.deprecation import DEPRECATED, Notice, mark
from api_app.errors import MEDIA_TYPE
from api_app.examples import EXAMPLES, PARAMETERS
from api_app.examples.form import JSON
from api_app.examples.ids import BY_OPERATION
from api_app.idempotency import CHANGING, LEFT_OUT, OF_THEIR_OWN
from api_app.links import links_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api_app.examples import Example

ABOUT: Final = (
    "Files go in, a versioned pipeline of container steps runs over them, results come out. Send a token as"
    " `Authorization: Bearer`. Errors are `application/problem+json`; look at their `code`."
)
TAGS: Final = {
    "account": "Who you are, and the tokens of your programs.",
    "service accounts": "Accounts of programs, which cannot sign in.",
    "members": "Who is in a workspace, and invitations into it.",
    "notifications": "What you are told, and how you want to be told.",
    "uploads": "Large files in parts that go on after a cut, and many small files at once.",
    "files": "Files and their bytes, one by one or as a ZIP.",
    "retention": "How long files are kept: extend, hold, bring back, receipts, usage.",
    "pipelines": "What can be run, and the parameters it takes.",
    "jobs": "Start jobs, watch them, and act on them: cancel, retry, resubmit, rerun items.",
    "manifests": "The signed record of what a job took, did and left.",
    "shares": "Links to results for people without an account.",
    "bulk": "One action on up to ten thousand jobs.",
    "events": "What happens, as it happens.",
    "webhooks": "Signed messages to your programs.",
    "ga4gh wes": "GA4GH's Workflow Execution Service 1.1: a run is a job.",
    "ga4gh tes": "GA4GH's Task Execution Service 1.1: commands as tasks, where an administrator has allowed them.",
    "runner": "The protocol between the platform and the runner of a step. Programs of your own have no use for it.",
}
PARAMETERS_SAY: Final = {
    "limit": "At most so many.",
    "cursor": "The `next_cursor` of the answer before.",
    "idempotency-key": "Made up by you. Repeated with the same body, the call is done once and answered again.",
    "last-event-id": "As browsers send it when they come back; the same as `after`.",
    "after": "The id of the last event that you have.",
    "prefer": "`return=minimal`: only what the next call needs.",
    "version": "Of the job as you know it: a change since then is answered at once.",
    "offset": "In bytes.",
}
"""Of parameters that many calls have, where their own code says nothing."""
REFUSALS: Final = frozenset({"4XX", "5XX"})
PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
KEY_SCHEMA: Final = {
    "title": "Idempotency-Key",
    "type": "string",
    "maxLength": 64,
    "minLength": 1,
    "pattern": "^[\\x21-\\x7e]+$",
}
SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of a person, with scopes."},
    "password": {"type": "http", "scheme": "basic", "description": "User and password, for a first token only."},
    "runner": {"type": "http", "scheme": "bearer", "description": "A token of one attempt, given to its runner."},
}


def described(document: dict[str, Any], notices: Mapping[str, Notice] = DEPRECATED) -> dict[str, Any]:
    """The same document, completed in place."""
    document["info"]["description"] = ABOUT
    document["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
    document["components"]["securitySchemes"] = SCHEMES
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _idempotent(path, method.upper(), operation)
    for operation in operations(document):
        name = operation["operationId"]
        operation["summary"] = name.replace("_", " ").capitalize()
        operation["security"] = _security(operation)
        _parameters(operation)
        _refusals(operation)
        if links := links_of(name):
            operation["responses"][success_of(operation)]["links"] = links
        if example := EXAMPLES.get(name):
            _examples(operation, example)
    _close(document["components"]["schemas"])
    mark(document, notices)
    return document


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def success_of(operation: dict[str, Any]) -> str:
    return next(str(status) for status in operation["responses"] if status.startswith("2"))


def _security(operation: dict[str, Any]) -> list[dict[str, list[str]]]:
    name = operation["operationId"]
    if name in OPEN:
        return []
    if name not in SCOPE:
        return [{"runner": []}]
    by_token = [{"token": [SCOPE[name]]}]
    return [*by_token, {"password": []}] if name == "create_token" else by_token


def _close(node: Any) -> None:
    """A key that fits no pattern is refused; what Pydantic writes says only what holds for those that fit."""
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _close(below)
    if isinstance(node, dict) and isinstance(node.get("patternProperties"), dict):
        node.setdefault("additionalProperties", False)


def _refusals(operation: dict[str, Any]) -> None:
    """FastAPI says of every model that it comes as plain JSON; a problem has a type of its own (RFC 9457)."""
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status in REFUSALS and content.get(JSON, {}).get("schema") == PROBLEM:
            content[MEDIA_TYPE] = content.pop(JSON)


def _idempotent(path: str, method: str, operation: dict[str, Any]) -> None:
    """What takes a key in front of its route, where FastAPI sees nothing of it."""
    if not path.startswith("/api/v1/") or method not in CHANGING or LEFT_OUT.fullmatch(path):
        return
    if method != "POST" or not OF_THEIR_OWN.fullmatch(path):
        operation.setdefault("parameters", []).append({"in": "header", "name": "idempotency-key", "schema": KEY_SCHEMA})


def _parameters(operation: dict[str, Any]) -> None:
    for one in operation.get("parameters", ()):
        name = one["name"]
        if about := PARAMETERS_SAY.get(name):
            one.setdefault("description", about)
        example = BY_OPERATION.get((operation["operationId"], name), PARAMETERS.get(name))
        if example is not None:
            one["example"] = example


def _examples(operation: dict[str, Any], example: Example) -> None:
    if asked := example.asked():
        _fill(operation.setdefault("requestBody", {}).setdefault("content", {}), asked)
    if answered := example.answered():
        _fill(operation["responses"][success_of(operation)].setdefault("content", {}), answered)


def _fill(content: dict[str, Any], examples: dict[str, Any]) -> None:
    for media, example in examples.items():
        said = content.setdefault(media, {})
        # FastAPI knows no schema of an answer that it does not make itself.
        said.setdefault("schema", {} if media.endswith("json") else {"type": "string", "format": "binary"})
        said["example"] = example
