"""What would become of a job, without making it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from orchestration.execution.admission import platform_is_full, workspace_is_full
from orchestration.models import Job, Pause
from orchestration.services.access import find_workspace
from orchestration.services.budgets import check_budget
from orchestration.services.costs import estimate_of, items_of
from orchestration.services.jobs import Checked, Request, checked
from orchestration.states import Role, ScanState, WaitingReason

if TYPE_CHECKING:
    from orchestration.cost.estimate import Estimate
    from orchestration.models import User, Workspace
    from orchestration.spec.model import StepSpec


@dataclass(frozen=True, slots=True)
class JobCheck:
    """`waits` is why it would not start at once, as far as is known now."""

    wanted: Checked
    workspace: Workspace
    steps: list[tuple[StepSpec, int]]
    """Each with the number of its items."""
    estimate: Estimate | None
    active_jobs: int
    waits: list[tuple[WaitingReason, str]]


def check_job(*, user: User, request: Request) -> JobCheck:
    """Raises what `submit` would."""
    workspace = find_workspace(user=user, slug=request.workspace, role=Role.SUBMITTER)
    wanted = checked(user, workspace, request)
    steps = items_of(wanted.spec, len(wanted.files))
    expected = estimate_of(wanted.version.pk, steps)
    with transaction.atomic():
        check_budget(workspace, expected)
    active = Job.objects.active().filter(workspace=workspace).count()
    return JobCheck(wanted, workspace, steps, expected, active, _waits(workspace, wanted, active))


def _waits(workspace: Workspace, wanted: Checked, active: int) -> list[tuple[WaitingReason, str]]:
    found = []
    if held := Pause.objects.holding(workspace.pk, wanted.version.pipeline_id):
        found.append((WaitingReason.PAUSED, held.sentence))
    if unscanned := sum(file.scan_state == ScanState.RECEIVED for file in wanted.files):
        found.append((WaitingReason.SCAN, f"{unscanned:,} of {len(wanted.files):,} files are still to be checked."))
    if active >= workspace.max_active_jobs:
        found.append((WaitingReason.CONCURRENCY, workspace_is_full(workspace)))
    elif Job.objects.active().count() >= settings.MAX_ACTIVE_JOBS:
        found.append((WaitingReason.CONCURRENCY, platform_is_full()))
    return found
