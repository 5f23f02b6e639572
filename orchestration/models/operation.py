from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from django.db import connection, models
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User
from orchestration.models.job import Job
from orchestration.search import MOST_LETTERS
from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from django.contrib.auth.models import AnonymousUser

LEASE: Final = "30 seconds"
"""Whoever took some jobs of an operation and is silent for so long has died over them."""
_TAKE: Final = f"""\
UPDATE orchestration_bulkitem SET taken_at = statement_timestamp() WHERE id IN (
  SELECT id FROM orchestration_bulkitem WHERE operation_id = %s AND outcome = ''
    AND (taken_at IS NULL OR taken_at < statement_timestamp() - interval '{LEASE}')
  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING id"""  # noqa: S608  the one thing put in is the constant above

_SETTLE: Final = """
UPDATE orchestration_bulkitem item
SET outcome = said.outcome, code = said.code, detail = said.detail, made_id = said.made
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::uuid[]) AS said (id, outcome, code, detail, made)
WHERE item.id = said.id AND item.outcome = ''
"""


class BulkOperationQuerySet(models.QuerySet["BulkOperation"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own: what it may do to each job is asked for each job."""
        if not user.is_authenticated:
            return self.none()
        mine = self.filter(created_by=user)
        if user.bound_to is None:
            return mine
        elsewhere = BulkItem.objects.filter(operation=OuterRef("pk")).exclude(job__workspace=user.bound_to)
        return mine.filter(~Exists(elsewhere))

    def unfinished(self) -> Self:
        return self.filter(finished_at__isnull=True)


class BulkOperation(models.Model):
    """One action on many jobs, chosen when it began; a worker does it job by job, and goes on after a kill."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    action = models.CharField(max_length=12, choices=[(a, a) for a in BulkAction])
    filter = models.CharField(max_length=MOST_LETTERS, blank=True)
    # What the action needs to know besides: labels to set and remove, or a priority.
    params = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    total = models.PositiveIntegerField()
    idempotency_key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  NULL is what unique leaves alone
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(db_default=Now())
    canceled_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = BulkOperationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(action__in=list(BulkAction)), name="bulk_action_known"),
            models.UniqueConstraint(fields=["created_by", "idempotency_key"], name="bulk_once_per_key"),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="bulk_unfinished")]

    def __str__(self) -> str:
        return f"{self.action} {self.total} jobs"

    def counts(self) -> dict[str, int]:
        """How many jobs had which outcome; "" are those to come."""
        return counts_of([self.pk])[self.pk]

    def take(self, most: int) -> list[int]:
        """The next jobs, which nobody else works on meanwhile: ids of items."""
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [self.pk, most])
            return sorted(row[0] for row in cursor.fetchall())


class BulkItem(models.Model):
    """A job of an operation, in the `run` in which it was chosen, and what came of it. `made` is a new job."""

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(BulkOperation, models.CASCADE, related_name="items")
    job = models.ForeignKey(Job, models.CASCADE, related_name="+")
    run = models.PositiveIntegerField()
    taken_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=[(o, o) for o in BulkOutcome], blank=True)
    code = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    made = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+")

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation", "job"], name="bulk_item_once"),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(outcome__in=list(BulkOutcome)), name="bulk_outcome_known"
            ),
        ]
        indexes = [models.Index(fields=["operation", "id"], condition=Q(outcome=""), name="bulk_item_open")]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.outcome or 'to come'}"

    def settle(self, outcome: BulkOutcome, **changes: Any) -> None:
        BulkItem.objects.filter(pk=self.pk, outcome="").update(outcome=outcome, **changes)


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of an item."""

    outcome: BulkOutcome
    code: str = ""
    detail: str = ""
    made: UUID | None = None


def settle_all(settled: Mapping[int, Settled]) -> None:
    """Of many items by their ids, in one statement. What has an outcome keeps it."""
    said = settled.values()
    columns: list[Any] = [
        list(settled),
        [str(one.outcome) for one in said],
        [one.code for one in said],
        [one.detail for one in said],
        [one.made for one in said],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, columns)


def counts_of(operations: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """How many jobs of each operation had which outcome, in one query; "" are those to come."""
    rows = BulkItem.objects.filter(operation__in=operations).order_by().values_list("operation", "outcome")
    found = {operation: dict.fromkeys(["", *BulkOutcome], 0) for operation in operations}
    for operation, outcome, number in rows.annotate(number=Count("pk")):
        found[operation][outcome] = number
    return found
