"""A container claims its work over HTTP: docs/design/0001, section 4, with the token of a step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.engines.step_tokens import StepRight, issue_step_token
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, submitted

if TYPE_CHECKING:
    import httpx

    from orchestration.models import Job, User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db

ASK = {"runner": "1", "batch_job": "c2f0c1de-77a5-4a3c-8f4e-0c0000000001:0", "batch_attempt": 1, "child": 0, "done": 0}


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    files = (make_file(lab, owner, "a.csv"), make_file(lab, owner, "b.csv"))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    job.refresh_from_db()
    return job


class Container:
    def __init__(self, door: Door, job: Job, step: str = "convert", **right: Any) -> None:
        self._door = door
        self.token = issue_step_token(StepRight.of(job, step, **right))

    def __call__(self, token: str = "", **changes: Any) -> httpx.Response:
        return self._door.send("POST", "/api/runner/v1/claim", token or self.token, json=ASK | changes)


@pytest.fixture
def container(door: Door, job: Job) -> Container:
    return Container(door, job, per_child=2)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_container_claims_works_and_claims_on_until_nothing_is_left(door: Door, container: Container) -> None:
    done = 0
    for item in range(2):
        given = container(done=done).json()
        assert (given["end"], given["done"]) == (None, done + 1)
        order = door.send("POST", "/api/runner/v1/start", given["token"], json={}).json()
        assert (order["step"], order["item"]) == ("convert", item)
        finished = door.send("POST", "/api/runner/v1/finish", given["token"], json={"outcome": "succeeded"})
        assert finished.status_code == 200
        done = given["done"]
    assert container(done=done).json() == {"token": None, "done": 2, "end": "succeeded", "detail": ""}


def test_token_that_is_forged_or_expired_or_none_is_refused(
    door: Door, container: Container, job: Job, ana: Visitor
) -> None:
    expired = Container(door, job, lasts=timedelta(seconds=-1))
    assert problem(expired()) == (403, "forbidden")
    assert "expired" in expired().json()["detail"]
    forged = container.token[:-1] + ("A" if container.token[-1] != "A" else "B")
    assert problem(container(forged)) == (403, "forbidden")
    assert problem(container(ana.token)) == (403, "forbidden")
    assert problem(door.send("POST", "/api/runner/v1/claim", json=ASK)) == (401, "not_authenticated")
    assert not Attempt.objects.exclude(state="QUEUED").exists()


def test_tokens_of_attempts_and_steps_open_nothing_of_each_other(door: Door, container: Container) -> None:
    attempt_token = container().json()["token"]
    assert problem(container(attempt_token)) == (403, "forbidden")
    for call in ("start", "heartbeat", "outputs", "finish"):
        body = {"outcome": "succeeded", "files": []}
        answer = door.send("POST", f"/api/runner/v1/{call}", container.token, json=body)
        assert problem(answer) == (403, "forbidden")
    assert problem(door.send("GET", "/api/v1/me", container.token)) == (401, "not_authenticated")
    assert Attempt.objects.get(state="STARTING").item_index == 0, "nothing of it has moved anything"


def test_token_of_one_job_gives_nothing_of_another(
    door: Door, container: Container, job: Job, owner: User, lab: Workspace
) -> None:
    other = submitted(owner, job.pipeline_version, (make_file(lab, owner, "c.csv"),))
    dispatch()
    for done in range(3):
        container(done=done)
    assert set(Attempt.objects.exclude(state="QUEUED").values_list("job", flat=True)) == {job.pk}
    assert Attempt.objects.filter(job=other).exists()


def test_work_that_is_not_ready_is_asked_for_again(door: Door, job: Job) -> None:
    answer = Container(door, job, "report")()
    assert problem(answer) == (503, "work_not_ready")
    assert int(answer.headers["retry-after"]) >= 1


def test_canceled_job_has_nothing_left(container: Container, job: Job, ana: Visitor) -> None:
    ana.json("POST", f"/jobs/{job.pk}/cancel", 202)
    assert container().json() == {"token": None, "done": 0, "end": "failed", "detail": "The job was canceled."}


def test_child_that_the_array_does_not_have_is_refused(container: Container) -> None:
    assert problem(container(child=1)) == (422, "invalid")


@pytest.mark.parametrize(
    "change",
    [{"batch_job": ""}, {"batch_job": "a b"}, {"batch_job": "x" * 81}, {"batch_job": "a\n"}, {"batch_job": None},
     {"batch_attempt": 0}, {"batch_attempt": 1 << 40}, {"child": -1}, {"child": 10_000}, {"done": -1},
     {"done": 1 << 40}],
)  # fmt: skip
def test_what_a_container_says_is_checked_like_anybodys_word(container: Container, change: dict[str, Any]) -> None:
    assert problem(container(**change)) == (422, "invalid")
    assert not Attempt.objects.exclude(state="QUEUED").exists()
