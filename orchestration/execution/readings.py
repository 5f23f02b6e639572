"""What administrators see at a glance and what takes seconds to ask, asked by a worker now and then."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.db.models.functions import Now

from orchestration.execution.leader import leading
from orchestration.models import File, Reading, Workspace
from orchestration.models.usage import reserved_bytes, stored_bytes

STORAGE: Final = "storage"
QUOTAS: Final = "quotas"
MOST_QUOTAS: Final = 200


def read_all() -> None:
    with leading("readings") as leader:
        if leader:
            _keep(STORAGE, _storage())
            if leader.stay():
                _keep(QUOTAS, _quotas())


def _keep(name: str, value: Any) -> None:
    Reading.objects.update_or_create(name=name, defaults={"value": value, "at": Now()})


def _storage() -> list[dict[str, Any]]:
    kept = File.objects.filter(purged_at__isnull=True).order_by().values("storage")
    rows = kept.annotate(files=Count("pk"), bytes=Sum("size"), bad=Count("pk", filter=Q(damaged_at__isnull=False)))
    return [{**row, "bytes": int(row["bytes"])} for row in rows]


def _quotas() -> list[dict[str, Any]]:
    limited = Workspace.objects.filter(quota_bytes__isnull=False).order_by("slug")[:MOST_QUOTAS]
    return [
        {"workspace": one.slug, "used": stored_bytes(one) + reserved_bytes(one), "quota": one.quota_bytes}
        for one in limited
    ]
