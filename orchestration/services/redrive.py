"""Letting an execution go on that the engine has given up while its job has not ended: an operator's, with a reason.

What people ask for is a retry, which starts from our own record in the next run. This is for the case that the
engine itself was at fault and its execution ended under a job that could go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.registry import get_engine
from orchestration.errors import Conflict, EngineRejected, Forbidden, Invalid, OrchestrationError
from orchestration.models import Execution, Job
from orchestration.models.audit import write_audit
from orchestration.models.execution import LOCAL
from orchestration.models.moves import write_events
from orchestration.points import point
from orchestration.services.retention import MAX_REASON
from orchestration.states import AuditAction, EventKind

if TYPE_CHECKING:
    from orchestration.models import User


def redrive(*, user: User, job: Job, reason: str) -> Job:
    """Raises Forbidden, Invalid without a reason, Conflict where it cannot be, EngineUnavailable: ask again."""
    if not user.is_superuser and not user.has_perm("orchestration.change_job"):
        raise Forbidden("Only an operator redrives executions.")
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON:
        raise Invalid(f"Say why, in at most {MAX_REASON} characters: it is kept with the job.")
    found: Job = Job.objects.select_related("execution", "workspace").get(pk=job.pk)
    execution = _redrivable(found)
    spec = ExecutionSpec(name=execution.name, job_id=found.pk, run=found.run, again=True)
    # Before the call: whoever is killed over it has left his name.
    with transaction.atomic():
        _note(found, f"redrive asked by {user.username}: {reason}", user)
        write_audit(
            AuditAction.JOB_REDRIVEN, by=user, workspace=found.workspace, about=found, name=found.name,
            after={"reason": reason, "execution": execution.name},
        )  # fmt: skip
    point("redrive.noted")
    try:
        get_engine(execution.engine).start(spec)
    except OrchestrationError as exc:
        _note(found, f"not redriven: {exc}", user)
        if isinstance(exc, EngineRejected):
            raise Conflict(f"This execution cannot be redriven. {exc}") from exc
        raise
    point("redrive.started")
    # It runs again: if its job has ended meanwhile, it is to be ended like any other.
    again = {"settled_at": None, "stop_asked_at": None, "stop_tried_at": None, "stop_heard_at": None}
    Execution.objects.filter(pk=execution.pk).update(redriven_at=Now(), **again)
    return found


def _redrivable(job: Job) -> Execution:
    if job.is_finished:
        raise Conflict(f"The job has ended: {job.state}. A retry goes on from its failed steps, in the next run.")
    if job.is_canceling:
        raise Conflict("The job is being canceled.")
    execution: Execution | None = job.execution
    if execution is None:
        raise Conflict("The job has not been handed over to an engine yet.")
    if execution.engine == LOCAL:
        raise Conflict("The engine on this machine goes on by itself; it has nothing to redrive.")
    return execution


def _note(job: Job, reason: str, user: User) -> None:
    data = {"actor": user.username, "execution": job.execution_name}
    write_events([job.event(EventKind.JOB, old=job.state, new=job.state, reason=reason[:500], data=data)])
