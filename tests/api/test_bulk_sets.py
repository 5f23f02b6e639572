"""Jobs of a bulk operation are done together, and each comes out as it would have by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orchestration.models import Event, File, Item, Job, StepRun, Workspace
from orchestration.services import bulk, bulk_sets, bulk_work
from orchestration.services.bulk_work import work_on_bulk
from orchestration.services.jobs import resubmit
from orchestration.services.reruns import RETRY, go_again_many, retry
from orchestration.states import BulkAction
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import BulkOperation, User
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker of these tests is called by them."""
    monkeypatch.setattr(bulk, "nudge_bulk", lambda: None)


@pytest.fixture
def failed(owner: User, lab: Workspace) -> list[Job]:
    """Of two steps over three files; of the last one the fan-out has lost too many and the report never ran."""
    version = publish_pipeline(TWO_STEPS)
    files = tuple(make_file(lab, owner, f"{n}.csv", data=f"a\n{n}\n".encode()) for n in range(3))
    jobs = [submitted(owner, version, files, labels={"batch": "7"}, priority=3) for _ in range(5)]
    for job in jobs[:-1]:
        run_all(job, failing={1: "USER_CODE", 2: "INPUT"})
    run_all(jobs[-1], failing=dict.fromkeys(range(3), "USER_CODE"))
    return jobs


def begun(owner: User, action: BulkAction, *jobs: Job) -> BulkOperation:
    choice = bulk.Choice(ids=tuple(job.pk for job in jobs))
    return bulk.begin_bulk(user=owner, action=action, choice=choice)[0]


def outcomes(operation: BulkOperation) -> list[tuple[str, str]]:
    return list(operation.items.order_by("id").values_list("outcome", "code"))


def left(job: Job) -> Any:
    """All that going again may have changed."""
    job = Job.objects.get(pk=job.pk)
    events = Event.objects.filter(job_id=job.pk).order_by("id")
    return (
        [(event.kind, event.step, event.old, event.new, event.reason, event.data) for event in events],
        (job.state, job.run, job.failure_kind, bool(job.finished_at), bool(job.execution_id), job.estimate_basis),
        list(job.steps.values_list("name", "state", "run", "failure_kind", "finished_at")),
        list(Item.objects.filter(step_run__job=job).order_by("step_run__position", "index").values_list("state")),
    )


def together_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done one by one shows."""
    monkeypatch.setattr(bulk_work, "_do", lambda *_: pytest.fail("one by one"))


@pytest.mark.parametrize(("action", "reason"), [(BulkAction.RETRY, "retry"), (BulkAction.RERUN, "rerun items")])
def test_many_go_again_together_as_each_alone_would(
    owner: User, failed: list[Job], action: BulkAction, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, *others, broken = failed
    retry(user=owner, job=alone)
    operation = begun(owner, action, *others, broken)
    together_alone(monkeypatch)
    work_on_bulk()
    assert outcomes(operation) == [("done", "")] * 4
    events, *rest = left(alone)
    events[-1] = (*events[-1][:4], reason, events[-1][5])
    for job in others:
        assert left(job) == (events, *rest)
    run_all(broken)
    assert [run_all(job).state for job in (alone, *others, broken)] == ["SUCCEEDED"] * 5


def test_files_of_what_goes_again_give_way_in_each_job_by_its_own_steps(
    owner: User, lab: Workspace, failed: list[Job]
) -> None:
    files = [make_file(lab, owner, f"{step}.txt", job=job, step=step, kind="result") for job in failed[:2]
             for step in ("convert", "report")]  # fmt: skip
    begun(owner, BulkAction.RETRY, *failed[:2])
    work_on_bulk()
    gone = [bool(File.objects.get(pk=file.pk).superseded_at) for file in files]
    assert gone == [False, True] * 2, "good outputs of a fan-out are kept"


def test_many_are_resubmitted_together_as_each_alone_would_be(
    owner: User, failed: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, _ = resubmit(user=owner, job=failed[0], changes={})
    operation = begun(owner, BulkAction.RESUBMIT, *failed)
    together_alone(monkeypatch)
    work_on_bulk()
    assert outcomes(operation) == [("done", "")] * 5
    fields = ("name", "params", "labels", "priority", "state", "run", "input_count", "created_by", "estimate_usd")
    for item in operation.items.select_related("made"):
        assert item.made is not None
        assert item.made.resubmitted_from_id == item.job_id
        assert left(item.made) == left(alone)
        assert [getattr(item.made, f) for f in fields] == [getattr(alone, f) for f in fields]
        inputs = item.made.job_inputs.values_list("file", "position")
        assert list(inputs) == list(alone.job_inputs.values_list("file", "position"))


def test_job_that_does_not_fit_takes_no_other_along(owner: User, failed: list[Job], lab: Workspace) -> None:
    other = make_file(lab, owner, "other.csv", data=b"b\n")
    lost = run_all(submitted(owner, publish_pipeline(TWO_STEPS), (other,)), failing={0: "USER_CODE"})
    operation = begun(owner, BulkAction.RETRY, *failed, lost)
    File.objects.filter(pk=other.pk).update(deleted_at="2026-01-01T00:00:00Z", expires_at="2026-01-01T00:00:00Z")
    Job.objects.filter(pk=failed[1].pk).update(state="RUNNING", finished_at=None, failure_kind="")
    work_on_bulk()
    said = [("done", ""), ("refused", "job_not_finished"), *[("done", "")] * 3, ("refused", "conflict")]
    assert outcomes(operation) == said
    again = begun(owner, BulkAction.RESUBMIT, failed[0], lost)
    work_on_bulk()
    assert outcomes(again) == [("done", ""), ("refused", "not_found")]


def test_trouble_of_one_is_found_out_one_by_one(
    owner: User, failed: list[Job], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even of something that nobody thought of, and after some of it was written."""

    def trouble(**asked: Any) -> Job:
        if asked["job"].pk == failed[1].pk:
            raise RuntimeError("no such luck")
        return retry(**asked)

    def many(**asked: Any) -> Any:
        with transaction.atomic():
            StepRun.objects.filter(job__in=asked["jobs"]).update(state="WAITING", finished_at=None)
            raise RuntimeError("all of it")

    monkeypatch.setattr(bulk_sets, "go_again_many", many)
    monkeypatch.setattr(bulk_work, "retry", trouble)
    operation = begun(owner, BulkAction.RETRY, *failed)
    work_on_bulk()
    assert outcomes(operation) == [("done", ""), ("refused", "internal"), *[("done", "")] * 3]
    assert "all of it" in caplog.text
    assert "no such luck" in caplog.text


def test_budget_is_held_by_each_job_in_turn(owner: User, failed: list[Job], lab: Workspace) -> None:
    """None of these is done together: each has to know what the one before it left."""
    Workspace.objects.filter(pk=lab.pk).update(budget_usd=100, budget_mode="block")
    fresh = {job: job.run for job in Job.objects.select_related("workspace").filter(pk__in=[j.pk for j in failed])}
    assert go_again_many(user=owner, jobs=fresh, wish=RETRY) == {}
    operation = begun(owner, BulkAction.RETRY, *failed)
    work_on_bulk()
    assert outcomes(operation) == [("done", "")] * 5


def test_job_that_somebody_holds_is_left_out_of_the_set(owner: User, failed: list[Job]) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=failed[0].pk)
            held.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        fresh = {job: job.run for job in Job.objects.select_related("workspace").filter(pk__in=[j.pk for j in failed])}
        assert set(go_again_many(user=owner, jobs=fresh, wish=RETRY)) == {job.pk for job in failed[1:]}
    finally:
        done.set()
        holder.join(10)


@pytest.mark.parametrize(
    ("action", "most"), [(BulkAction.RETRY, 40), (BulkAction.RESUBMIT, 40), (BulkAction.CANCEL, 30)]
)
def test_questions_do_not_grow_with_the_jobs(
    owner: User, failed: list[Job], action: BulkAction, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_work, "ThreadPoolExecutor", Here)
    jobs = failed
    if action == BulkAction.CANCEL:
        jobs = [resubmit(user=owner, job=job, changes={})[0] for job in failed]

    def asked(*some: Job) -> int:
        begun(owner, action, *some)
        with CaptureQueriesContext(connection) as queries:
            work_on_bulk()
        return len(queries)

    one = asked(jobs[0])
    assert one <= most
    assert asked(*jobs[1:4]) == one


class Here:
    """Does at once what a pool of threads would, where the questions are counted."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Any, *args: Any) -> Here:
        work(*args)
        return self

    def result(self) -> None: ...


def test_list_of_operations_counts_all_of_them_at_once(ana: Visitor, owner: User, failed: list[Job]) -> None:
    ana.json("GET", "/bulk")  # who that is has been noted then
    counts = []
    for number in (1, 3):
        for _ in range(number):
            begun(owner, BulkAction.RESUBMIT, *failed[:2])
        with CaptureQueriesContext(connection) as queries:
            listed = ana.json("GET", "/bulk")["items"]
        assert {(one["total"], one["done"]) for one in listed} == {(2, 0)}
        counts.append(len(queries))
    assert counts[0] == counts[1]
