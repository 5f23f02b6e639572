"""The platform's side of the runner protocol: fences, repeats, logs, outputs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.engines.leasing import lost_report
from orchestration.engines.local import leases
from orchestration.errors import AttemptFenced, Forbidden, Invalid, LogOffset
from orchestration.execution.dispatch import dispatch
from orchestration.execution.outputs import output_key
from orchestration.execution.record import record
from orchestration.models import Attempt, Event, File, Job, User, Workspace
from orchestration.services import runner
from orchestration.services.logs import read_log
from orchestration.services.runner import Holder, issue_token, read_token
from orchestration.services.work_orders import work_order
from orchestration.states import JobState
from orchestration.storage.registry import get_storage
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (leased,) = lease()
    return leased


def test_token_names_attempt_and_fence_and_cannot_be_forged(attempt: Attempt) -> None:
    token = issue_token(attempt.pk, attempt.fence)
    assert read_token(token) == holder(attempt)
    with pytest.raises(Forbidden):
        read_token(token[:-2] + ("aa" if token[-2:] != "aa" else "bb"))


def test_token_that_has_expired_ends_its_attempt(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 is what a runner stops at without asking again, so a late one must hear that, and not a 403."""
    token = issue_token(attempt.pk, attempt.fence)
    monkeypatch.setattr(runner, "TOKEN_LASTS", timedelta(seconds=-1))
    with pytest.raises(AttemptFenced, match="expired"):
        read_token(token)


def test_holder_of_an_old_fence_can_do_nothing(attempt: Attempt) -> None:
    old = holder(attempt)
    assert leases.give_back(attempt)
    (again,) = lease()
    assert again.pk == attempt.pk
    assert again.fence > old.fence
    for call in (
        lambda: runner.begin(holder=old),
        lambda: runner.heartbeat(holder=old),
        lambda: runner.append_log(holder=old, offset=0, data=b"x"),
        lambda: runner.output_slots(holder=old, files=[(1, "0" * 64)]),
        lambda: runner.finish(holder=old, outcome="succeeded", outputs=[]),
    ):
        with pytest.raises(AttemptFenced):
            call()
    run(again)
    assert Job.objects.get().state == JobState.SUCCEEDED


def test_begin_repeated_gives_the_same_order_and_one_event(attempt: Attempt) -> None:
    first = work_order(runner.begin(holder=holder(attempt)))
    second = work_order(runner.begin(holder=holder(attempt)))
    assert first == second
    assert Event.objects.filter(kind="attempt", new="RUNNING").count() == 1


def test_finish_repeated_is_answered_the_same_and_attaches_outputs_once(attempt: Attempt) -> None:
    runner.begin(holder=holder(attempt))
    incoming = get_storage("results").receive(output_key(attempt, 0))
    incoming.write(b"hello")
    incoming.commit()
    outputs = [{"path": "a.txt", "size": 5, "sha256": "0" * 64, "media_type": "text/plain"}]
    end(attempt, outputs=outputs)
    end(attempt, outputs=outputs)
    assert File.objects.filter(attempt_id=attempt.pk).count() == 1


def test_output_that_is_not_in_storage_is_refused_and_the_attempt_stays_open(attempt: Attempt) -> None:
    runner.begin(holder=holder(attempt))
    with pytest.raises(Invalid, match=r"a\.txt"):
        end(attempt, outputs=[{"path": "a.txt", "size": 5, "sha256": "0" * 64, "media_type": "text/plain"}])
    assert Attempt.objects.get(pk=attempt.pk).state == "RUNNING"


def test_lost_attempt_cannot_come_back(owner: User, lab: Workspace) -> None:
    submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (zombie,) = lease()
    runner.begin(holder=holder(zombie))
    assert record(lost_report(zombie.pk, zombie.fence))
    assert not record(lost_report(zombie.pk, zombie.fence)), "the second time it is old news"
    with pytest.raises(AttemptFenced):
        end(zombie, "succeeded")
    assert Attempt.objects.filter(state="QUEUED").count() == 1


def test_runner_that_says_canceled_unasked_was_interrupted(owner: User, lab: Workspace) -> None:
    """An engine that stops in good order ends its runners this way; the work is not what the user gave up."""
    submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    run(attempt, "canceled")
    row = Attempt.objects.get(pk=attempt.pk)
    assert (row.state, row.failure_kind) == ("FAILED", "INTERRUPTED")
    assert Attempt.objects.filter(state="QUEUED").count() == 1


def test_log_is_kept_by_offset_and_a_gap_is_refused(attempt: Attempt) -> None:
    who = holder(attempt)
    assert runner.append_log(holder=who, offset=0, data=b"hello ") == 6
    assert runner.append_log(holder=who, offset=6, data=b"world") == 11
    assert runner.append_log(holder=who, offset=0, data=b"hello ") == 11, "a repeat neither cuts nor doubles"
    with pytest.raises(LogOffset) as caught:
        runner.append_log(holder=who, offset=99, data=b"!")
    assert caught.value.details == {"end": 11}

    attempt.refresh_from_db()
    part = read_log(attempt=attempt, offset=6)
    assert (part.data, part.end, part.is_complete) == (b"world", 11, False)
    assert read_log(attempt=attempt, offset=-3).data == b"rld"
    run(attempt)
    attempt.refresh_from_db()
    assert read_log(attempt=attempt, offset=11).is_complete


def test_heartbeat_renews_the_lease_and_moves_the_bar_with_at_most_one_event_a_second(attempt: Attempt) -> None:
    runner.begin(holder=holder(attempt))
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=attempt.created_at)
    for progress in (0.1, 0.2, 7.0):
        assert not runner.heartbeat(holder=holder(attempt), progress=progress, message="working")
    row = Attempt.objects.get(pk=attempt.pk)
    assert row.progress == 1.0, "bounded"
    assert row.lease_until is not None
    assert row.lease_until > row.created_at
    assert Event.objects.filter(kind="progress").count() == 1


def test_heartbeat_without_news_leaves_no_event(attempt: Attempt) -> None:
    """As each runner sends one every two seconds, whose step says nothing of its progress."""
    runner.begin(holder=holder(attempt))
    runner.heartbeat(holder=holder(attempt), progress=None, message="")
    assert not Event.objects.filter(kind="progress").exists()
    runner.heartbeat(holder=holder(attempt), progress=0.5, message="")
    assert Event.objects.filter(kind="progress").count() == 1


def test_stranger_to_the_table_is_fenced(db: None) -> None:
    from orchestration.ids import new_id

    with pytest.raises(AttemptFenced):
        runner.begin(holder=Holder(new_id(), 1))
