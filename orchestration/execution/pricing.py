"""What an attempt has cost, written in the statement that ends it: its time is the database's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Case, DecimalField, DurationField, ExpressionWrapper, F, OuterRef, Value, When
from django.db.models.functions import Cast, Ceil, Coalesce, Extract, Now

from orchestration.cost.compute import is_spot, rate
from orchestration.models.budget import cost_so_far

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable
    from orchestration.models import Attempt
    from orchestration.spec.model import StepSpec

USD: Any = DecimalField(max_digits=18, decimal_places=8)
RATE: Any = DecimalField(max_digits=24, decimal_places=16)


def price_of_end(step: StepSpec, attempt: Attempt) -> dict[str, Any]:
    """Changes of an attempt that ends now; none where nothing here has a price. One that never began cost nothing."""
    table: PriceTable | None = settings.PRICES
    on_spot = is_spot(step, attempt.number) if attempt.on_spot is None else attempt.on_spot
    per_second = rate(table, step.resources, spot=on_spot) if table else None
    if table is None or per_second is None:
        return {}
    ran = ExpressionWrapper(Now() - F("started_at"), output_field=DurationField())
    seconds = Cast(Ceil(Extract(ran, "epoch")), RATE)
    usd = ExpressionWrapper(seconds * Value(per_second, output_field=RATE), output_field=USD)
    began = Case(When(started_at__isnull=True, then=Value(0, output_field=USD)), default=usd, output_field=USD)
    return {"cost_usd": began, "priced_by": table.label}


def price_of_job() -> dict[str, Any]:
    """Changes of a job that ends now: all its attempts together."""
    if settings.PRICES is None:
        return {}
    return {"cost_usd": Coalesce(cost_so_far(OuterRef("pk")), F("cost_usd"))}
