"""T16: whatever one tenant does over the API, nobody else can do, see or tell apart from what is not there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestration.engines.step_tokens import StepRight, issue_step_token
from orchestration.execution.dispatch import dispatch
from orchestration.execution.notifying import tell
from orchestration.models import Job, Workspace
from orchestration.services.manifest_task import sign_manifests
from orchestration.services.tokens import issue
from orchestration.states import NotificationKind
from tests.api.door import ALL_SCOPES, token_of
from tests.api.recorded import CANARY, PLACE, UUID, Session, operations
from tests.api.tes_client import TASK
from tests.api.test_archives import result
from tests.api.test_claims import ASK
from tests.api.test_runner import END, START
from tests.api.tus import OFFSETS, TUS, encoded
from tests.api.uploading import crc
from tests.factories import join, make_file, make_user, make_workspace, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.door import Door
    from tests.conftest import People

pytestmark = pytest.mark.django_db

DATA: Final = f"a,b\n{CANARY},2\n".encode()
LEFT_OUT: Final[dict[str, str]] = {
    "SOCKET watch_job": "test_live_events.py::test_socket_is_for_those_who_may_see",
    "SOCKET watch_workspace": "the same",
}
"""An operation that no session has, and why."""


@pytest.fixture
def tenant(people: People) -> User:
    user = make_user("first")
    join(user, make_workspace(PLACE, name=f"The {CANARY}"), "manager")
    return user


@pytest.fixture
def session(door: Door, tenant: User, people: People, allowed: None) -> Session:
    """Eva manages the workspace beside it; `bound` is the tenant's own token, for another workspace of his."""
    beside, annex, third = make_workspace("beside"), make_workspace("annex"), make_user("third")
    join(third, make_workspace("third"), "manager")
    join(people.stranger, beside, "manager")
    join(tenant, annex, "manager")
    others = {"stranger": token_of(people.stranger), "bound": token_of(tenant, ALL_SCOPES, "annex"), "anonymous": ""}
    session = Session(door, token_of(tenant), others)
    for path in ("/api/v1/me", "/api/v1/tokens"):
        for token in filter(None, others.values()):
            # That a token is used is noted here, and not when the rows are compared.
            session.known |= set(UUID.findall(door.send("GET", path, token).text))
    publish_pipeline(TWO_STEPS)
    # The platform's own key and its pipeline of tasks are made when anybody first needs them.
    door.send("GET", "/api/v1/signing-keys")
    door.send("POST", "/ga4gh/tes/v1/tasks", token_of(third), json=TASK)
    return session


def of_accounts(say: Session, tenant: User) -> None:
    say("GET", "/me")
    say("GET", "/openapi.json")
    say("GET", "/signing-keys", token="")
    made = say.json("POST", "/tokens", 201, json={"name": CANARY, "workspace": PLACE})
    say("GET", "/tokens")
    again = say.json("POST", f"/tokens/{made['id']}/rotate", 201, json={})
    say("DELETE", f"/tokens/{again['id']}", 204)
    found = issue(user=tenant, name=CANARY)[1]
    say("POST", "/tokens:revoke-leaked", 204, token="", json={"token": found})
    robot = say.json("POST", "/service-accounts", 201, json={"name": CANARY, "workspace": PLACE})["id"]
    say("GET", f"/service-accounts?workspace={PLACE}")
    say("PATCH", f"/service-accounts/{robot}", json={"role": "viewer"})
    say("POST", f"/service-accounts/{robot}/tokens", 201, json={"name": CANARY})
    say("GET", f"/service-accounts/{robot}/tokens")


def of_people(say: Session, tenant: User) -> None:
    here = f"/workspaces/{PLACE}"
    member = join(make_user(f"m-{CANARY}"), place()).user_id
    say("GET", f"{here}/members")
    say("PATCH", f"{here}/members/{member}", 204, json={"role": "viewer"})
    say("DELETE", f"{here}/members/{member}", 204)
    say("POST", f"{here}/leave", 409)
    asked = {"email": f"{CANARY}@example.org", "role": "viewer"}
    invitation = say.json("POST", f"{here}/invitations", 201, json=asked)["id"]
    say("GET", f"{here}/invitations")
    say("DELETE", f"/invitations/{invitation}", 204)
    data = {"job": str(member), "name": CANARY, "pipeline": CANARY}
    tell(kind=NotificationKind.JOB_FAILED, workspace_id=place().pk, people=[tenant.pk], group="x", data=data)
    (told,) = say.json("GET", f"/notifications?workspace={PLACE}")["items"]
    say("PATCH", f"/notifications/{told['id']}", json={"read": True})
    say("POST", "/notifications:read", json={"workspace": PLACE})
    say("GET", f"{here}/notification-settings")
    say("PATCH", f"{here}/notification-settings", json={"digest_hour": 9})


def of_uploads(say: Session) -> None:
    say("GET", "/uploads/config")
    wanted = {"name": f"{CANARY}.csv", "size": len(DATA), "workspace": PLACE}
    first, second = (say.json("POST", "/uploads", 201, json=wanted)["id"] for _ in range(2))
    say("GET", "/uploads")
    say("GET", f"/uploads/{first}")
    part = {"number": 1, "crc64nvme": crc(DATA)}
    signed = say.json("POST", f"/uploads/{first}/parts", json={"parts": [part]})["parts"][0]
    say("PUT", signed["url"], token="", content=DATA, headers=signed["headers"])
    say("POST", f"/uploads/{first}/complete", json={"crc64nvme": crc(DATA)})
    say("DELETE", f"/uploads/{second}", 204)
    batch = {"uploads": [{"name": f"{CANARY}.txt", "size": len(DATA), "crc64nvme": crc(DATA)}], "workspace": PLACE}
    (small,) = (one["upload"] for one in say.json("POST", "/uploads:batch", json=batch)["results"])
    say("POST", "/uploads:sign", json={"parts": [{"id": small["id"], **part}]})
    bundle = f"{len(DATA)} {small['put']['url']}\n".encode() + DATA
    say("POST", "/uploads:put", token="", content=bundle)
    say("POST", "/uploads:complete", json={"ids": [small["id"]]})
    of_tus(say)


def of_tus(say: Session) -> None:
    names = {"Upload-Metadata": f"filename {encoded(CANARY)},workspace {encoded(PLACE)}"}
    begin: dict[str, Any] = {"headers": TUS | {"Upload-Length": str(len(DATA))} | names}
    say("OPTIONS", "/tus", 204, token="")
    for ending in ("PATCH", "DELETE"):
        where = say("POST", "/tus", 201, **begin).headers["location"]
        say("HEAD", where, headers=TUS)
        more: dict[str, Any] = {"headers": TUS}
        if ending == "PATCH":
            more = {"content": DATA, "headers": TUS | OFFSETS | {"Upload-Offset": "0"}}
        say(ending, where, 204, **more)


def of_files(say: Session) -> str:
    """The id of a file that stays."""
    raw: dict[str, Any] = {"content": DATA, "headers": {"Content-Type": "text/csv"}}
    say("POST", f"/uploads?name={CANARY}.csv&workspace={PLACE}", 201, **raw)
    file = str(say.json("PUT", f"/files/{CANARY}.csv?workspace={PLACE}", 201, **raw)["id"])
    say("GET", "/files")
    say("GET", f"/files/{file}")
    for method in ("GET", "HEAD"):
        say(method, f"/files/{file}/content")
    say("POST", "/files:zip", json={"ids": [file]})
    say("POST", f"/files/{file}/extend", json={"days": 3_000})
    say("POST", f"/files/{file}/hold", json={"reason": CANARY})
    say("POST", f"/files/{file}/unhold", json={"reason": CANARY})
    say("DELETE", f"/files/{file}", 204)
    say("GET", f"/files/{file}/receipt")
    say("POST", f"/files/{file}/undelete")
    say("GET", f"/workspaces/{PLACE}/usage")
    return file


def of_jobs(say: Session, file: str, tenant: User) -> Job:
    say("GET", "/pipelines")
    say("GET", "/pipelines/two-steps")
    files = [file, *(str(make_file(place(), tenant, f"{n}-{CANARY}.csv", DATA).pk) for n in range(2))]
    wanted = {"pipeline": "two-steps", "inputs": files, "name": CANARY, "workspace": PLACE, "labels": {"of": CANARY}}
    made = say.json("POST", "/jobs", 201, json=wanted)["id"]
    say("POST", "/jobs:batch", json={"jobs": [wanted], "workspace": PLACE})
    say("GET", f"/jobs?q=label:of={CANARY}")
    say("GET", f"/jobs/{made}")
    say("PATCH", f"/jobs/{made}", json={"name": f"Again {CANARY}"})
    other = say.json("POST", f"/jobs/{made}/resubmit", 201, json={})["id"]
    say("POST", f"/jobs/{other}/cancel", 202)
    job = run_all(Job.objects.get(pk=made), failing={1: "INPUT"})
    say("GET", f"/jobs/{made}/events")
    say("GET", f"/workspaces/{PLACE}/events")
    say("POST", "/events:ticket", 201)
    (attempt, *_) = say.json("GET", f"/jobs/{made}/attempts")["items"]
    say("GET", f"/attempts/{attempt['id']}/log")
    result(job, f"{CANARY}.csv", DATA)
    say("GET", f"/jobs/{made}/results")
    for method in ("GET", "HEAD"):
        say(method, f"/jobs/{made}/results.zip")
    sign_manifests()
    say("GET", f"/jobs/{made}/manifest")
    share = say.json("POST", f"/jobs/{made}/shares", 201, json={"days": 3, "name": CANARY})["id"]
    say("GET", f"/jobs/{made}/shares")
    say("DELETE", f"/shares/{share}")
    say("POST", f"/jobs/{made}/rerun-items", 202, json={"step": "convert", "items": [1]})
    return job


def place() -> Workspace:
    return Workspace.objects.get(slug=PLACE)


def of_many_jobs(say: Session, job: Job) -> None:
    body = {"action": "cancel", "ids": [str(job.pk)], "workspace": PLACE}
    say("POST", "/bulk:preview", json=body)
    bulk = say.json("POST", "/bulk", 202, json=body)["id"]
    say("GET", "/bulk")
    say("GET", f"/bulk/{bulk}")
    say("GET", f"/bulk/{bulk}/items")
    say("POST", f"/bulk/{bulk}/cancel", 202)


def of_webhooks(say: Session) -> None:
    wanted = {"url": "https://hooks.example/x", "workspace": PLACE, "description": CANARY}
    hook = f"/webhooks/{say.json('POST', '/webhooks', 201, json=wanted)['id']}"
    say("GET", f"/webhooks?workspace={PLACE}")
    say("GET", hook)
    say("PATCH", hook, json={"description": f"Of {CANARY}"})
    say("POST", f"{hook}/rotate-secret", json={})
    test = say.json("POST", f"{hook}/test", 202)["id"]
    say("GET", f"{hook}/deliveries")
    say("GET", f"{hook}/deliveries/{test}")
    say("POST", f"{hook}/deliveries/{test}/replay", 202)
    say("POST", f"{hook}/replay", 202, json={})
    say("DELETE", hook, 204)


def of_runs(say: Session, file: str) -> None:
    wes, tes = "/ga4gh/wes/v1", "/ga4gh/tes/v1"
    say("GET", f"{wes}/service-info")
    said = {
        "workflow_url": "esteira:two-steps",
        "workflow_type": "ESTEIRA",
        "workflow_type_version": "1.0",
        "workflow_params": f'{{"inputs": ["esteira:{file}"]}}',
        "workflow_engine_parameters": f'{{"workspace": "{PLACE}", "name": "{CANARY}"}}',
    }
    form = {name: (None, text) for name, text in said.items()}
    run, other = (say.json("POST", f"{wes}/runs", files=form)["run_id"] for _ in range(2))
    say("POST", f"{wes}/runs/{other}/cancel")
    run_all(Job.objects.get(pk=run))
    say("GET", f"{wes}/runs")
    say("GET", f"{wes}/runs/{run}")
    say("GET", f"{wes}/runs/{run}/status")
    (task, *_) = say.json("GET", f"{wes}/runs/{run}/tasks")["task_logs"]
    say("GET", f"{wes}/runs/{run}/tasks/{task['id']}")
    say("GET", f"{tes}/service-info")
    body = {
        "name": CANARY,
        "inputs": [{"url": f"esteira:{file}", "path": "/data/a.csv"}],
        "executors": [{"image": "debian:13", "command": ["true"]}],
    }
    made = say.json("POST", f"{tes}/tasks", json=body)["id"]
    say("GET", f"{tes}/tasks")
    say("GET", f"{tes}/tasks/{made}?view=FULL")
    say("POST", f"{tes}/tasks/{made}:cancel")


def of_runner(say: Session, file: str) -> None:
    """The other end of it is a process, whose token is of one attempt."""
    body = {"pipeline": "two-steps", "inputs": [file], "workspace": PLACE}
    job = Job.objects.get(pk=say.json("POST", "/jobs", 201, json=body)["id"])
    dispatch()
    job.refresh_from_db()
    step = issue_step_token(StepRight.of(job, "convert", per_child=1))
    claimed = say.json("POST", "/api/runner/v1/claim", token=step, json=ASK)["token"]
    assert claimed
    runner = "/api/runner/v1"
    say("POST", f"{runner}/start", token=claimed, json=START)
    say("POST", f"{runner}/heartbeat", token=claimed, json={"progress": 0.5, "message": CANARY, "memory_bytes": 1})
    say("POST", f"{runner}/log?offset=0", token=claimed, content=DATA)
    output = {"path": f"{CANARY}.csv", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
    say("POST", f"{runner}/outputs", token=claimed, json={"files": [output]})
    say("POST", f"{runner}/finish", token=claimed, json=END | {"outcome": "failed", "failure_kind": "USER_CODE"})
    say("POST", f"/jobs/{job.pk}/retry", 202)


@pytest.mark.timeout(900)  # some six hundred requests: 20 s of work, on a busy machine minutes
def test_nobody_else_can_do_see_or_change_what_a_tenant_does(session: Session, tenant: User) -> None:
    of_accounts(session, tenant)
    of_people(session, tenant)
    of_uploads(session)
    file = of_files(session)
    job = of_jobs(session, file, tenant)
    of_many_jobs(session, job)
    of_webhooks(session)
    of_runs(session, file)
    of_runner(session, file)
    said = {one.operation for one in session.sent}
    missing = {str(one) for one in operations() - said} - set(LEFT_OUT)
    assert not missing, f"a session of a tenant has to do these too, or LEFT_OUT to say why not: {sorted(missing)}"
    session.replay_all()
    if session.faults:
        pytest.fail("\n".join(session.faults), pytrace=False)
