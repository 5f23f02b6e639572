"""What a job will cost and has cost, for whoever submits and whoever looks. Without a table of prices: nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, OuterRef, Subquery, Sum

from orchestration.cost import storage
from orchestration.cost.estimate import Estimate, estimate, smoothed
from orchestration.models import Attempt, File, Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.cost.table import PriceTable
    from orchestration.spec.model import PipelineSpec, StepSpec

MOST_JOBS: Final = 10
MOST_ITEMS: Final = 10
LOOKED_THROUGH: Final = 500
# The first items of a version's last jobs that went well, each step by its own index: no step reads ten thousand rows.
_TOOK: Final = """
SELECT run.name, extract(epoch FROM try.finished_at - try.started_at)
FROM (
  SELECT id FROM (
    SELECT id, state FROM orchestration_job WHERE pipeline_version_id = %(version)s ORDER BY id DESC LIMIT %(looked)s
  ) recent WHERE state = 'SUCCEEDED' ORDER BY id DESC LIMIT %(jobs)s
) job
JOIN orchestration_steprun run ON run.job_id = job.id
CROSS JOIN LATERAL (
  SELECT id FROM orchestration_item WHERE step_run_id = run.id ORDER BY index LIMIT %(items)s
) item
JOIN orchestration_attempt try
  ON try.item_id = item.id AND try.state = 'SUCCEEDED' AND try.started_at IS NOT NULL
ORDER BY try.id
"""


@dataclass(frozen=True, slots=True)
class JobCost:
    """In USD. `actual` grows while the job runs; `keeping` is what its files cost until they expire."""

    estimate: Decimal | None
    basis: str
    actual: Decimal | None
    unpriced: int
    """Attempts that ran and have no price: an older engine's, or of something that the table does not know."""
    keeping: Decimal | None
    prices: str
    """The table that priced it, with its date."""
    region: str


def estimate_of(version_id: UUID, steps: Sequence[tuple[StepSpec, int]]) -> Estimate | None:
    """Of a job that is about to be set going. None: nothing has a price here."""
    table: PriceTable | None = settings.PRICES
    return estimate(table, steps, seconds_of(version_id)) if table else None


def seconds_of(version_id: UUID) -> dict[str, Decimal]:
    """How long an item of each step takes, by those of late."""
    limits = {"looked": LOOKED_THROUGH, "jobs": MOST_JOBS, "items": MOST_ITEMS}
    with connection.cursor() as cursor:
        cursor.execute(_TOOK, {"version": version_id, **limits})
        rows: list[tuple[str, Decimal]] = cursor.fetchall()
    found: dict[str, list[Decimal]] = {}
    for step, seconds in rows:
        found.setdefault(step, []).append(seconds)
    means = {step: smoothed(seconds) for step, seconds in found.items()}
    return {step: mean for step, mean in means.items() if mean is not None}


def cost_of(job: Job) -> JobCost | None:
    """None: it was neither estimated nor priced, and nothing here has a price."""
    return cost_in(with_cost(Job.objects.filter(pk=job.pk)).get())


def with_cost(jobs: QuerySet[Job]) -> QuerySet[Job]:
    ended = Attempt.objects.filter(job=OuterRef("pk"), finished_at__isnull=False).order_by()
    priced = ended.filter(cost_usd__isnull=False)
    unpriced = ended.filter(cost_usd__isnull=True, started_at__isnull=False)
    return jobs.annotate(
        actual_usd=Subquery(priced.values("job").annotate(usd=Sum("cost_usd")).values("usd")),
        unpriced=Subquery(unpriced.values("job").annotate(number=Count("pk")).values("number")),
        priced_by=Subquery(priced.exclude(priced_by="").order_by("-id").values("priced_by")[:1]),
    )


def cost_in(job: Job) -> JobCost | None:
    """Of a job that was found with its cost."""
    table: PriceTable | None = settings.PRICES
    actual, unpriced, by = (job.__dict__[name] for name in ("actual_usd", "unpriced", "priced_by"))
    if table is None and actual is None and job.estimate_usd is None:
        return None
    return JobCost(
        estimate=job.estimate_usd,
        basis=job.estimate_basis,
        actual=actual,
        unpriced=unpriced or 0,
        keeping=_keeping(job, table) if table and settings.USES_BUCKETS else None,
        prices=by or (table.label if table else ""),
        region=table.region if table else "",
    )


def cost_expected(job: Job) -> JobCost | None:
    """Of a job that was written just now: nothing has to be read for it."""
    table: PriceTable | None = settings.PRICES
    if table is None:
        return None
    return JobCost(job.estimate_usd, job.estimate_basis, None, 0, None, table.label, table.region)


def _keeping(job: Job, table: PriceTable) -> Decimal | None:
    """Of what it left and is still there, from the day it was made to the day it goes."""
    kept = File.objects.filter(job=job, purged_at__isnull=True, deleted_at__isnull=True).order_by()
    rows: Any = kept.values_list("created_at__date", "expires_at__date").annotate(size=Sum("size"))
    sums = [storage.keep(table, int(size), max(0, (until - since).days)) for since, until, size in rows]
    priced = [one for one in sums if one is not None]
    return sum(priced, Decimal(0)) if priced else None


def items_of(spec: PipelineSpec, files: int) -> list[tuple[StepSpec, int]]:
    return [(step, files if step.for_each else 1) for step in spec.steps]
