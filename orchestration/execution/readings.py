"""What administrators see at a glance and what takes seconds to ask, asked by a worker now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now

from orchestration.execution.leader import leading
from orchestration.models import File, Reading, Workspace
from orchestration.models.tally import STORAGE
from orchestration.models.unfinished import MOST_COUNTED, MOST_LIVE, UNFINISHED, count_unfinished, has_more_unfinished
from orchestration.models.usage import reserved_bytes, stored_bytes

if TYPE_CHECKING:
    from datetime import datetime

QUOTAS: Final = "quotas"
MOST_QUOTAS: Final = 200


def read_all() -> None:
    with leading("readings") as leader:
        if leader:
            _keep(STORAGE, _storage())
            if leader.stay():
                _keep(QUOTAS, _quotas())


def read_unfinished() -> None:
    """Of a long queue alone: any other is counted by whoever looks."""
    if not has_more_unfinished(MOST_LIVE):
        Reading.objects.filter(name=UNFINISHED).delete()
        return
    with leading("unfinished") as leader:
        if leader:
            _keep(UNFINISHED, count_unfinished(MOST_COUNTED))


def _keep(name: str, value: Any) -> None:
    Reading.objects.update_or_create(name=name, defaults={"value": value, "at": Now()})


def _storage() -> list[dict[str, Any]]:
    kept = File.objects.filter(purged_at__isnull=True).order_by().values("storage")
    rows = kept.annotate(
        files=Count("pk"),
        bytes=Sum("size"),
        bad=Count("pk", filter=Q(damaged_at__isnull=False)),
        unread_since=Min("verified_at", filter=~Q(sha256="")),
    )
    return [{**row, "bytes": int(row["bytes"]), "unread_since": _said(row["unread_since"])} for row in rows]


def _said(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _quotas() -> list[dict[str, Any]]:
    limited = Workspace.objects.filter(quota_bytes__isnull=False).order_by("slug")[:MOST_QUOTAS]
    return [
        {"workspace": one.slug, "used": stored_bytes(one) + reserved_bytes(one), "quota": one.quota_bytes}
        for one in limited
    ]
