"""Work for a container that was started without any: who gets which attempt, and how a slice ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.engines import leasing
from orchestration.engines.local.leases import give_back
from orchestration.engines.step_tokens import LASTS, StepRight, issue_step_token, read_step_token
from orchestration.errors import AttemptFenced, Forbidden, Invalid, WorkNotReady
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, Event, Item, Job, StepRun, User, Workspace
from orchestration.services import runner
from orchestration.services.claims import Claim, Container, claim
from orchestration.services.jobs import cancel
from orchestration.services.reruns import rerun_items, retry
from orchestration.services.runner import Holder, read_token
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, lease, run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

CHAIN = """\
pipeline: chain
version: 1.0.0
title: A fan-out behind a fan-out
steps:
  - name: convert
    command: [convert]
    for_each: input
    retry: {attempts: 1}
    tolerate: {failed_items: 90%}
  - name: polish
    needs: [convert]
    for_each: input
    command: [polish]
"""
BATCH_JOB = "c2f0c1de-77a5-4a3c-8f4e-0c0000000001"


def two_steps(user: User, lab: Workspace, items: int = 3, text: str = TWO_STEPS) -> Job:
    """Handed over, so that its first step is open."""
    files = tuple(make_file(lab, user, f"{n}.csv") for n in range(items))
    job = submitted(user, publish_pipeline(text), files)
    dispatch()
    job.refresh_from_db()
    return job


def right_to(job: Job, step: str = "convert", per_child: int = 1) -> StepRight:
    return StepRight.of(job, step, per_child=per_child)


def container(child: int = 0, attempt: int = 1, batch_job: str = BATCH_JOB) -> Container:
    return Container(f"{batch_job}:{child}", attempt, child)


def held(given: Claim) -> Holder:
    assert given.token, given
    return read_token(given.token)


def attempt_of(given: Claim) -> Attempt:
    return Attempt.objects.get(pk=held(given).attempt_id)


def play(given: Claim, outcome: str = "succeeded", **said: str) -> None:
    """What a runner does with what it was given."""
    runner.begin(holder=held(given))
    runner.finish(holder=held(given), outcome=outcome, outputs=[], **said)


def work_off(right: StepRight, who: Container, failing: tuple[int, ...] = ()) -> Claim:
    """All that the slice has for this container; how it ended."""
    given = claim(right=right, container=who)
    while given.token:
        failed = attempt_of(given).item_index in failing
        play(given, **({"outcome": "failed", "failure_kind": "INPUT"} if failed else {}))
        given = claim(right=right, container=who, done=given.done)
    return given


def due_now() -> None:
    Attempt.objects.filter(state="QUEUED").update(available_at=timezone.now() - timedelta(seconds=1))


def test_right_is_the_same_bytes_whenever_it_is_made_and_can_be_read_again(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    token = issue_step_token(right_to(job, per_child=7))
    again = issue_step_token(right_to(Job.objects.get(pk=job.pk), per_child=7))
    assert token == again, "a start that is repeated is given what the first was"
    assert read_step_token(token) == right_to(job, per_child=7)
    others = {issue_step_token(right_to(job, step, n)) for step, n in [("convert", 1), ("report", 7), ("convert", 7)]}
    assert others - {token} == others - {again}
    assert len(others) == 3


def test_token_that_is_forged_or_foreign_or_too_old_is_no_right(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    token = issue_step_token(right_to(job))
    old = issue_step_token(StepRight.of(job, "convert", lasts=timedelta(seconds=-1)))
    attempt_token = claim(right=right_to(job), container=container()).token
    for bad in (token[:-2] + ("aa" if token[-2:] != "aa" else "bb"), "", "a:b", attempt_token, old):
        with pytest.raises(Forbidden):
            read_step_token(bad)
    assert "expired" in refusal(old)
    assert job.queued_at is not None
    assert read_step_token(token).expires_at == (job.queued_at + LASTS).replace(microsecond=0)


def refusal(token: str) -> str:
    with pytest.raises(Forbidden) as refused:
        read_step_token(token)
    return str(refused.value)


def test_right_to_a_step_is_no_right_to_another_job_or_an_attempt(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    with pytest.raises(Forbidden):
        read_token(issue_step_token(right_to(job)))
    with pytest.raises(Forbidden):
        claim(right=right_to(job, "nowhere"), container=container())
    with pytest.raises(ValueError, match="not queued"):
        StepRight.of(Job(), "convert")


def test_each_child_gets_its_item_with_a_lease_that_names_its_batch_job(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    given = [claim(right=right_to(job), container=container(child)) for child in range(3)]
    attempts = [attempt_of(one) for one in given]
    assert [attempt.item_index for attempt in attempts] == [0, 1, 2]
    assert {attempt.state for attempt in attempts} == {"STARTING"}
    assert attempts[1].leased_by == f"batch:{BATCH_JOB}:1#1"
    assert [held(one).fence for one in given] == [attempt.fence for attempt in attempts] == [1, 1, 1]
    assert Job.objects.get().state == "STARTING"
    moves = Event.objects.filter(kind="attempt", attempt_id=attempts[0].pk).values_list("old", "new")
    assert list(moves) == [("QUEUED", "STARTING")]
    assert lease() == [], "nothing is left for anybody else"


def test_job_runs_to_its_end_by_claims_alone(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=5)
    ends = [work_off(right_to(job, per_child=2), container(child)) for child in range(3)]
    assert [(end.end, end.done) for end in ends] == [("succeeded", 2), ("succeeded", 2), ("succeeded", 1)]
    assert work_off(right_to(job, "report"), container(batch_job="other")).end == "succeeded"
    job.refresh_from_db()
    assert (job.state, Attempt.objects.count()) == ("SUCCEEDED", 6)


def test_child_works_on_its_own_slice_and_no_other(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=5)
    right, who = right_to(job, per_child=2), container(1)
    first = claim(right=right, container=who)
    play(first)
    second = claim(right=right, container=who, done=first.done)
    assert [attempt_of(one).item_index for one in (first, second)] == [2, 3]
    play(second)
    assert claim(right=right, container=who, done=second.done) == Claim(2, end="succeeded")
    assert set(Attempt.objects.filter(state="QUEUED").values_list("item_index", flat=True)) == {0, 1, 4}


@pytest.mark.parametrize("child", [3, 9_999])
def test_child_that_the_array_does_not_have_is_refused(owner: User, lab: Workspace, child: int) -> None:
    job = two_steps(owner, lab)
    with pytest.raises(Invalid, match="no child"):
        claim(right=right_to(job), container=container(child))


def test_answer_that_was_lost_is_given_again(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    ask = partial(claim, right=right_to(job), container=container())
    first = ask()
    again = ask()
    assert (held(again), again.done) == (held(first), first.done)
    runner.begin(holder=held(first))
    assert held(ask()) == held(first), "also when the runner was heard of meanwhile"
    assert Event.objects.filter(kind="attempt", new="STARTING").count() == 1


def test_attempt_that_its_own_container_gave_up_is_passed_over_and_left_to_the_next(
    owner: User, lab: Workspace
) -> None:
    job = two_steps(owner, lab)
    right = right_to(job, per_child=3)
    given_up = claim(right=right, container=container())
    given = claim(right=right, container=container(), done=given_up.done)
    while given.token:
        play(given)
        given = claim(right=right, container=container(), done=given.done)
    assert given == Claim(3, end="again", detail="1 of 3 items are to be tried again.")


def test_later_attempt_of_the_batch_job_takes_over_and_the_earlier_is_fenced(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    lost = claim(right=right_to(job), container=container())
    runner.begin(holder=held(lost))
    second = partial(claim, right=right_to(job), container=container(attempt=2))
    with pytest.raises(WorkNotReady, match="not yet time"):
        second()
    ended = attempt_of(lost)
    assert (ended.state, ended.failure_kind) == ("FAILED", "INTERRUPTED")
    assert ended.detail == "The container that ran this attempt ended before its work was done."
    due_now()
    again = second()
    attempt = attempt_of(again)
    assert (attempt.item_index, attempt.number, attempt.leased_by) == (0, 2, f"batch:{BATCH_JOB}:0#2")
    for call in (runner.begin, runner.heartbeat, partial(runner.finish, outcome="succeeded", outputs=[])):
        with pytest.raises(AttemptFenced):
            call(holder=held(lost))
    play(again)
    assert Item.objects.get(step_run__name="convert", index=0).state == "SUCCEEDED"


def test_earlier_attempt_of_the_batch_job_that_wakes_up_gets_nothing(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    later = claim(right=right_to(job), container=container(attempt=2))
    zombie = claim(right=right_to(job), container=container(attempt=1))
    assert (zombie.token, zombie.end) == ("", "failed")
    assert "taken over" in zombie.detail
    play(later)


def test_container_whose_retries_are_used_up_hears_that_its_slice_failed(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    for attempt in (1, 2):
        claim(right=right_to(job), container=container(attempt=attempt))
        if attempt == 1:
            with pytest.raises(WorkNotReady):
                claim(right=right_to(job), container=container(attempt=2))
            due_now()
    third = claim(right=right_to(job), container=container(attempt=3))
    assert (third.end, third.detail) == ("failed", "1 of 1 items did not succeed.")
    assert Item.objects.get(step_run__name="convert", index=0).failure_kind == "INTERRUPTED"


def test_item_that_is_to_be_tried_again_is_left_to_the_next_container(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    right = right_to(job, per_child=3)
    first = claim(right=right, container=container())
    play(first, "failed", failure_kind="INTERRUPTED")
    given = claim(right=right, container=container(), done=first.done)
    while given.token:
        play(given)
        given = claim(right=right, container=container(), done=given.done)
    assert given.end == "again"
    due_now()
    assert work_off(right, container(attempt=2)).end == "succeeded"
    attempts = Attempt.objects.filter(item_index=0, step="convert").order_by("number")
    assert list(attempts.values_list("number", "state")) == [(1, "FAILED"), (2, "SUCCEEDED")]


def test_another_batch_job_waits_for_whoever_is_at_work_and_takes_over_when_its_lease_is_long_over(
    owner: User, lab: Workspace
) -> None:
    """A submission that was repeated has perhaps started two."""
    job = two_steps(owner, lab)
    first = claim(right=right_to(job), container=container())
    twin = partial(claim, right=right_to(job), container=container(batch_job="the-twin"))
    with pytest.raises(WorkNotReady, match="Somebody else"):
        twin()
    Attempt.objects.filter(pk=held(first).attempt_id).update(lease_until=timezone.now() - timedelta(seconds=50))
    with pytest.raises(WorkNotReady, match="Somebody else"):
        twin()
    Attempt.objects.filter(pk=held(first).attempt_id).update(lease_until=timezone.now() - timedelta(seconds=70))
    with pytest.raises(WorkNotReady, match="not yet time"):
        twin()
    due_now()
    assert attempt_of(twin()).number == 2


def test_lease_of_a_row_that_was_given_back_meanwhile_is_lost(owner: User, lab: Workspace) -> None:
    """Or the fence would go back, and a token from before be good again."""
    two_steps(owner, lab, items=1)
    stale = Attempt.objects.select_related("job").get()
    (leased,) = lease()
    assert give_back(leased)
    assert not leasing.lease(stale, "batch:late#1")
    assert Attempt.objects.get().fence == 2


def test_step_that_nobody_has_opened_is_opened_by_the_claim(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    for child in range(3):
        work_off(right_to(job), container(child))
    # As if the process had died between the last end and what follows it.
    Attempt.objects.filter(step="report").delete()
    Item.objects.filter(step_run__name="report").delete()
    StepRun.objects.filter(name="report").update(state="WAITING", started_at=None)
    StepRun.objects.filter(name="convert").update(state="RUNNING", finished_at=None)
    assert claim(right=right_to(job, "report"), container=container()).token


def test_step_that_waits_for_another_is_not_ready(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    with pytest.raises(WorkNotReady, match="waits for others"):
        claim(right=right_to(job, "report"), container=container())


def test_execution_that_is_not_noted_yet_is_not_ready(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    Job.objects.filter(pk=job.pk).update(state="QUEUED", queued_at=timezone.now())
    job.refresh_from_db()
    with pytest.raises(WorkNotReady, match="noted"):
        claim(right=right_to(job), container=container())
    dispatch()
    assert claim(right=right_to(job), container=container()).token


def test_canceled_job_has_nothing_left_and_says_why(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    right = right_to(job)
    given = claim(right=right, container=container())
    cancel(user=owner, job=job)
    asked = claim(right=right, container=container(1))
    assert (asked.token, asked.end, asked.detail) == ("", "failed", "The job was canceled.")
    assert runner.heartbeat(holder=held(given)), "whoever is at work hears of it"
    runner.finish(holder=held(given), outcome="canceled", outputs=[])
    assert Job.objects.get().state == "CANCELED"
    assert claim(right=right, container=container(2)).detail == "The job was canceled."


def test_step_that_is_over_has_nothing_left_and_says_how_it_ended(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab)
    late = right_to(job, "report")
    for child in range(3):
        work_off(right_to(job), container(child), failing=(0, 1, 2))
    job.refresh_from_db()
    assert job.state == "FAILED"
    assert claim(right=late, container=container()) == Claim(
        0, end="failed", detail="The step report is over: SKIPPED."
    )


def test_right_of_an_earlier_run_is_over(owner: User, lab: Workspace) -> None:
    job = run_all(two_steps(owner, lab), failing={1: "INPUT"})
    old = right_to(job)
    rerun_items(user=owner, job=job)
    dispatch()
    assert claim(right=old, container=container()) == Claim(0, end="failed", detail="The job has gone on to run 2.")


def test_rerun_gives_the_failed_items_and_no_others(owner: User, lab: Workspace) -> None:
    job = run_all(two_steps(owner, lab, items=6), failing={1: "INPUT", 4: "INPUT", 5: "INPUT"})
    assert job.state == "SUCCEEDED", "half of the items may fail"
    rerun_items(user=owner, job=job, items=[1, 5])
    convert = StepRun.objects.get(name="convert")
    assert convert.indexes_of_run() == [1, 5], "known before the attempts are written, when the array is sized"
    dispatch()
    job.refresh_from_db()
    right = right_to(job)
    children = [claim(right=right, container=container(child)) for child in range(2)]
    assert [attempt_of(given).item_index for given in children] == [1, 5]
    with pytest.raises(Invalid):
        claim(right=right, container=container(2))
    for given in children:
        play(given)
    assert convert.indexes_of_run() == [1, 5], "and the same after they have ended"
    assert work_off(right_to(job, "report"), container(batch_job="report")).end == "succeeded"
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"
    assert Item.objects.get(step_run=convert, index=4).state == "FAILED", "what the run is not about stays"


def test_items_without_a_source_are_passed_over_where_the_array_had_a_place_for_them(
    owner: User, lab: Workspace
) -> None:
    job = two_steps(owner, lab, items=4, text=CHAIN)
    assert work_off(right_to(job, per_child=4), container(), failing=(0, 2)).end == "failed"
    polish = StepRun.objects.get(name="polish")
    assert list(polish.indexes_of_run()) == [0, 1, 2, 3]
    right = right_to(job, "polish", per_child=2)
    given = claim(right=right, container=container(0, batch_job="polish"))
    assert (attempt_of(given).item_index, given.done) == (1, 2)
    play(given)
    assert claim(right=right, container=container(0, batch_job="polish"), done=2) == Claim(2, end="succeeded")
    assert work_off(right, container(1, batch_job="polish")).end == "succeeded"
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"
    retry_of_skipped(owner, job, polish)


def retry_of_skipped(owner: User, job: Job, polish: StepRun) -> None:
    rerun_items(user=owner, job=job, step="convert", items=[2])
    polish.refresh_from_db()
    before = polish.indexes_of_run()
    assert before == [0, 2], "those that were skipped have a place again, whether their source comes or not"
    dispatch()
    job.refresh_from_db()
    assert work_off(right_to(job), container(batch_job="second")).end == "succeeded"
    assert polish.indexes_of_run() == before
    ends = [work_off(right_to(job, "polish"), container(child, batch_job="polish-2")).end for child in range(2)]
    assert ends == ["succeeded", "succeeded"]
    states = polish.items.order_by("index").values_list("state", flat=True)
    assert list(states) == ["SKIPPED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]


def test_retry_of_a_step_without_fan_out_gives_its_one_item_again(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    work_off(right_to(job), container())
    assert work_off(right_to(job, "report"), container(batch_job="r"), failing=(0,)).end == "failed"
    retry(user=owner, job=job)
    assert StepRun.objects.get(name="report").indexes_of_run() == [0]
    dispatch()
    job.refresh_from_db()
    assert work_off(right_to(job), container()).detail == "The step convert is over: SUCCEEDED."
    assert work_off(right_to(job, "report"), container(batch_job="r2")).end == "succeeded"
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Real threads on real connections, each held up at the door until all are there."""

    THREADS = 8

    def ask_at_once(self, asks: list[Callable[[], Claim]]) -> list[Claim | Exception]:
        barrier = threading.Barrier(len(asks))

        def one(ask: Callable[[], Claim]) -> Claim | Exception:
            try:
                barrier.wait(10)
                return ask()
            except WorkNotReady as exc:
                return exc
            finally:
                connection.close()

        with ThreadPoolExecutor(len(asks)) as pool:
            return list(pool.map(one, asks))

    def test_claims_of_one_container_get_one_attempt(self, owner: User, lab: Workspace) -> None:
        job = two_steps(owner, lab)
        ask = partial(claim, right=right_to(job), container=container())
        answers = self.ask_at_once([ask] * self.THREADS)
        assert {type(answer) for answer in answers} == {Claim}
        assert len({held(answer) for answer in answers if isinstance(answer, Claim)}) == 1, answers
        assert Event.objects.filter(kind="attempt", new="STARTING").count() == 1

    def test_of_twins_one_gets_the_item(self, owner: User, lab: Workspace) -> None:
        job = two_steps(owner, lab)
        asks = [partial(claim, right=right_to(job), container=container(batch_job=f"twin-{n}")) for n in range(8)]
        answers = self.ask_at_once([*asks])
        assert sum(isinstance(answer, Claim) and bool(answer.token) for answer in answers) == 1, answers
        assert sum(isinstance(answer, WorkNotReady) for answer in answers) == len(asks) - 1
        assert Event.objects.filter(kind="attempt", new="STARTING").count() == 1

    def test_children_of_an_array_share_out_the_items(self, owner: User, lab: Workspace) -> None:
        job = two_steps(owner, lab, items=8)
        asks = [partial(work_off, right_to(job), container(child)) for child in range(8)]
        answers = self.ask_at_once([*asks])
        assert [isinstance(one, Claim) and one.end for one in answers] == ["succeeded"] * 8
        assert Attempt.objects.filter(step="convert").count() == 8
        assert StepRun.objects.get(name="report").state == "RUNNING", "its attempt is there for the next container"

    def test_takeover_by_many_leaves_one_new_attempt(self, owner: User, lab: Workspace) -> None:
        job = two_steps(owner, lab)
        claim(right=right_to(job), container=container())
        ask = partial(claim, right=right_to(job), container=container(attempt=2))
        assert {type(answer) for answer in self.ask_at_once([ask] * self.THREADS)} == {WorkNotReady}
        due_now()
        answers = self.ask_at_once([ask] * self.THREADS)
        assert {type(answer) for answer in answers} == {Claim}
        assert len({held(answer) for answer in answers if isinstance(answer, Claim)}) == 1, answers
        assert list(Attempt.objects.filter(item_index=0).order_by("number").values_list("number", "state")) == [
            (1, "FAILED"),
            (2, "STARTING"),
        ]

    def test_cancel_and_claim_at_once_leave_no_attempt_behind(self, owner: User, lab: Workspace) -> None:
        for _ in range(5):
            job = two_steps(owner, lab, items=1)
            right = right_to(job)
            told: list[Claim | Exception] = self.ask_at_once(
                [partial(claim, right=right, container=container()), partial(self.cancel, owner, job)]
            )
            given = told[0]
            if isinstance(given, Claim) and given.token:
                runner.finish(holder=held(given), outcome="canceled", outputs=[])
            job.refresh_from_db()
            assert job.state == "CANCELED"

    @staticmethod
    def cancel(owner: User, job: Job) -> Claim:
        cancel(user=owner, job=job)
        return Claim(0)
