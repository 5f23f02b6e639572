"""Which processes there are, as their connections to the database tell, and when each was last heard of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from orchestration.models import Leadership

if TYPE_CHECKING:
    from datetime import datetime

    from django_stubs_ext import StrOrPromise

# A connection that is idle was last heard of when its last statement ended; one that listens says nothing meanwhile.
_CONNECTED: Final = """
SELECT application_name, coalesce(host(client_addr), ''), count(*), min(backend_start),
  max(CASE WHEN state = 'active' THEN clock_timestamp() ELSE greatest(backend_start, state_change) END)
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
GROUP BY 1, 2 ORDER BY 1, 2"""
_DOES: Final = {
    "web": _("pages, API, live connections"),
    "worker": _("everything that is done in the background"),
    "beat": _("the clock: sends what is due"),
    "engine": _("runs steps on its machine"),
    "events": _("takes the engine's events"),
}


@dataclass(frozen=True, slots=True)
class Process:
    """`connections` 0: there is none that is connected."""

    name: str
    does: StrOrPromise
    address: str = ""
    connections: int = 0
    since: datetime | None = None
    heard_at: datetime | None = None


def processes() -> list[Process]:
    """Those that must be there first, also where they are not."""
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTED)
        found = [Process(row[0], _DOES.get(row[0], ""), *row[1:]) for row in cursor.fetchall()]
    needed = expected()
    names = {one.name for one in found}
    absent = [Process(name, _DOES[name]) for name in needed if name not in names]
    return sorted([*found, *absent], key=lambda one: needed.index(one.name) if one.name in needed else len(needed))


def expected() -> list[str]:
    names = ["web", "worker", "beat"]
    names += ["engine"] * (settings.ENGINE == "local")
    return names + ["events"] * bool(settings.EVENTS_QUEUE)


def duties() -> list[Leadership]:
    """What one process at a time does, and until when it said so last."""
    return list(Leadership.objects.order_by("duty"))
