"""What follows from what has happened: another attempt or an end, and the end of a step and of a job.

States and failure kinds are the words of `orchestration.states`, as plain strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestration.spec.model import RetryPolicy, Spot, Tolerance

LONGEST_DELAY_S = 15 * 60.0
_PENDING = frozenset({"WAITING", "RUNNING"})
_DOUBLINGS = 20  # far past the longest delay; 2 to the power of a wild number is no float


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt, not sooner than after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Settle:
    """The item ends in this state. A failure kind is there if and only if it failed or timed out."""

    state: str
    failure_kind: str | None


def after_attempt(
    policy: RetryPolicy,
    number: int,
    state: str,
    failure_kind: str | None,
    retry_requested: bool,  # noqa: FBT001 - a fact of the attempt, as the runner reports it
    *,
    jitter: float = 1.0,
    spot: Spot | None = None,
) -> Retry | Settle:
    """What attempt `number` (from 1) of an item, which ended in `state`, leads to.

    An interruption on a spot machine leads to the next attempt whatever the policy says: a step that goes there has
    asked for it, and after the last of these attempts another kind of machine is to follow.
    `retry_requested` is exit code 75. `jitter`, from 0 to 1, is the caller's die: the wait is between half
    and all of what the backoff says.
    """
    match state:
        case "SUCCEEDED" | "CANCELED":
            return Settle(state, None)
        case "FAILED" | "TIMED_OUT":
            kind = failure_kind or "PLATFORM"  # who cannot say whose fault it was is at fault
        case _:
            raise ValueError(f"an attempt that is {state} has not ended")
    # The same input fails the same way, whatever the step asks for.
    wants = kind != "INPUT" and (retry_requested or kind in policy.on)
    is_spots = spot is not None and kind == "INTERRUPTED" and number <= spot.attempts
    if is_spots or (wants and number < policy.attempts):
        return Retry(backoff(policy, number, jitter=jitter))
    return Settle(state, kind)


def backoff(policy: RetryPolicy, number: int, *, jitter: float = 1.0) -> float:
    """Seconds to wait after attempt `number`: doubling, capped, shortened by up to a half."""
    whole = min(LONGEST_DELAY_S, policy.backoff_s * 2.0 ** min(number - 1, _DOUBLINGS))
    return whole * (0.5 + 0.5 * min(max(jitter, 0.0), 1.0))


def step_outcome(counts: Mapping[str, int], tolerance: Tolerance | None = None) -> str | None:
    """How a step ends whose items are in these states; None while it goes on.

    Skipped items never ran: they are no success, no failure, and no part of the total of a share.
    """
    present = {state: count for state, count in counts.items() if count}
    if not present or not _PENDING.isdisjoint(present):
        return None
    if "CANCELED" in present:
        return "CANCELED"
    succeeded, failed = present.get("SUCCEEDED", 0), present.get("FAILED", 0)
    lost = failed + present.get("TIMED_OUT", 0)
    allowed = tolerance.allowed(succeeded + lost) if tolerance else 0
    if lost > allowed or (lost and not succeeded):
        return "FAILED" if failed else "TIMED_OUT"
    return "SUCCEEDED" if succeeded else "SKIPPED"


def job_outcome(states: Iterable[str], *, cancel_requested: bool = False) -> str | None:
    """How a job ends whose steps are in these states; None while it goes on.

    An engine may cancel the neighbours of a step that failed. Only when somebody asked for it is a canceled
    step the reason of the end, rather than the failure beside it.
    """
    present = set(states)
    if not present or not _PENDING.isdisjoint(present):
        return None
    ends = ["FAILED", "TIMED_OUT", "CANCELED"]
    if cancel_requested:
        ends.insert(0, "CANCELED")
    # Skipped steps alone: nothing succeeded, so nothing may be called a success.
    return next((end for end in ends if end in present), "SUCCEEDED" if "SUCCEEDED" in present else "FAILED")
