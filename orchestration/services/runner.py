"""The platform's side of the runner protocol (docs/design/0001, section 4).

Every call names its attempt by a signed token that carries the fence; whoever comes with an old fence, or to
an attempt that has ended, is refused and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.engines.base import AttemptReport, Output
from orchestration.engines.leasing import LEASE
from orchestration.errors import AttemptFenced, Forbidden, Invalid, LogOffset, StorageRejected
from orchestration.execution.outputs import STORAGE as RESULTS
from orchestration.execution.outputs import output_key
from orchestration.execution.record import record
from orchestration.models import Attempt, Job
from orchestration.models.moves import swap_state, write_events
from orchestration.points import point
from orchestration.services.addresses import for_runner
from orchestration.services.logs import STORAGE as LOGS
from orchestration.services.logs import log_key
from orchestration.states import ATTEMPT_MOVES, AttemptState, EventKind, FailureKind, JobState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.storage.base import Slot

TOKEN_LASTS: Final = timedelta(days=8)
MAX_LOG_CHUNK: Final = 256 << 10
PROGRESS_EVENT_EVERY: Final = timedelta(seconds=1)
_SALT: Final = "esteira.attempt"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a runner token says is calling."""

    attempt_id: UUID
    fence: int


def issue_token(attempt_id: UUID, fence: int) -> str:
    return signing.dumps([attempt_id.hex, fence], salt=_SALT)


def read_token(token: str) -> Holder:
    """Raises Forbidden for a forged or foreign token, AttemptFenced for one that has expired."""
    try:
        hex_id, fence = signing.loads(token, salt=_SALT, max_age=TOKEN_LASTS)
    except signing.SignatureExpired as exc:
        raise AttemptFenced("This token has expired.") from exc
    except signing.BadSignature as exc:
        raise Forbidden("This token is not valid here.") from exc
    return Holder(UUID(hex=hex_id), fence)


def _held(holder: Holder) -> Attempt:
    attempt: Attempt | None = (
        Attempt.objects.held_by(holder.attempt_id, holder.fence)
        .select_related("job__pipeline_version__pipeline", "job__workspace", "item__step_run")
        .first()
    )
    if attempt is None:
        raise AttemptFenced
    return attempt


def begin(*, holder: Holder) -> Attempt:
    """STARTING → RUNNING, the job with it, unless it is to be canceled. Repeated, the same attempt."""
    point("runner.begin")
    with transaction.atomic(durable=True):
        attempt = _held(holder)
        if attempt.state == AttemptState.STARTING:
            _running(attempt)
    return attempt


def _running(attempt: Attempt) -> None:
    job: Job = attempt.job
    if job.state in {JobState.QUEUED, JobState.STARTING}:
        # Job before attempt, as everybody who locks both: a cancel at this moment would be a deadlock.
        locked = Job.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "pipeline_version__pipeline", "workspace"
        )
        job = attempt.job = locked.get(pk=job.pk)
    if job.cancel_requested_at is not None:
        return  # its order says so, and its end comes without its having begun
    moved = swap_state(
        attempt,
        AttemptState.RUNNING,
        moves=ATTEMPT_MOVES,
        where={"fence": attempt.fence},
        started_at=Now(),
        heartbeat_at=Now(),
        lease_until=Now() + LEASE,
    )
    if not moved:
        raise AttemptFenced
    write_events([attempt.event(AttemptState.RUNNING, old=AttemptState.STARTING)])
    if job.state in {JobState.QUEUED, JobState.STARTING}:
        job.move(JobState.RUNNING, started_at=Now())


def heartbeat(*, holder: Holder, progress: float | None = None, message: str | None = None) -> bool:
    """Renew the lease and note progress; whether the step should be canceled."""
    changes: dict[str, Any] = {"heartbeat_at": Now(), "lease_until": Now() + LEASE}
    if progress is not None:
        changes["progress"] = min(max(progress, 0.0), 1.0)
    if message is not None:
        changes["message"] = message[:500]
    if not Attempt.objects.held_by(holder.attempt_id, holder.fence).update(**changes):
        raise AttemptFenced
    attempt = Attempt.objects.select_related("job").get(pk=holder.attempt_id)
    if progress is not None or message:
        _progress_event(attempt)
    return attempt.job.cancel_requested_at is not None


def _progress_event(attempt: Attempt) -> None:
    """At most one a second for each job: screens need no more, and the table should not fill with them."""
    job: Job = attempt.job
    due = Q(progress_event_at__isnull=True) | Q(progress_event_at__lt=Now() - PROGRESS_EVENT_EVERY)
    with transaction.atomic():
        if Job.objects.filter(due, pk=job.pk).update(progress_event_at=Now()):
            data = {"progress": attempt.progress, "message": attempt.message}
            event = job.event(
                EventKind.PROGRESS,
                step=attempt.step,
                item=attempt.item_index,
                attempt_id=attempt.pk,
                data=data,
            )
            write_events([event])


def append_log(*, holder: Holder, offset: int, data: bytes) -> int:
    """Write a chunk at its offset; the new end. Raises LogOffset (with `end`) when it would leave a gap."""
    if len(data) > MAX_LOG_CHUNK:
        raise Invalid(f"A log chunk has at most {MAX_LOG_CHUNK} bytes.")
    attempt = _held(holder)
    storage = get_storage(LOGS)
    key = log_key(attempt)
    end = storage.size(key) or 0
    if offset > end:
        raise LogOffset(end=end)
    end = storage.append(key, offset, data)
    if not Attempt.objects.held_by(holder.attempt_id, holder.fence).update(log_size=end):
        raise AttemptFenced
    return end


def output_slots(*, holder: Holder, files: Sequence[tuple[int, str]], first: int = 0) -> list[Slot]:
    """A place for each file of a size in bytes and a SHA-256 in hex; the first of them is output number `first`."""
    attempt = _held(holder)
    storage = get_storage(RESULTS)
    try:
        slots = [
            storage.slot(output_key(attempt, number), size=size, sha256=sha256)
            for number, (size, sha256) in enumerate(files, start=first)
        ]
    except StorageRejected as exc:
        # Never is never: the runner need not come back with it.
        raise Invalid(f"An output cannot be stored. {exc}") from exc
    for slot in slots:
        for_runner(slot.url, attempt)
    return slots


def finish(*, holder: Holder, outcome: str, outputs: list[dict[str, Any]], **said: Any) -> None:
    """Record the end. A repeat with the same fence gets the same answer; anyone else is fenced."""
    ends = {outcome.upper()}
    if outcome == "canceled":
        ends.add(AttemptState.FAILED)
    if outcome == "canceled" and not _is_canceling(holder):
        # An engine that stops in good order ends its runners so; nobody gave the work up.
        outcome = "failed"
        said |= {"failure_kind": FailureKind.INTERRUPTED, "detail": "The engine was stopped."}
    report = AttemptReport(
        attempt_id=holder.attempt_id,
        fence=holder.fence,
        state=AttemptState(outcome.upper()),
        failure_kind=_kind(outcome, said.get("failure_kind")),
        detail=said.get("detail") or "",
        exit_code=said.get("exit_code"),
        retry=bool(said.get("retry")),
        outputs=tuple(Output(number=number, **output) for number, output in enumerate(outputs)),
        usage=said.get("usage") or {},
        phases=tuple((one["name"], one["began"], one["ended"]) for one in said.get("phases") or ()),
    )
    point("finish.before")
    if not record(report) and not _is_repeat(holder, ends):
        raise AttemptFenced


def _is_canceling(holder: Holder) -> bool:
    return Attempt.objects.filter(pk=holder.attempt_id, job__cancel_requested_at__isnull=False).exists()


def _kind(outcome: str, said: str | None) -> str:
    if outcome in {"succeeded", "canceled"}:
        return ""
    return FailureKind(said) if said else FailureKind.USER_CODE


def _is_repeat(holder: Holder, ends: set[str]) -> bool:
    """Whether the attempt has ended so before, for this holder: the runner may not have heard our first answer."""
    return Attempt.objects.filter(pk=holder.attempt_id, fence=holder.fence, state__in=ends).exists()
