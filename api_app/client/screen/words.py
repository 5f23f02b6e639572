"""Numbers, times and states in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job, JobBrief, JobListed

MINUTE, HOUR, DAY = 60, 3600, 86400
KIB = 1024

STYLES = {
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "TIMED_OUT": "bold red",
    "CANCELED": "yellow",
    "RUNNING": "cyan",
    "STARTING": "cyan",
    "QUEUED": "blue",
    "WAITING": "blue",
    "SKIPPED": "dim",
}

WHOSE_FAULT = {
    "USER_CODE": "the pipeline's own code failed",
    "INPUT": "the input cannot be processed",
    "RESOURCES": "a limit was reached",
    "INTERRUPTED": "the machine was interrupted",
    "PLATFORM": "the platform's fault, not yours",
}

WAITING_FOR = {
    "scan": "its files are being checked",
    "quota": "the workspace's quota is used up",
    "concurrency": "other jobs of the workspace run first",
    "capacity": "all machines are busy",
    "image": "its software is being fetched",
    "misconfigured": "an administrator has to repair the set-up",
    "schedule": "its time has not come",
    "platform": "the platform is busy",
}


def short(identifier: str) -> str:
    """The end of an id: the beginning of a UUIDv7 is the time, the same for everything of one minute."""
    return identifier.replace("-", "")[-8:]


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < KIB:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= KIB
    return f"{number:.1f} TiB"


def duration(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min {seconds % MINUTE:.0f} s"
    return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"


def between(start: str | None, end: str | None) -> str:
    if not start or not end:
        return ""
    return duration(max(0.0, (_time(end) - _time(start)).total_seconds()))


def due(moment: str | None) -> str:
    """A moment with what is left of the time to it."""
    if not moment:
        return ""
    left = (_time(moment) - datetime.now(UTC)).total_seconds()
    return f"{moment[:16].replace('T', ' ')} UTC" + (f", in {duration(left)}" if left > 0 else ", passed")


def ago(moment: str | None) -> str:
    if not moment:
        return ""
    seconds = (datetime.now(UTC) - _time(moment)).total_seconds()
    if seconds < MINUTE:
        return "just now"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min ago"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h ago"
    return f"{_time(moment):%Y-%m-%d}"


def until(moment: str | None) -> str:
    if not moment:
        return ""
    seconds = (_time(moment) - datetime.now(UTC)).total_seconds()
    if seconds < HOUR:
        return f"in {max(0, seconds) // MINUTE:.0f} min"
    return f"in {seconds // HOUR:.0f} h" if seconds < 2 * DAY else f"in {seconds // DAY:.0f} days"


def _time(moment: str) -> datetime:
    found = datetime.fromisoformat(moment)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def state(job: Job | JobBrief | JobListed) -> str:
    return "canceling" if job["canceling"] and not job["finished_at"] else job["state"]


def waiting(job: Job) -> str:
    """Why a job does not run: "" for one that does."""
    reason = job["waiting_reason"]
    if not reason:
        return ""
    sentence = job["waiting_detail"] or f"{WAITING_FOR.get(reason, reason)}."
    position = job["queue_position"]
    return f"Waiting: {sentence}" + (f" Number {position} in line." if position else "")


def cost(job: Job) -> str:
    """What it has cost, or before that what it may: "" where nothing has a price."""
    found = job.get("cost")
    if not found:
        return ""
    if job["finished_at"] and found["actual_usd"] is not None:
        said = f"cost {dollars(found['actual_usd'])}"
        missing = found["unpriced_attempts"]
        return f"{said}, {count(missing, 'attempt')} without a price" if missing else said
    return f"estimated at {dollars(found['estimate_usd'])}" if found["estimate_usd"] is not None else ""


def dollars(usd: str) -> str:
    """Cents; of less than a dollar hundredths of them."""
    amount = Decimal(usd)
    return f"${amount:,.2f}" if amount == 0 or amount >= 1 else f"${amount:.4f}"


def localized(text: Any) -> str:
    """A title may come in several languages; the command speaks English."""
    if isinstance(text, dict):
        return str(text.get("en") or next(iter(text.values()), ""))
    return str(text or "")
