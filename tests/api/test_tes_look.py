"""GA4GH's TES: what is said of tasks, and how they are found and canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api_app.ga4gh.states import State, jobs_in, state_of
from orchestration.models import Job
from orchestration.services import logs
from orchestration.states import JOB_FAILED, JOB_FINISHED, FailureKind, JobState
from orchestration.storage.registry import get_storage
from tests.api.tes_client import ECHO, Tes, leased, release
from tests.factories import make_job
from tests.orchestration.play import end

if TYPE_CHECKING:
    from orchestration.models import Attempt, User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def test_views_say_little_more_and_all(tes: Tes) -> None:
    text = {"path": "/data/a.txt", "content": "3\n1\n", "name": "in"}
    sent = {
        "name": "sort",
        "description": "numbers",
        "inputs": [text],
        "outputs": [{"path": "/data/out.txt", "url": "esteira:out"}],
        "tags": {"batch": "7"},
        "volumes": ["/vol"],
    }
    task_id = tes.create(**sent)
    release(task_id)
    assert tes.json("GET", f"/tasks/{task_id}") == {"id": task_id, "state": "QUEUED"}
    basic = tes.json("GET", f"/tasks/{task_id}?view=BASIC")
    assert "content" not in basic["inputs"][0]
    full = tes.json("GET", f"/tasks/{task_id}?view=FULL")
    assert full["inputs"][0] == text | {"type": "FILE"}
    assert (full["executors"], full["tags"], full["volumes"]) == ([ECHO], {"batch": "7"}, ["/vol"])
    assert full["logs"] == []
    assert full["creation_time"]
    assert tes("GET", f"/tasks/{task_id}?view=SOME").status_code == 422


def said_by(attempt: Attempt, text: str) -> None:
    get_storage(logs.STORAGE).append(attempt.log_key, 0, text.encode())
    type(attempt).objects.filter(pk=attempt.pk).update(log_size=len(text))


TIMES = '"start_time": "2026-01-01T10:00:00+00:00", "end_time": "2026-01-01T10:00:01+00:00"'
ENDS = f'::executors [{{"exit_code": 75, {TIMES}}}]'


def test_each_try_has_its_log(tes: Tes) -> None:
    task_id = tes.create()
    first = leased(task_id)
    end(first, "failed", failure_kind=FailureKind.INTERRUPTED, detail="The machine went away.")
    type(first).objects.filter(job=first.job).update(available_at=first.created_at)
    second = leased(task_id)
    said_by(second, f"[esteira] isolation\nhello\n::progress 0\n\n{ENDS}\n")
    end(second, "failed", failure_kind=FailureKind.USER_CODE, detail="Executor 1 ended with exit code 75.", exit_code=1)

    full = tes.json("GET", f"/tasks/{task_id}?view=FULL")
    assert full["state"] == "EXECUTOR_ERROR"
    assert [log["logs"] for log in full["logs"]] == [
        [],
        [
            {
                "exit_code": 75,
                "start_time": "2026-01-01T10:00:00Z",
                "end_time": "2026-01-01T10:00:01Z",
                "stdout": "hello",
            }
        ],
    ]
    assert full["logs"][0]["system_logs"] == ["The machine went away."]
    basic = tes.json("GET", f"/tasks/{task_id}?view=BASIC")
    assert "stdout" not in basic["logs"][1]["logs"][0]
    assert "system_logs" not in basic["logs"][1]


@pytest.mark.parametrize("line", ["::executors [", "::executors [1]", '::executors [{"exit_code": "x"}]'])
def test_line_that_a_command_made_up_breaks_nothing(tes: Tes, line: str) -> None:
    task_id = tes.create()
    attempt = leased(task_id)
    said_by(attempt, f"{line}\n")
    end(attempt, "failed", failure_kind=FailureKind.USER_CODE, exit_code=4)
    assert tes.json("GET", f"/tasks/{task_id}?view=FULL")["state"] == "EXECUTOR_ERROR"


def test_tasks_are_listed_by_name_state_and_tags_in_pages(tes: Tes, owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="no task")
    one = tes.create(name="sort one", tags={"foo": "bar", "n": "1"})
    two = tes.create(name="sort two", tags={"foo": "bat"})
    three = tes.create(name="other")
    tes.json("POST", f"/tasks/{three}:cancel")

    def ids(**query: Any) -> list[str]:
        return [task["id"] for task in tes.json("GET", "/tasks", params=query)["tasks"]]

    assert ids() == [three, two, one]
    assert ids(name_prefix="sort") == [two, one]
    assert ids(state="QUEUED") == [two, one]
    assert ids(state="CANCELED") == [three]
    assert ids(state="PREEMPTED") == []
    assert ids(tag_key="foo", tag_value="bar") == [one]
    assert ids(tag_key="foo") == [two, one]
    assert ids(tag_key=["foo", "n"], tag_value=["bar", "1"]) == [one]
    assert ids(tag_key=["foo", "n"], tag_value=["bat", "1"]) == []
    first = tes.json("GET", "/tasks?page_size=2&view=BASIC")
    assert [task["name"] for task in first["tasks"]] == ["other", "sort two"]
    rest = tes.json("GET", f"/tasks?page_size=2&page_token={first['next_page_token']}")
    assert rest == {"tasks": [{"id": one, "state": "QUEUED"}]}


def test_job_that_is_no_task_is_none_here(tes: Tes, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    assert tes("GET", f"/tasks/{job.pk}").status_code == 404
    assert tes("POST", f"/tasks/{job.pk}:cancel").status_code == 404
    assert tes("GET", "/tasks/no-id").status_code == 404


def test_task_of_another_workspace_is_as_good_as_missing(tes: Tes, eva: Visitor, stranger: User) -> None:
    task_id = tes.create()
    theirs = Tes(tes.door, stranger)
    for method, verb in [("GET", ""), ("POST", ":cancel")]:
        real = theirs.json(method, f"/tasks/{task_id}{verb}", 404)
        assert real["detail"] == theirs.json(method, f"/tasks/{uuid4()}{verb}", 404)["detail"]
    assert theirs.json("GET", "/tasks") == {"tasks": []}


def test_canceled_task_says_so_and_cannot_be_canceled_again(tes: Tes) -> None:
    task_id = tes.create()
    assert tes.json("POST", f"/tasks/{task_id}:cancel") == {}
    assert tes.json("GET", f"/tasks/{task_id}")["state"] == "CANCELED"
    assert "finished" in tes.json("POST", f"/tasks/{task_id}:cancel", 409)["detail"]


@pytest.mark.parametrize("state", JobState)
def test_filter_by_state_finds_what_says_it_is_in_it(owner: User, lab: Workspace, state: JobState) -> None:
    kinds = list(FailureKind) if state in JOB_FAILED else [""]
    jobs = [make_job(owner, lab, state=state, failure_kind=kind) for kind in kinds]
    if state not in JOB_FINISHED:
        jobs.append(make_job(owner, lab, state=state, cancel_requested_at=jobs[0].created_at))
    for theirs in State:
        found = set(Job.objects.filter(jobs_in(theirs)))
        assert found == {job for job in jobs if state_of(job) == theirs}, theirs
