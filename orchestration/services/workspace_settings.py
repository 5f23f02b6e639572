"""What a workspace is set to: its managers say how long things are kept, administrators what it may use."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction

from orchestration.errors import Forbidden, Invalid
from orchestration.models import Workspace
from orchestration.services.access import require_role
from orchestration.states import BudgetMode, Role

if TYPE_CHECKING:
    from orchestration.models import User

log = logging.getLogger(__name__)

MOST_NAME: Final = 200
MOST_JOBS: Final = 1_000_000
MOST_BYTES: Final = 1 << 60
MOST_USD: Final = Decimal("9999999999.99")
MOST_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    quota_bytes: int | None
    max_active_jobs: int
    budget_usd: Decimal | None
    budget_warn_percent: int
    budget_mode: str


def may_limit(user: User) -> bool:
    """Whoever may in the admin. Not the managers: what a workspace may use is not for it to say."""
    return user.is_staff and user.has_perm("orchestration.change_workspace")


@transaction.atomic(durable=True)
def rename_workspace(*, user: User, workspace: Workspace, name: str) -> None:
    """Its short name, which stands in addresses, stays. Raises Forbidden, Invalid."""
    require_role(user=user, workspace=workspace, role=Role.MANAGER)
    wanted = " ".join(name.split())
    if not 0 < len(wanted) <= MOST_NAME:
        raise Invalid(f"A workspace needs a name, of at most {MOST_NAME} characters.")
    _write(user, workspace, name=wanted)


@transaction.atomic(durable=True)
def set_retention(*, user: User, workspace: Workspace, upload_days: int, result_days: int) -> None:
    """Of files that come from now on: those that are there keep their dates. Raises Forbidden, Invalid."""
    require_role(user=user, workspace=workspace, role=Role.MANAGER)
    for days in (upload_days, result_days):
        if not 1 <= days <= settings.MAX_RETENTION_DAYS:
            raise Invalid(f"Files are kept for 1 to {settings.MAX_RETENTION_DAYS:,} days.")
    _write(user, workspace, upload_retention_days=upload_days, result_retention_days=result_days)


@transaction.atomic(durable=True)
def set_limits(*, user: User, workspace: Workspace, limits: Limits) -> None:
    """Raises Forbidden, Invalid."""
    require_role(user=user, workspace=workspace, role=Role.VIEWER)
    if not may_limit(user):
        raise Forbidden("What a workspace may use is for administrators to say.")
    _check(limits)
    _write(user, workspace, **asdict(limits))


def _check(limits: Limits) -> None:
    if limits.quota_bytes is not None and not 0 <= limits.quota_bytes <= MOST_BYTES:
        raise Invalid("A quota is of 0 bytes to 1 EiB.")
    if not 1 <= limits.max_active_jobs <= MOST_JOBS:
        raise Invalid(f"At once there may be 1 to {MOST_JOBS:,} jobs.")
    if limits.budget_usd is not None and not 0 <= limits.budget_usd <= MOST_USD:
        raise Invalid(f"A budget is of $0 to ${MOST_USD:,}.")
    if not 1 <= limits.budget_warn_percent <= MOST_PERCENT:
        raise Invalid("Managers are warned at 1 to 100 % of the budget.")
    if limits.budget_mode not in set(BudgetMode):
        raise Invalid(f"A budget can {' or '.join(BudgetMode)}.")


def _write(user: User, workspace: Workspace, **changes: Any) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(**changes)
    workspace.refresh_from_db()
    said = {key: str(value) for key, value in changes.items() if key != "name"}
    log.info("workspace changed", extra={"workspace": str(workspace.pk), "user_id": str(user.pk), **said})
