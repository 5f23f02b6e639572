"""What a token or a ticket was refused is in the audit log, whichever way the request took (SEC-133)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestration.models import AuditEntry
from orchestration.services.tickets import issue_ticket
from tests.factories import join, make_file

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door

pytestmark = pytest.mark.django_db

TUS: Final = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
JOB: Final = {"json": {"pipeline": "inspect", "inputs": ["0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52"]}}
# Each of the ways that a request can take to its function.
WAYS: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    ("GET", "/jobs", {}, "GET /jobs"),
    ("GET", "/jobs/0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52", {}, "GET /jobs/{job_id}"),
    ("POST", "/jobs", JOB, "POST /jobs"),
    ("POST", "/uploads?name=a.csv", {"content": b"a"}, "POST /uploads"),
    ("POST", "/tus", {"headers": TUS}, "POST /api/v1/tus"),
    ("GET", "/webhooks", {}, "GET /webhooks"),
    ("GET", "/workspaces/lab/events", {}, "GET /workspaces/{slug}/events"),
]


def refusal() -> AuditEntry:
    return AuditEntry.objects.get(action="access.refused")


@pytest.mark.parametrize(
    ("method", "path", "options", "what"), WAYS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_token_without_the_scope_leaves_an_entry(
    door: Door, owner: User, method: str, path: str, options: dict[str, Any], what: str
) -> None:
    scope = {"/jobs": "upload", "/uploads": "read", "/tus": "read"}.get(path.partition("?")[0], "upload")
    caller = door.as_(owner, ("read",) if method == "POST" else (scope,))
    assert caller(method, path, **options).status_code == 403
    entry = refusal()
    assert (entry.actor, entry.subject_kind, entry.subject[:6]) == ("ana", "apitoken", "test (")
    assert (entry.after["what"], entry.after["code"]) == (what, "forbidden")
    assert "does not have the scope" in entry.after["why"]
    assert caller.token not in str(entry.told())


def test_other_workspace_than_the_token_s_leaves_an_entry(door: Door, owner: User, lab: Workspace, people: Any) -> None:
    join(owner, people.elsewhere)
    make_file(people.elsewhere, owner)
    caller = door.as_(owner, workspace="lab")
    answer = caller("POST", "/uploads?name=a.csv&workspace=elsewhere", content=b"a")
    nobody_s = caller("POST", "/uploads?name=a.csv&workspace=no-such", content=b"a")
    assert (
        (answer.status_code, answer.json()["code"])
        == (nobody_s.status_code, nobody_s.json()["code"])
        == (404, "not_found")
    )
    entry = AuditEntry.objects.filter(action="access.refused").earliest("id")
    assert (entry.actor, entry.workspace, entry.subject[:6]) == ("ana", "lab", "test (")
    assert "elsewhere" in entry.after["why"]


def test_what_is_merely_not_there_leaves_none(door: Door, owner: User) -> None:
    caller = door.as_(owner, workspace="lab")
    assert caller("GET", "/jobs/0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52").status_code == 404
    assert door.as_(owner)("POST", "/uploads?name=a.csv&workspace=no-such", content=b"a").status_code == 404
    assert not AuditEntry.objects.filter(action="access.refused").exists()


def test_role_is_refused_on_the_short_way_too(door: Door, viewer: User) -> None:
    assert door.as_(viewer)("POST", "/jobs", **JOB).status_code == 403
    entry = refusal()
    assert (entry.actor, entry.after["what"]) == ("vera", "POST /jobs")
    assert "role submitter" in entry.after["why"]


def test_ticket_is_its_user_s_and_a_forged_one_nobody_s(door: Door, viewer: User, lab: Workspace) -> None:
    for ticket in (issue_ticket(viewer, lab), "forged"):
        headers = {"Authorization": f"Ticket {ticket}"}
        assert door.send("POST", "/api/v1/uploads?name=a.csv", headers=headers, content=b"a").status_code == 403
    assert (refusal().actor, refusal().subject) == ("vera", "")
