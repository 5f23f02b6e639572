"""The managers of a workspace are told when its storage is nearly full, and when it is: of each once a month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.notifying import managers_in, tell_once
from orchestration.models import Workspace
from orchestration.models.bulk import database_now
from orchestration.models.usage import usage_of
from orchestration.spec.units import readable_size
from orchestration.states import NotificationKind

if TYPE_CHECKING:
    from datetime import datetime

MARKS: Final = (100, 90)
"""Per cent of the quota."""


def tell_of_quotas() -> int:
    """The number of people who were told."""
    told, now = 0, database_now()
    for workspace in Workspace.objects.filter(quota_bytes__gt=0).order_by("pk"):
        with one_at_a_time(workspace.pk):
            told += _tell(workspace, now)
    return told


def _tell(workspace: Workspace, now: datetime) -> int:
    quota, used = workspace.quota_bytes or 1, usage_of(workspace).used_bytes
    percent = used * 100 // quota
    mark = next((one for one in MARKS if percent >= one), None)
    if mark is None:
        return 0
    return tell_once(
        kind=NotificationKind.QUOTA,
        workspace_id=workspace.pk,
        people=managers_in(workspace.pk),
        group=f"{now:%Y-%m}/{quota}/{mark}",
        data={
            "percent": percent,
            "used_bytes": used,
            "quota_bytes": quota,
            # As a release before this one reads it.
            "used": readable_size(used),
            "quota": readable_size(quota),
        },
    )
