"""One action on many jobs: what is done is what was looked at, each job has its outcome, and a kill loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from orchestration.execution.old_calls import forget_calls
from orchestration.models import BulkItem, BulkOperation, Event, File, Job, Workspace
from orchestration.services import bulk, bulk_sets, bulk_work
from orchestration.services.bulk_work import work_on_bulk
from orchestration.services.jobs import cancel
from orchestration.states import BulkAction
from tests.factories import make_file, make_job, make_user
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker of these tests is called by them."""
    monkeypatch.setattr(bulk, "nudge_bulk", lambda: None)


def sent(owner: User, **fields: Any) -> Job:
    """A job that waits, over the one file there is."""
    lab = Workspace.objects.get(slug="lab")
    file = File.objects.first() or make_file(lab, owner)
    return submitted(owner, files=(file,), **fields)


@pytest.fixture
def jobs(owner: User, lab: Workspace) -> list[Job]:
    """Three that wait, one of another label, one that has ended."""
    waiting = [sent(owner, labels={"batch": "7"}) for _ in range(3)]
    return [*waiting, sent(owner, labels={"batch": "8"}), make_job(owner, lab, state="SUCCEEDED")]


def begun(who: Visitor, status: int = 202, **body: Any) -> Any:
    return who.json("POST", "/bulk", status, json={"action": "cancel", **body})


def states() -> list[str]:
    return list(Job.objects.order_by("id").values_list("state", flat=True))


def outcomes(who: Visitor, bulk_id: str) -> list[tuple[str | None, str | None]]:
    return [(one["outcome"], one["code"]) for one in who.json("GET", f"/bulk/{bulk_id}/items")["items"]]


def test_jobs_of_a_filter_are_looked_at_and_canceled(ana: Visitor, jobs: list[Job]) -> None:
    body = {"action": "cancel", "q": "label:batch=7,batch=8"}
    seen = ana.json("POST", "/bulk:preview", json=body)
    assert (seen["total"], seen["others"]) == (4, {})
    assert [one["id"] for one in seen["sample"]] == [str(job.pk) for job in reversed(jobs[:4])]
    assert set(states()) == {"WAITING", "SUCCEEDED"}, "nothing has changed"

    made = begun(ana, q="label:batch=7", expected=3)
    assert (made["total"], made["done"], made["finished_at"]) == (3, 0, None)
    assert work_on_bulk() is False
    done = ana.json("GET", f"/bulk/{made['id']}")
    assert (done["done"], done["refused"], done["skipped"]) == (3, 0, 0)
    assert done["finished_at"]
    assert states() == ["CANCELED"] * 3 + ["WAITING", "SUCCEEDED"]
    assert outcomes(ana, made["id"]) == [("done", None)] * 3


def test_what_is_begun_is_what_was_looked_at(ana: Visitor, owner: User, jobs: list[Job]) -> None:
    sent(owner, labels={"batch": "7"})
    problem = begun(ana, 409, q="label:batch=7", expected=3)
    assert problem["detail"] == "It is 4 jobs now, and 3 were expected. Look at them again."
    assert not BulkOperation.objects.exists()
    made = begun(ana, q="label:batch=7", expected=4)
    late = sent(owner, labels={"batch": "7"})
    work_on_bulk()
    late.refresh_from_db()
    assert (late.state, made["total"]) == ("WAITING", 4), "it came later"


def test_filter_without_a_number_is_refused(ana: Visitor, jobs: list[Job]) -> None:
    assert "Say in `expected` how many jobs" in begun(ana, 422, q="state:open")["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Choose jobs by `q` or by `ids`"),
        ({"q": "state:open", "ids": [str(uuid4())]}, "Choose jobs by `q` or by `ids`"),
        ({"q": "colour:red", "expected": 1}, "colour is no filter"),
        ({"q": "state:failed", "expected": 0}, "There is no job to cancel."),
    ],
)
def test_mistakes_are_told_and_begin_nothing(ana: Visitor, jobs: list[Job], body: dict[str, Any], said: str) -> None:
    assert said in begun(ana, 422, **body)["detail"]
    assert not BulkOperation.objects.exists()


def test_no_more_than_the_most_at_once(ana: Visitor, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_JOBS", 3)
    assert "at most 3 jobs" in begun(ana, 422, q="state:open", expected=4)["detail"]


def test_each_job_has_its_own_outcome(ana: Visitor, owner: User, lab: Workspace, jobs: list[Job]) -> None:
    made = begun(ana, ids=[str(job.pk) for job in jobs[:2]])
    Job.objects.filter(pk=jobs[0].pk).update(state="SUCCEEDED", finished_at=timezone.now())  # before its turn
    work_on_bulk()
    assert outcomes(ana, made["id"]) == [("refused", "job_finished"), ("done", None)]
    refused = ana.json("GET", f"/bulk/{made['id']}/items", params={"outcome": "refused"})["items"]
    assert refused[0]["detail"] == "The job has already finished: SUCCEEDED."


def test_somebody_elses_jobs_cannot_be_chosen_nor_seen(ana: Visitor, eva: Visitor, jobs: list[Job]) -> None:
    problem = begun(eva, 404, ids=[str(jobs[0].pk)])
    assert str(jobs[0].pk) in problem["detail"]
    assert eva.json("POST", "/bulk:preview", json={"action": "cancel", "q": "state:open"})["total"] == 0
    made = begun(ana, ids=[str(jobs[0].pk)])
    for method, path in (("GET", ""), ("GET", "/items"), ("POST", "/cancel")):
        assert eva(method, f"/bulk/{made['id']}{path}").status_code == 404
    assert eva.json("GET", "/bulk")["items"] == []
    assert [one["id"] for one in ana.json("GET", "/bulk")["items"]] == [made["id"]]


def test_who_may_not_submit_gets_that_as_the_outcome(door: Any, viewer: User, jobs: list[Job]) -> None:
    vera = door.as_(viewer)
    made = begun(vera, ids=[str(jobs[0].pk)])
    work_on_bulk()
    assert outcomes(vera, made["id"]) == [("refused", "forbidden")]
    assert states()[0] == "WAITING"


def test_same_key_begins_it_once(ana: Visitor, jobs: list[Job]) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"action": "cancel", "q": "label:batch=7", "expected": 3}
    first = ana.json("POST", "/bulk", 202, json=body, headers=headers)
    work_on_bulk()
    assert ana.json("POST", "/bulk", 200, json=body, headers=headers)["id"] == first["id"]
    other = ana.json("POST", "/bulk", 422, json=body | {"action": "retry"}, headers=headers)
    assert other["code"] == "idempotency_key_reused"


def test_canceled_operation_leaves_the_rest_alone(ana: Visitor, jobs: list[Job]) -> None:
    made = begun(ana, q="label:batch=7", expected=3)
    stopped = ana.json("POST", f"/bulk/{made['id']}/cancel", 202)
    assert (stopped["skipped"], bool(stopped["canceled_at"])) == (3, True)
    work_on_bulk()
    done = ana.json("POST", f"/bulk/{made['id']}/cancel", 202)
    assert (done["skipped"], bool(done["finished_at"])) == (3, True)
    assert states()[:3] == ["WAITING"] * 3


def test_many_that_nothing_has_begun_of_are_canceled_together_as_each_alone_would_be(
    ana: Visitor, owner: User, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(job: Job) -> Any:
        events = Event.objects.filter(job_id=job.pk).order_by("id")
        job = Job.objects.get(pk=job.pk)
        return (
            [(event.kind, event.step, event.old, event.new, event.reason, event.data) for event in events],
            (job.state, bool(job.cancel_requested_at), bool(job.finished_at), job.waiting_reason, job.cost_usd),
            [(step.state, bool(step.finished_at)) for step in job.steps.all()],
        )

    alone, together, begun_job = jobs[:3]
    cancel(user=owner, job=alone)
    Job.objects.filter(pk=begun_job.pk).update(state="QUEUED", run=2)  # it has rows that only its own way knows
    monkeypatch.setattr(bulk_work, "cancel", lambda **_: None)
    made = begun(ana, ids=[str(together.pk), str(begun_job.pk)])
    work_on_bulk()
    assert left(together) == left(alone)
    assert states()[2] == "QUEUED"
    assert outcomes(ana, made["id"]) == [("done", None)] * 2


class Killed(BaseException):
    """As far as the rows go, what a kill -9 leaves."""


@pytest.mark.parametrize("at", ["bulk.taken", "bulk.done"])
@pytest.mark.parametrize("action", list(BulkAction))
def test_kill_in_the_middle_is_made_good_and_nothing_is_done_twice(
    owner: User, lab: Workspace, action: BulkAction, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in [sent(owner) for _ in range(3)]:
        if action in {BulkAction.RETRY, BulkAction.RERUN}:
            run_all(job, failing={0: "USER_CODE"})
    ids = tuple(Job.objects.values_list("pk", flat=True))
    details = {
        BulkAction.LABEL: bulk.Details(set_labels={"batch": "9"}),
        BulkAction.PRIORITY: bulk.Details(priority=7),
    }.get(action, bulk.NO_DETAILS)
    operation, _ = bulk.begin_bulk(user=owner, action=action, choice=bulk.Choice(ids=ids), details=details)

    def killed(point: str) -> None:
        if point == at:
            raise Killed

    monkeypatch.setattr(bulk_work, "THREADS", 1)
    monkeypatch.setattr(bulk_work, "point", killed)
    with pytest.raises(Killed):
        work_on_bulk()
    monkeypatch.setattr(bulk_work, "point", lambda _: None)
    work_on_bulk()
    assert BulkItem.objects.filter(outcome="").count() == 3, "somebody may still be at it"
    BulkItem.objects.update(taken_at=F("taken_at") - timedelta(seconds=31))
    work_on_bulk()

    operation.refresh_from_db()
    assert operation.finished_at
    assert operation.counts()["done"] == 3
    old = Job.objects.filter(pk__in=ids)
    match action:
        case BulkAction.CANCEL:
            assert set(old.values_list("state", flat=True)) == {"CANCELED"}
        case BulkAction.RETRY | BulkAction.RERUN:
            assert set(old.values_list("run", flat=True)) == {2}
        case BulkAction.RESUBMIT:
            made = set(operation.items.values_list("made", flat=True))
            assert made == set(Job.objects.exclude(pk__in=ids).values_list("pk", flat=True))
            assert len(made) == 3
        case BulkAction.LABEL | BulkAction.PRIORITY:
            assert (
                old.filter(**({"labels__batch": "9"} if action == BulkAction.LABEL else {"priority": 7})).count() == 3
            )
            edits = Event.objects.filter(reason__contains="changed by")
            assert edits.count() == 3, "what was done already is not done again"


def test_labels_of_many_are_set_and_removed_and_others_stay(ana: Visitor, jobs: list[Job]) -> None:
    Job.objects.filter(pk=jobs[0].pk).update(labels={"batch": "7", "who": "ana"})
    body: dict[str, Any] = {"action": "label", "q": "label:batch=7", "expected": 3, "set_labels": {"a": "b"}}
    made = begun(ana, **body, remove_labels=["batch", "never"])
    assert (made["set_labels"], made["remove_labels"], made["priority"]) == ({"a": "b"}, ["batch", "never"], None)
    work_on_bulk()
    found = list(Job.objects.order_by("id").values_list("labels", flat=True))
    assert found[:3] == [{"who": "ana", "a": "b"}, {"a": "b"}, {"a": "b"}]
    assert found[3:] == [{"batch": "8"}, {}]


def test_job_with_too_many_labels_is_refused_and_the_others_are_not(ana: Visitor, jobs: list[Job]) -> None:
    Job.objects.filter(pk=jobs[0].pk).update(labels={str(number): "" for number in range(32)})
    made = begun(ana, action="label", ids=[str(job.pk) for job in jobs[:2]], set_labels={"a": "b"})
    work_on_bulk()
    assert outcomes(ana, made["id"]) == [("refused", "invalid"), ("done", None)]


def test_priority_of_many_counts_for_what_waits(ana: Visitor, jobs: list[Job]) -> None:
    made = begun(ana, action="priority", q="label:batch=7", expected=3, priority=5)
    work_on_bulk()
    assert ana.json("GET", f"/bulk/{made['id']}")["done"] == 3
    assert list(Job.objects.order_by("id").values_list("priority", flat=True)) == [5, 5, 5, 0, 0]


def test_rerun_takes_jobs_with_failed_items_and_only_in_that_run(ana: Visitor, owner: User, lab: Workspace) -> None:
    failed, again = sent(owner), sent(owner)
    for job in (failed, again):
        run_all(job, failing={0: "USER_CODE"})
    make_job(owner, lab, state="SUCCEEDED")
    seen = ana.json("POST", "/bulk:preview", json={"action": "rerun", "q": "state:ended"})
    assert (seen["total"], seen["others"]) == (2, {"SUCCEEDED": 1})
    made = begun(ana, action="rerun", q="state:ended", expected=2)
    ana.json("POST", f"/jobs/{again.pk}/retry", 202)
    run_all(again, failing={0: "USER_CODE"})
    work_on_bulk()
    assert outcomes(ana, made["id"]) == [("done", None)] * 2
    assert list(Job.objects.filter(pk__in=[failed.pk, again.pk]).values_list("run", flat=True)) == [2, 2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"action": "label"}, "Labels to set or to remove go with the action label"),
        ({"action": "cancel", "set_labels": {"a": "b"}}, "Labels to set or to remove go with the action label"),
        ({"action": "label", "set_labels": {"a": "b"}, "remove_labels": ["a"]}, "to be set and to be removed: a."),
        ({"action": "priority"}, "A priority goes with the action priority"),
        ({"action": "retry", "priority": 1}, "A priority goes with the action priority"),
    ],
)
def test_details_go_with_their_action(ana: Visitor, jobs: list[Job], body: dict[str, Any], said: str) -> None:
    assert said in begun(ana, 422, ids=[str(jobs[0].pk)], **body)["detail"]
    assert not BulkOperation.objects.exists()


def test_same_key_with_other_labels_is_refused(ana: Visitor, jobs: list[Job]) -> None:
    body = {"action": "label", "ids": [str(jobs[0].pk)]}
    key = {"Idempotency-Key": "k"}
    first = ana.json("POST", "/bulk", 202, json=body | {"set_labels": {"a": "b"}}, headers=key)
    again = ana.json("POST", "/bulk", 200, json=body | {"set_labels": {"a": "b"}}, headers=key)
    assert first["id"] == again["id"]
    other = ana.json("POST", "/bulk", 422, json=body | {"set_labels": {"a": "c"}}, headers=key)
    assert other["code"] == "idempotency_key_reused"


def test_outcomes_are_kept_for_a_month(ana: Visitor, jobs: list[Job]) -> None:
    made = begun(ana, ids=[str(jobs[0].pk)])
    work_on_bulk()
    forget_calls()
    assert ana("GET", f"/bulk/{made['id']}").status_code == 200
    BulkOperation.objects.update(finished_at=F("finished_at") - timedelta(days=31))
    forget_calls()
    assert ana("GET", f"/bulk/{made['id']}").status_code == 404
    assert Job.objects.filter(pk=jobs[0].pk).exists()


def test_one_process_works_on_it_once_at_a_time(owner: User, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second message finds somebody at it, and takes no threads and connections of its own."""
    ids = tuple(job.pk for job in jobs[:3])
    operation, _ = bulk.begin_bulk(user=owner, action=BulkAction.CANCEL, choice=bulk.Choice(ids=ids))
    seen: list[tuple[bool, int]] = []
    monkeypatch.setattr(bulk_work, "point", lambda _: seen.append((work_on_bulk(), operation.counts()["done"])))
    work_on_bulk()
    assert seen[0] == (False, 0)
    assert operation.counts()["done"] == 3


def test_trouble_with_one_job_does_not_stop_the_others(
    owner: User, jobs: list[Job], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def trouble(*, user: User, job: Job) -> Job:
        if job.pk == jobs[1].pk:
            raise RuntimeError("no such luck")
        return cancel(user=user, job=job)

    monkeypatch.setattr(bulk_sets, "cancel_unstarted", lambda **_: set())
    monkeypatch.setattr(bulk_work, "cancel", trouble)
    ids = tuple(job.pk for job in jobs[:3])
    operation, _ = bulk.begin_bulk(user=owner, action=BulkAction.CANCEL, choice=bulk.Choice(ids=ids))
    work_on_bulk()
    assert operation.counts() == {"": 0, "done": 2, "refused": 1, "skipped": 0}
    assert "no such luck" in caplog.text


def test_who_has_left_the_workspace_meanwhile_changes_nothing(jobs: list[Job], lab: Workspace) -> None:
    guest = make_user("gus")
    membership = lab.memberships.create(user=guest, role="submitter")
    choice = bulk.Choice(ids=(jobs[0].pk,))
    operation, _ = bulk.begin_bulk(user=guest, action=BulkAction.CANCEL, choice=choice)
    membership.delete()
    work_on_bulk()
    assert operation.counts()["refused"] == 1
    assert states()[0] == "WAITING"
