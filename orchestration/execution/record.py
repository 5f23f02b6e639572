"""The one function through which runner messages and engine findings reach the rows.

Duplicates, reordering and late news change nothing: a report moves an attempt only from an unfinished
state and, where the reporter holds a fence, only if that fence is still the row's.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from orchestration.execution.advance import advance, new_attempt
from orchestration.execution.outputs import attach_outputs, listed_outputs
from orchestration.execution.pricing import price_of_end
from orchestration.models import Attempt, Item
from orchestration.models.moves import swap_state, write_events
from orchestration.models.traced import tell_attempt
from orchestration.points import point
from orchestration.spec.decide import Retry, after_attempt
from orchestration.spec.model import PipelineSpec
from orchestration.states import ATTEMPT_FINISHED, ATTEMPT_MOVES, WORK_MOVES, EventKind, WorkState
from orchestration.wake import wake_engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.engines.base import AttemptReport
    from orchestration.models import Event
    from orchestration.spec.model import StepSpec
    from orchestration.storage.base import Stored


def record(report: AttemptReport) -> bool:
    """Apply a report of an attempt's end. False: it was old news."""
    if report.state not in ATTEMPT_FINISHED:
        raise ValueError(f"record takes ends, not {report.state}")
    point("record.before")
    listed = listed_outputs(report) if report.outputs else {}
    with transaction.atomic():
        attempt = (
            Attempt.objects.select_related("job__pipeline_version", "job__workspace", "item__step_run")
            .filter(pk=report.attempt_id)
            .first()
        )
        if attempt is None or not _apply(attempt, report, listed):
            return False
    point("record.committed")
    if attempt.job.traceparent:
        tell_attempt(attempt, report.phases)
    if attempt.job.cancel_requested_at or _is_last(attempt):
        advance(attempt.job_id)
    return True


def _is_last(attempt: Attempt) -> bool:
    """Whether its step has nothing left to wait for. Asked after the commit: of two that end at once, one sees it."""
    step = attempt.item.step_run
    return step.items_total == 1 or not Item.objects.unfinished().filter(step_run=step).exists()


def _apply(attempt: Attempt, report: AttemptReport, listed: Mapping[str, Stored]) -> bool:
    if attempt.state in ATTEMPT_FINISHED or (report.fence is not None and report.fence != attempt.fence):
        return False
    old = attempt.state
    moved = swap_state(
        attempt,
        report.state,
        moves=ATTEMPT_MOVES,
        # Between reading and writing the attempt may have been given back and leased again.
        where={"fence": attempt.fence} | ({"lease_until__lt": Now()} if report.only_if_expired else {}),
        failure_kind=report.failure_kind,
        detail=report.detail[:2000],
        exit_code=report.exit_code,
        usage=report.usage,
        **price_of_end(_step_of(attempt), attempt),
        progress=1.0 if report.state == "SUCCEEDED" else attempt.progress,
    )
    if not moved:
        return False
    data = {"failure_kind": report.failure_kind, "exit_code": report.exit_code} if report.failure_kind else {}
    ended = attempt.event(report.state, old=old, reason=report.detail, data=data)
    if report.state == "SUCCEEDED":
        attach_outputs(attempt, report.outputs, listed)
    write_events([ended, *_settle_item(attempt, report)])
    return True


def _settle_item(attempt: Attempt, report: AttemptReport) -> list[Event]:
    """The item's next attempt, or its end."""
    step = _step_of(attempt)
    canceling = attempt.job.cancel_requested_at is not None
    decision = after_attempt(
        step.retry,
        number=attempt.number,
        state=report.state,
        failure_kind=report.failure_kind or None,
        retry_requested=report.retry,
        spot=None if attempt.on_spot is False else step.spot,
        jitter=random.random(),  # noqa: S311  spreads retries, guards nothing
    )
    if isinstance(decision, Retry) and not canceling and not report.is_last:
        _try_again(attempt, step, decision.delay_s)
        return []
    state = WorkState(report.state)
    item, old = attempt.item, attempt.item.state
    kind, detail = report.failure_kind, report.detail[:2000]
    if not swap_state(item, state, moves=WORK_MOVES, failure_kind=kind, failure_detail=detail):
        return []
    data = {"failure_kind": report.failure_kind} if report.failure_kind else {}
    return [attempt.job.event(EventKind.ITEM, step=attempt.step, item=item.index, old=old, new=state, data=data)]


def _step_of(attempt: Attempt) -> StepSpec:
    return PipelineSpec.from_json(attempt.job.pipeline_version.spec).step(attempt.step)


def _try_again(attempt: Attempt, step: StepSpec, delay_s: float) -> None:
    Attempt.objects.bulk_create(
        [
            new_attempt(
                attempt.job,
                attempt.item.step_run,
                attempt.item,
                step,
                number=attempt.number + 1,
                available_at=Now() + timedelta(seconds=delay_s),
            )
        ]
    )
    wake_engine()
