"""One action on many jobs: looked at first, begun, followed and stopped. A worker does it (`bulk_work`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from orchestration import tracing
from orchestration.errors import Conflict, IdempotencyKeyReused, Invalid, NotFound
from orchestration.models import BulkItem, BulkOperation, Item, Job, Workspace
from orchestration.models.audit import write_audit
from orchestration.models.planning import planned_anew
from orchestration.services.bulk_task import nudge_bulk
from orchestration.services.fitting import check_labels
from orchestration.services.job_search import find_jobs
from orchestration.states import (
    JOB_FINISHED,
    JOB_UNFINISHED,
    UNSUCCESSFUL,
    AuditAction,
    BulkAction,
    BulkOutcome,
    JobState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.models import User

MOST_JOBS: Final = 10_000
SAMPLE: Final = 10
MOST_PRIORITY: Final = 100
# What an action can do anything with. The last word has the job itself, when its turn comes.
_FAILED_ITEMS: Final = Item.objects.filter(step_run__job=OuterRef("pk"), state__in=UNSUCCESSFUL)
_FITS: Final[dict[BulkAction, Q]] = {
    BulkAction.CANCEL: Q(state__in=JOB_UNFINISHED, cancel_requested_at__isnull=True),
    BulkAction.RETRY: Q(state__in=JOB_FINISHED - {JobState.SUCCEEDED}),
    BulkAction.RESUBMIT: Q(),
    BulkAction.RERUN: Q(Exists(_FAILED_ITEMS), state__in=JOB_FINISHED),
    BulkAction.LABEL: Q(),
    BulkAction.PRIORITY: Q(),
}
_VERBS: Final = {BulkAction.PRIORITY: "give another priority"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Jobs by a filter, or these; of one workspace where it names one."""

    filter: str = ""
    ids: tuple[UUID, ...] = ()
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What `label` and `priority` need to know: labels to set and to remove; the priority."""

    set_labels: dict[str, str] = field(default_factory=dict)
    remove_labels: tuple[str, ...] = ()
    priority: int | None = None

    def params(self, action: BulkAction) -> dict[str, Any]:
        """As the operation keeps them. Raises Invalid when they are not those of the action."""
        labels = bool(self.set_labels or self.remove_labels)
        if labels != (action == BulkAction.LABEL):
            raise Invalid("Labels to set or to remove go with the action label, and it needs at least one.")
        if (self.priority is not None) != (action == BulkAction.PRIORITY):
            raise Invalid("A priority goes with the action priority, which needs one.")
        if self.priority is not None and abs(self.priority) > MOST_PRIORITY:
            raise Invalid(f"{self.priority} is no priority. Write a number from -{MOST_PRIORITY} to {MOST_PRIORITY}.")
        if both := sorted(self.set_labels.keys() & set(self.remove_labels)):
            raise Invalid(f"This label is to be set and to be removed: {both[0]}.")
        check_labels(self.set_labels)
        if labels:
            return {"set": self.set_labels, "remove": sorted(self.remove_labels)}
        return {} if self.priority is None else {"priority": self.priority}


NO_DETAILS: Final = Details()


@dataclass(frozen=True, slots=True)
class Preview:
    """`total` jobs would be acted on, the newest of them in `sample`; others fit the filter and not the action.

    Neither is counted beyond one more than an operation takes: of millions that would take longer than a page may.
    """

    total: int
    others: dict[str, int]
    sample: list[Job]


def preview(*, user: User, action: BulkAction, choice: Choice) -> Preview:
    """Changes nothing. Raises Invalid, NotFound."""
    chosen = _chosen(user, choice)
    fitting = chosen.filter(_FITS[action])
    unfitting = chosen.exclude(_FITS[action]) if _FITS[action] else chosen.none()
    others = unfitting.order_by().values_list("state", flat=True)[: MOST_JOBS + 1]
    sample = fitting.select_related("pipeline_version__pipeline", "workspace", "created_by").order_by("-id")[:SAMPLE]
    with planned_anew():
        total = fitting.order_by().values("pk")[: MOST_JOBS + 1].count()
        return Preview(total, dict(Counter(others)), list(sample))


def begin_bulk(
    *,
    user: User,
    action: BulkAction,
    choice: Choice,
    details: Details = NO_DETAILS,
    expected: int | None = None,
    idempotency_key: str = "",
) -> tuple[BulkOperation, bool]:
    """The operation and whether this call began it. Jobs that fit later are not in it.

    Raises Invalid (too many, or a filter without `expected`), Conflict (another number than was expected), NotFound.
    """
    params = details.params(action)
    if idempotency_key and (found := _replay(user, idempotency_key, action, choice, params)):
        return found, False
    fitting = _chosen(user, choice).filter(_FITS[action])
    if choice.filter and expected is None:
        raise Invalid("Say in `expected` how many jobs it is to be: the preview counts them.")
    with planned_anew():
        rows = list(fitting.order_by("id").values_list("pk", "run")[: MOST_JOBS + 1])
    if len(rows) > MOST_JOBS:
        raise Invalid(f"An operation takes at most {MOST_JOBS:,} jobs, and more than that fit. Narrow the filter.")
    if expected is not None and expected != len(rows):
        raise Conflict(f"It is {len(rows):,} jobs now, and {expected:,} were expected. Look at them again.")
    if not rows:
        raise Invalid(f"There is no job to {_VERBS.get(action, action)}.")
    operation = BulkOperation(
        created_by=user,
        action=action,
        filter=choice.filter,
        params=params,
        total=len(rows),
        idempotency_key=idempotency_key or None,
        traceparent=tracing.here(),
    )
    try:
        _enter(operation, rows, choice)
    except IntegrityError:
        if idempotency_key and (found := _replay(user, idempotency_key, action, choice, params)):
            return found, False
        raise
    nudge_bulk()
    operation.refresh_from_db()
    return operation, True


@transaction.atomic(durable=True)
def _enter(operation: BulkOperation, rows: Sequence[tuple[UUID, int]], choice: Choice) -> None:
    operation.save(force_insert=True)
    BulkItem.objects.bulk_create(
        [BulkItem(operation=operation, job_id=pk, run=run) for pk, run in rows], batch_size=2_000
    )
    here = Workspace.objects.filter(slug=choice.workspace).first() if choice.workspace else None
    after = {"action": operation.action, "jobs": operation.total, "filter": operation.filter, **operation.params}
    if not choice.filter:
        after["ids"] = [pk for pk, _ in rows]
    write_audit(AuditAction.JOBS_ACTED_ON, by=operation.created_by, workspace=here, about=operation, after=after)


def stop_bulk(*, operation: BulkOperation) -> BulkOperation:
    """What is not begun is not done; what is done stays. Any number of times."""
    with transaction.atomic(durable=True):
        BulkOperation.objects.unfinished().filter(pk=operation.pk, canceled_at=None).update(canceled_at=Now())
        operation.items.filter(outcome="", taken_at=None).update(outcome=BulkOutcome.SKIPPED)
    nudge_bulk()
    operation.refresh_from_db()
    return operation


def find_bulk(*, user: User, bulk_id: UUID) -> BulkOperation:
    found: BulkOperation | None = BulkOperation.objects.visible_to(user).filter(pk=bulk_id).first()
    if found is None:
        raise NotFound("There is no such bulk operation of yours.")
    return found


def _chosen(user: User, choice: Choice) -> QuerySet[Job]:
    if bool(choice.filter) == bool(choice.ids):
        raise Invalid("Choose jobs by `q` or by `ids`, by one of them.")
    jobs: QuerySet[Job] = Job.objects.visible_to(user)
    if choice.workspace:
        jobs = jobs.filter(workspace__slug=choice.workspace)
    if choice.filter:
        return find_jobs(jobs, choice.filter, user=user)
    found = jobs.filter(pk__any=list(choice.ids))
    if missing := set(choice.ids) - set(found.values_list("pk", flat=True)):
        some = ", ".join(sorted(map(str, missing))[:5])
        raise NotFound(f"{len(missing):,} of these jobs do not exist, or you may not see them: {some}")
    return found


def _replay(user: User, key: str, action: BulkAction, choice: Choice, params: dict[str, Any]) -> BulkOperation | None:
    found: BulkOperation | None = BulkOperation.objects.filter(created_by=user, idempotency_key=key).first()
    if found is None:
        return None
    is_same = (found.action, found.filter, found.params) == (action, choice.filter, params)
    if choice.ids and is_same:
        is_same = set(found.items.values_list("job", flat=True)) <= set(choice.ids)
    if not is_same or not BulkOperation.objects.visible_to(user).filter(pk=found.pk).exists():
        raise IdempotencyKeyReused
    return found
