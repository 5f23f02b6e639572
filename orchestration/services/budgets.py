"""Whether a workspace may spend more this month. Jobs that run go on whatever the answer is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from orchestration.cost.wording import dollars
from orchestration.errors import BudgetExceeded
from orchestration.models import Workspace
from orchestration.models.budget import standing_of
from orchestration.states import BudgetMode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.cost.estimate import Estimate


def check_budget(workspace: Workspace, more: Estimate | None) -> None:
    """Raises BudgetExceeded. In the transaction that writes the job: two at once cannot both take what is left.

    What is to be spent is the estimate, so a job that may cost more than is left is not begun.
    """
    if workspace.budget_usd is None or workspace.budget_mode != BudgetMode.BLOCK:
        return
    locked = Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    standing = standing_of(locked)
    if standing is None or not standing.blocks:
        return
    wanted = more.usd if more else Decimal(0)
    if standing.used + wanted <= standing.budget and not standing.is_used_up:
        return
    raise BudgetExceeded(
        f"Workspace {locked.slug} may spend {dollars(standing.budget)} in {standing.month:%B %Y}: "
        f"{dollars(standing.spent)} are spent, {dollars(standing.expected)} are expected of open jobs, and this job "
        f"may cost {dollars(wanted)}. Ask an administrator to raise the budget, or wait for the next month. "
        "Jobs that were submitted before go on.",
        budget={
            "month": f"{standing.month:%Y-%m}",
            "budget_usd": str(standing.budget),
            "spent_usd": str(standing.spent),
            "expected_usd": str(standing.expected),
            "wanted_usd": str(wanted),
        },
    )


def check_budgets(wanted: Iterable[tuple[Workspace, Estimate | None]]) -> None:
    """Of jobs that are all to be written or none: as above, for the sum of each workspace's."""
    sums: dict[Workspace, Estimate | None] = {}
    for workspace, one in wanted:
        so_far = sums.setdefault(workspace, None)
        if one is not None:
            sums[workspace] = replace(one, usd=one.usd + so_far.usd) if so_far else one
    # In one order: two calls that each held what the other wants would wait for ever.
    for workspace in sorted(sums, key=lambda one: one.pk):
        check_budget(workspace, sums[workspace])
