"""Who works on what a spot machine has left: each attempt is one container's, and each interruption one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.cost.compute import cost
from orchestration.cost.table import PACKAGED, load
from orchestration.engines.base import ExecutionReport
from orchestration.engines.leasing import GRACE
from orchestration.engines.step_tokens import StepRight, issue_step_token, read_step_token
from orchestration.errors import WorkNotReady
from orchestration.execution.witness import settle, witness
from orchestration.models import Attempt, Item, Job
from orchestration.services.claims import Container, claim
from orchestration.spec.model import PipelineSpec
from orchestration.states import AttemptState, ExecutionState, FailureKind
from tests.orchestration.play import TWO_STEPS
from tests.orchestration.test_claims import attempt_of, container, due_now, play, two_steps, work_off
from tests.orchestration.test_witness import AT, GONE, ends, interrupted, piece

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

ELSEWHERE = "d3f0c1de-77a5-4a3c-8f4e-0c0000000002"
TEXT = TWO_STEPS.replace(
    "retry: {attempts: 2, on: [interrupted], backoff: 1s}", "retry: {attempts: 1}\n    spot: {attempts: 2}"
)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return two_steps(owner, lab, items=4, text=TEXT)


def on_spot(job: Job, per_child: int = 1) -> StepRight:
    return StepRight.of(job, "convert", per_child=per_child, place="spot")


def rest(job: Job, per_child: int = 1) -> StepRight:
    return StepRight.of(job, "convert", per_child=per_child, place="rest")


def elsewhere(child: int = 0, attempt: int = 1) -> Container:
    return container(child, attempt, ELSEWHERE)


def interrupt(job: Job, child: int, attempt: int) -> None:
    claim(right=on_spot(job), container=container(child, attempt))
    witness(piece(job, child, tries=(interrupted(attempt),)))
    due_now()


def test_right_says_where_it_is_good_and_an_older_one_still_reads(job: Job) -> None:
    for right in (on_spot(job), rest(job, 7), StepRight.of(job, "convert")):
        assert read_step_token(issue_step_token(right)) == right


def test_each_interruption_is_an_attempt_and_the_one_after_the_last_is_for_another_machine(job: Job) -> None:
    for attempt in (1, 2):
        interrupt(job, 0, attempt)
    given = claim(right=rest(job), container=elsewhere())
    assert (attempt_of(given).item_index, attempt_of(given).number) == (0, 3)
    play(given)
    assert [end for end in ends(job) if end[0] == 0] == [
        (0, 1, "FAILED", "INTERRUPTED"),
        (0, 2, "FAILED", "INTERRUPTED"),
        (0, 3, "SUCCEEDED", ""),
    ]
    details = Attempt.objects.filter(item_index=0, number__lt=3).values_list("detail", flat=True)
    assert set(details) == {GONE}


def test_interruption_elsewhere_is_judged_by_the_policy(job: Job) -> None:
    for attempt in (1, 2):
        interrupt(job, 0, attempt)
    claim(right=rest(job), container=elsewhere())
    witness(piece(job, ref=f"{ELSEWHERE}:0", tries=(interrupted(),)))
    assert ends(job)[2] == (0, 3, "FAILED", "INTERRUPTED")
    assert Item.objects.get(step_run__name="convert", index=0).state == "FAILED"


def test_interruption_on_demand_does_not_use_what_spot_would_still_have_had(job: Job) -> None:
    """The spot machines were given up early; the step's policy allows one attempt."""
    claim(right=rest(job), container=elsewhere())
    witness(piece(job, ref=f"{ELSEWHERE}:0", tries=(interrupted(),)))
    assert Item.objects.get(step_run__name="convert", index=0).state == "FAILED"


def test_attempt_says_and_is_priced_by_where_it_ran(job: Job, settings: Settings) -> None:
    settings.PRICES = load(PACKAGED)
    first = attempt_of(given := claim(right=on_spot(job), container=container(0)))
    play(given)
    other = attempt_of(given := claim(right=rest(job), container=elsewhere(1)))
    play(given)
    assert (first.on_spot, other.on_spot) == (True, False)
    assert first.number == other.number == 1
    needs = PipelineSpec.from_json(job.pipeline_version.spec).step("convert").resources
    for attempt, spot in ((first, True), (other, False)):
        attempt.refresh_from_db()
        assert attempt.cost_usd == cost(settings.PRICES, needs, Decimal(1), spot=spot)


def test_spot_job_that_has_failed_leaves_what_nobody_took_to_the_one_that_follows(job: Job) -> None:
    interrupt(job, 0, 1)
    whole = piece(job, None, state=AttemptState.FAILED, failure_kind=FailureKind.INTERRUPTED, is_followed=True)
    assert witness(whole) == 0
    assert Attempt.objects.filter(state="QUEUED").count() == 4
    assert witness(replace(whole, ref=ELSEWHERE, is_followed=False)) == 4


def test_nothing_is_left_behind_when_the_execution_ends_between_the_two(job: Job) -> None:
    interrupt(job, 0, 1)
    assert settle(ExecutionReport(job.execution_name, ExecutionState.FAILED, "", AT)) == 4
    job.refresh_from_db()
    assert job.state == "FAILED"


def test_spot_container_whose_items_have_all_ended_leaves_nothing_to_do_elsewhere(job: Job) -> None:
    end = work_off(on_spot(job, 2), container(0), failing=(1,))
    assert (end.end, end.done) == ("succeeded", 2), "an item that failed for good is not tried on a dearer machine"


def test_spot_container_of_a_step_that_has_failed_leaves_nothing_to_do_elsewhere(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1, text=TEXT)
    assert work_off(on_spot(job), container(), failing=(0,)).end == "succeeded"
    assert Job.objects.get(pk=job.pk).state == "FAILED"


def test_containers_of_the_rest_share_what_is_left_and_nothing_else(job: Job) -> None:
    play(claim(right=on_spot(job), container=container(0)))
    taken = [attempt_of(claim(right=rest(job), container=elsewhere(child))).item_index for child in range(3)]
    assert sorted(taken) == [1, 2, 3]
    late = claim(right=rest(job), container=elsewhere(3))
    assert (late.token, late.end) == ("", "succeeded"), "the others have the rest"


def test_container_that_asks_again_is_given_the_same(job: Job) -> None:
    first, again = (claim(right=rest(job), container=elsewhere()) for _ in range(2))
    assert attempt_of(first) == attempt_of(again)
    assert first.done == again.done == 1


def test_later_attempt_of_a_container_takes_over_what_the_earlier_one_held(job: Job) -> None:
    claim(right=rest(job), container=elsewhere(0, 1))
    Attempt.objects.filter(state="QUEUED").update(available_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(WorkNotReady):
        claim(right=rest(job), container=elsewhere(0, 2))
    assert ends(job)[0] == (0, 1, "FAILED", "INTERRUPTED")


def test_what_a_vanished_spot_machine_holds_is_waited_for_until_its_lease_is_over(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1, text=TEXT)
    claim(right=on_spot(job), container=container())
    with pytest.raises(WorkNotReady, match="Somebody else is at work"):
        claim(right=rest(job), container=elsewhere())
    Attempt.objects.update(lease_until=timezone.now() - GRACE * 2)
    with pytest.raises(WorkNotReady, match="not yet time"):
        claim(right=rest(job), container=elsewhere())
    due_now()
    assert attempt_of(claim(right=rest(job), container=elsewhere())).number == 2


def test_what_can_be_taken_comes_before_what_must_be_waited_for(job: Job) -> None:
    claim(right=on_spot(job), container=container(0))
    assert attempt_of(claim(right=rest(job), container=elsewhere())).item_index == 1


def test_container_does_no_more_than_its_share(job: Job) -> None:
    given = claim(right=rest(job, 2), container=elsewhere())
    for _ in range(2):
        play(given)
        given = claim(right=rest(job, 2), container=elsewhere(), done=given.done)
    assert (given.end, given.token) == ("again", "")
    assert sum(state == "SUCCEEDED" for _, _, state, _ in ends(job)) == 2
