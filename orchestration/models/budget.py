"""What a workspace has spent this month and is about to: counted from rows, each time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest, Now

from orchestration.ids import new_id
from orchestration.models.account import Workspace
from orchestration.models.attempt import Attempt
from orchestration.models.bulk import database_now
from orchestration.models.job import Job
from orchestration.states import BudgetMode

if TYPE_CHECKING:
    from datetime import date, datetime

NOTHING = Decimal(0)


class BudgetNotice(models.Model):
    """That the managers of a workspace were told that so many per cent of a month's budget are used up."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="budget_notices")
    month = models.DateField()
    percent = models.PositiveSmallIntegerField()
    # Of another budget it is news again.
    budget_usd = models.DecimalField(max_digits=12, decimal_places=2)
    told_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "month", "budget_usd", "percent"], name="budget_notice_once")
        ]

    def __str__(self) -> str:
        return f"{self.workspace} {self.month} {self.percent} %"


@dataclass(frozen=True, slots=True)
class Standing:
    """Of a budget in USD. A job counts in the month in which it ended, and from its submission on by its estimate."""

    budget: Decimal
    spent: Decimal
    expected: Decimal
    """Of jobs that have not ended: what they were estimated at, or have cost already if that is more."""
    warn_percent: int
    mode: str
    month: date

    @property
    def used(self) -> Decimal:
        return self.spent + self.expected

    @property
    def left(self) -> Decimal:
        return max(NOTHING, self.budget - self.used)

    @property
    def share(self) -> float:
        return float(self.used / self.budget) if self.budget else 1.0

    @property
    def bar(self) -> float:
        """As much of it as can be shown."""
        return min(1.0, self.share)

    @property
    def is_used_up(self) -> bool:
        return self.used >= self.budget

    @property
    def is_warned(self) -> bool:
        return self.used * 100 >= self.budget * self.warn_percent

    @property
    def blocks(self) -> bool:
        return self.mode == BudgetMode.BLOCK


def standing_of(workspace: Workspace) -> Standing | None:
    """None: it has no budget."""
    if workspace.budget_usd is None:
        return None
    month = database_now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Standing(
        budget=workspace.budget_usd,
        spent=_spent(workspace, month),
        expected=_expected(workspace),
        warn_percent=workspace.budget_warn_percent,
        mode=workspace.budget_mode,
        month=month.date(),
    )


def cost_so_far(job: Any) -> Subquery:
    """Of the job that is referred to, as its attempts say."""
    attempts = Attempt.objects.filter(job=job).order_by().values("job")
    return Subquery(attempts.annotate(usd=Sum("cost_usd")).values("usd"))


def _spent(workspace: Workspace, month: datetime) -> Decimal:
    ended = Job.objects.filter(workspace=workspace, finished_at__gte=month, cost_usd__isnull=False)
    found: Decimal | None = ended.aggregate(usd=Sum("cost_usd"))["usd"]
    return found or NOTHING


def _expected(workspace: Workspace) -> Decimal:
    open_jobs = Job.objects.unfinished().filter(workspace=workspace).order_by()
    nothing = models.Value(NOTHING, output_field=models.DecimalField())
    each = Greatest(Coalesce(F("estimate_usd"), nothing), Coalesce(cost_so_far(OuterRef("pk")), nothing))
    found: Decimal | None = open_jobs.aggregate(usd=Sum(each))["usd"]
    return found or NOTHING
