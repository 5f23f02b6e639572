"""Why a Batch job stands in its queue, in AWS's words and in ours.

https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from typing import Final

from orchestration.states import WaitingReason

_SAYS: Final = (
    (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        WaitingReason.CAPACITY,
        "AWS has no machine free of the kinds that its queue may use.",
    ),
    (
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        WaitingReason.MISCONFIGURED,
        "It needs more processors than its queue may use at all. An administrator has to raise that.",
    ),
    (
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        WaitingReason.MISCONFIGURED,
        "No machine of its queue has the processors, memory or GPUs that it needs. An administrator has to add one.",
    ),
    (
        "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS",
        WaitingReason.MISCONFIGURED,
        "AWS Batch may not start machines here. An administrator has to grant it to its service role.",
    ),
    ("CAPACITY:", WaitingReason.CAPACITY, "AWS has no machine free for it."),
    ("MISCONFIGURATION:", WaitingReason.MISCONFIGURED, "An administrator has to repair the set-up of AWS Batch."),
)


def waiting_for(status_reason: str) -> tuple[WaitingReason, str] | None:
    """The reason and a sentence; None for what is no sign of trouble."""
    found = next(((reason, says) for begin, reason, says in _SAYS if status_reason.startswith(begin)), None)
    return (found[0], f"{found[1]} ({status_reason})") if found else None


def blocked_by(status_reason: str) -> tuple[WaitingReason, str]:
    """The same of a job that AWS itself says to block its queue, whatever it gives for a reason."""
    return waiting_for(status_reason) or (
        WaitingReason.CAPACITY,
        f"AWS Batch cannot start it, and does not say more. ({status_reason})",
    )
