"""A call that is repeated under its Idempotency-Key is answered as it was the first time, and done once."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db.models import F
from fastapi.routing import iter_route_contexts

from api_app.idempotency import CHANGING, LEFT_OUT, OF_THEIR_OWN
from api_app.main import app
from orchestration.execution.old_calls import KEPT, forget_calls
from orchestration.models import IdempotentCall, Job
from orchestration.services.idempotency import LEASE
from tests.factories import make_file
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
KEYED = {"Idempotency-Key": "one-and-only"}


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return submitted(owner, files=(make_file(lab, owner),))


def test_repeated_call_is_answered_as_before_and_done_once(ana: Visitor, job: Job) -> None:
    first = ana("POST", f"/jobs/{job.pk}/cancel", headers=KEYED)
    again = ana("POST", f"/jobs/{job.pk}/cancel", headers=KEYED)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert ana("POST", f"/jobs/{job.pk}/cancel").status_code == 409, "without the key it is another request"


def test_retry_whose_answer_was_lost_is_not_another_retry(ana: Visitor, owner: User, job: Job) -> None:
    run_all(job, failing={0: "USER_CODE"})
    assert ana("POST", f"/jobs/{job.pk}/retry", headers=KEYED).json()["run"] == 2
    run_all(job, failing={0: "USER_CODE"})  # it fails again before the client has asked again
    assert ana("POST", f"/jobs/{job.pk}/retry", headers=KEYED).json()["run"] == 2
    assert Job.objects.get(pk=job.pk).run == 2


def test_secret_of_a_new_token_is_not_kept(ana: Visitor) -> None:
    assert ana.json("POST", "/tokens", 201, json={"name": "ci"}, headers=KEYED)["token"]
    assert not IdempotentCall.objects.exists()


def test_secret_of_a_webhook_is_not_kept(door: Door, manager: User) -> None:
    mara = door.as_(manager)
    made = mara.json("POST", "/webhooks", 201, json={"url": "https://hooks.example/"}, headers=KEYED)
    assert mara.json("POST", f"/webhooks/{made['id']}/rotate-secret", headers=KEYED)["secret"]
    assert not IdempotentCall.objects.exists()


def test_same_key_for_another_request_is_refused(ana: Visitor, job: Job) -> None:
    ana.json("POST", f"/jobs/{job.pk}/cancel", 202, headers=KEYED)
    for method, path, options in (
        ("POST", f"/jobs/{job.pk}/retry", {}),
        ("POST", f"/jobs/{job.pk}/cancel?x=1", {}),
        ("POST", f"/jobs/{job.pk}/rerun-items", {"json": {"step": "x"}}),
        ("POST", f"/jobs/{job.pk}/cancel", {"headers": {"Prefer": "return=minimal"}}),
    ):
        headers = KEYED | options.pop("headers", {})
        assert ana.json(method, path, 422, headers=headers, **options)["code"] == "idempotency_key_reused"


def test_somebody_elses_key_is_his_own(ana: Visitor, bruno: Visitor, job: Job) -> None:
    ana.json("POST", f"/jobs/{job.pk}/cancel", 202, headers=KEYED)
    said = bruno("POST", f"/jobs/{job.pk}/cancel", headers=KEYED)
    assert said.status_code == 409
    assert said.json()["code"] == "job_finished"


def test_refusal_is_not_kept(ana: Visitor, job: Job) -> None:
    assert ana.json("POST", f"/jobs/{job.pk}/retry", 409, headers=KEYED)["code"] == "job_not_finished"
    run_all(job, failing={0: "USER_CODE"})
    assert ana.json("POST", f"/jobs/{job.pk}/retry", 202, headers=KEYED)["run"] == 2


def test_call_under_way_is_not_done_beside_itself_and_a_dead_one_is_done_anew(
    ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as died:
        died.setattr("api_app.idempotency.keep_call", lambda *_: None)
        ana.json("POST", f"/jobs/{job.pk}/cancel", 202, headers=KEYED)
    said = ana.json("POST", f"/jobs/{job.pk}/cancel", 409, headers=KEYED)
    assert said["code"] == "request_in_progress"
    IdempotentCall.objects.update(taken_at=F("taken_at") - LEASE - timedelta(seconds=1))
    assert ana.json("POST", f"/jobs/{job.pk}/cancel", 409, headers=KEYED)["code"] == "job_finished"


def test_answer_is_kept_for_a_day(ana: Visitor, job: Job) -> None:
    ana.json("POST", f"/jobs/{job.pk}/cancel", 202, headers=KEYED)
    assert forget_calls() == 0
    IdempotentCall.objects.update(created_at=F("created_at") - KEPT - timedelta(seconds=1))
    assert ana.json("POST", f"/jobs/{job.pk}/cancel", 409, headers=KEYED)["code"] == "job_finished"
    IdempotentCall.objects.update(created_at=F("created_at") - KEPT - timedelta(seconds=1))
    assert forget_calls() in {0, 1}
    assert not IdempotentCall.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 65, "with space", "\x7f"])
def test_key_that_cannot_be_one_is_refused(ana: Visitor, job: Job, key: str) -> None:
    said = ana("POST", f"/jobs/{job.pk}/cancel", headers={"Idempotency-Key": key})
    assert said.status_code == 422
    assert Job.objects.get(pk=job.pk).state == "WAITING"


def test_every_route_that_changes_something_knows_the_key() -> None:
    """By this middleware, or by a parameter of its own."""
    own: list[str] = []
    for context in iter_route_contexts(app.routes):
        path = (context.path or "").replace("{job_id}", str(uuid4()))
        if not CHANGING & set(context.methods or ()) or not path.startswith("/api/v1/"):
            continue
        if LEFT_OUT.fullmatch(path):
            continue
        route: Any = context.route
        is_own = "idempotency_key" in inspect.signature(route.endpoint).parameters
        if is_own and "POST" in (context.methods or ()):
            own.append(path)
            assert OF_THEIR_OWN.fullmatch(path), f"{path} takes a key of its own, and the middleware takes it first"
        elif OF_THEIR_OWN.fullmatch(path) and "POST" in (context.methods or ()):
            raise AssertionError(f"{path} is left out here and takes no key itself")
    assert len(own) == 5
