"""When a job is to have ended: said as a moment or as seconds from now, by the database's clock."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.errors import Invalid
from orchestration.models.bulk import database_now

if TYPE_CHECKING:
    from datetime import datetime

LONGEST: Final = timedelta(days=366)


def chosen_deadline(deadline: datetime | None, seconds: int | None, *, now: datetime | None = None) -> datetime | None:
    """Raises Invalid for both, and for what has passed or is more than a year away. `now`: where it is known."""
    if deadline is not None and seconds is not None:
        raise Invalid("Say `deadline` or `deadline_s`, not both.")
    if deadline is None and seconds is None:
        return None
    now = now or database_now()
    chosen = deadline or now + timedelta(seconds=seconds or 0)
    if chosen <= now:
        raise Invalid(f"The deadline {chosen.isoformat()} has passed already.", errors=[_where("has passed")])
    if chosen > now + LONGEST:
        raise Invalid("A deadline is at most 366 days away.", errors=[_where("too far away")])
    return chosen.astimezone(UTC)


def _where(said: str) -> dict[str, object]:
    return {"loc": ["deadline"], "msg": said}
