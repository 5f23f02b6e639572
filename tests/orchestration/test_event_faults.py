"""Events of AWS doubled, out of order, late, lost and poisoned (F24 to F27): from the queue to the rows."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.execution import dispatch, stopping, sweep
from orchestration.models import Attempt, Event, Execution, Job
from orchestration.states import ATTEMPT_FINISHED, JOB_FINISHED
from project.management.commands.consume_events import consume
from tests.factories import make_file
from tests.orchestration.clock import Clock, clock
from tests.orchestration.stories import ALL, CELL, Cloud, Story, ended_without_a_word
from tests.scan.test_consume_events import Aws, Until, aws

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_django import Settings

    from orchestration.models import User, Workspace

__all__ = ["aws", "clock"]  # fixtures

pytestmark = pytest.mark.django_db

COPIES = 5
TEN_MINUTES = timedelta(minutes=10)
TWO_PERIODS = (timedelta(seconds=30), timedelta(seconds=60))
"""Of the reconciler: half of the two minutes in which every job must be true."""


@pytest.fixture
def cloud(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(CELL)
    made = Cloud()
    for module in (dispatch, sweep, stopping):
        monkeypatch.setattr(module, "get_engine", lambda _name: made)
    return made


@pytest.fixture
def stories(owner: User, lab: Workspace, cloud: Cloud, clock: Clock) -> list[Story]:
    return [tell(owner, make_file(lab, owner, f"{n}.csv"), cloud) for n, tell in enumerate(ALL)]


def sent(aws: Aws, events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        aws.send(json.dumps(event))


def drain(aws: Aws) -> None:
    """Until nothing is left that could be taken."""
    for _ in range(100):
        if not aws.left():
            return
        consume(aws.queue, Until(12))
    pytest.fail(f"{aws.left()} messages are left")


def beat(clock: Clock, *aheads: timedelta) -> None:
    """What the platform does by itself."""
    for ahead in aheads:
        clock.set(ahead)
        sweep.reconcile()
        stopping.stop_unwanted()


def check(stories: list[Story]) -> None:
    """The oracle: I3, I4, I5, I7, I8 of the invariants."""
    for story in stories:
        story.job.refresh_from_db()
        job = story.job
        assert (job.state, job.run, job.failure_kind) == story.ends, job.execution_name
        moves = Event.objects.filter(job_id=job.pk, kind="job", new__in=JOB_FINISHED)
        assert moves.exclude(reason="cancel requested").count() == job.run - (job.state not in JOB_FINISHED)
    ends = Counter(Event.objects.filter(kind="attempt", new__in=ATTEMPT_FINISHED).values_list("attempt_id", flat=True))
    finished = Attempt.objects.filter(state__in=ATTEMPT_FINISHED)
    assert ends == Counter(finished.values_list("pk", flat=True)), "each attempt has ended once"
    results = Counter(Attempt.objects.filter(state="SUCCEEDED").values_list("item", "run"))
    assert set(results.values()) <= {1}
    assert Job.objects.filter(state__in=JOB_FINISHED, attempts__in=Attempt.objects.unfinished()).count() == 0
    (cloud,) = {id(story.cloud): story.cloud for story in stories}.values()
    assert set(Counter(cloud.starts).values()) == {1}, "one start a run"
    assert set(Execution.objects.values_list("name", flat=True)) == set(cloud.starts)


def states(stories: list[Story]) -> list[tuple[str, str, int]]:
    ids = [story.job.pk for story in stories]
    found = Attempt.objects.filter(job__in=ids).order_by("job", "run", "number")
    return [(str(one.pk), one.state, one.fence) for one in found]


@pytest.mark.parametrize("seed", range(2))
def test_events_five_times_in_any_order_are_as_once(aws: Aws, stories: list[Story], clock: Clock, seed: int) -> None:
    beat(clock, timedelta(), stopping.SETTLES + timedelta(seconds=1))  # the canceled ones are confirmed
    events = [event for story in stories for event in story.events] * COPIES
    random.Random(seed).shuffle(events)
    sent(aws, events)
    drain(aws)
    beat(clock, *(TEN_MINUTES + one for one in TWO_PERIODS))
    check(stories)
    assert aws.left(aws.aside) == 0


def test_what_has_ended_stays_as_it_is_whatever_comes_late(aws: Aws, stories: list[Story], clock: Clock) -> None:
    beat(clock, timedelta(), *TWO_PERIODS)
    check(stories)
    before, written = states(stories), Event.objects.count()
    clock.set(TEN_MINUTES)
    sent(aws, [event for story in reversed(stories) for event in reversed(story.events)])
    drain(aws)
    assert states(stories) == before
    assert Event.objects.count() == written
    check(stories)


@pytest.mark.parametrize(("share", "seed"), [(0.3, 0), (0.3, 1), (1.0, 0)])
def test_jobs_are_true_within_two_minutes_after_ten_minutes_of_lost_events(
    aws: Aws, stories: list[Story], clock: Clock, share: float, seed: int
) -> None:
    rng = random.Random(seed)
    sent(aws, [event for story in stories for event in story.events if rng.random() >= share])
    clock.set(TEN_MINUTES)
    drain(aws)
    beat(clock, *(TEN_MINUTES + one for one in TWO_PERIODS))
    check(stories)


def test_without_reconciler_the_lost_events_would_be_seen(aws: Aws, stories: list[Story]) -> None:
    """The control: were the oracle blind, all of this would prove nothing."""
    drain(aws)
    with pytest.raises(AssertionError):
        check(stories)


def poisons(story: Story) -> list[str]:
    good = next(event for event in story.events if event["source"] == "aws.batch")
    fat = good | {"detail": good["detail"] | {"statusReason": "x" * 300_000}}
    return [
        "{",
        json.dumps(good | {"detail": good["detail"] | {"status": "ASLEEP"}}),
        json.dumps(fat),
        json.dumps(good | {"account": "210987654321"}),
        json.dumps(good | {"detail": good["detail"] | {"attempts": [{"stoppedAt": "yesterday"}]}}),
    ]


def test_poison_is_put_aside_and_the_others_are_not_delayed(
    aws: Aws, owner: User, lab: Workspace, cloud: Cloud, clock: Clock
) -> None:
    story = ended_without_a_word(owner, make_file(lab, owner), cloud)
    bad = poisons(story)
    for body in bad:
        aws.send(body)
    sent(aws, story.events)
    consume(aws.queue, Until(1 + len(bad) + len(story.events)))
    check([story])
    for _ in range(5):
        consume(aws.queue, Until(1 + len(bad)))
    assert (aws.left(), aws.left(aws.aside)) == (0, len(bad))


def test_event_of_a_job_that_nobody_knows_is_no_poison(
    aws: Aws, owner: User, lab: Workspace, cloud: Cloud, clock: Clock
) -> None:
    """Another installation's, or a job of before a restore: it is ours by its queue, and says nothing."""
    story = ended_without_a_word(owner, make_file(lab, owner), cloud)
    name = "00000000-0000-4000-8000-000000000000-r1"
    for event in story.events:
        text = json.dumps(event).replace(story.job.execution_name, name)
        aws.send(text)
    drain(aws)
    assert aws.left(aws.aside) == 0
    story.job.refresh_from_db()
    assert story.job.state == "RUNNING", "nothing of it was taken for ours"
