from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.db import models, transaction
from django.db.models import F, Q, Subquery
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.models.event import Event
from orchestration.models.execution import Execution
from orchestration.models.file import File
from orchestration.models.moves import swap_state, write_events
from orchestration.models.pause import is_paused
from orchestration.models.pipeline import PipelineVersion
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.states import (
    JOB_FAILED,
    JOB_FINISHED,
    JOB_MOVES,
    JOB_UNFINISHED,
    EventKind,
    FailureKind,
    JobState,
    WaitingReason,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CLAIM_LASTS: Final = timedelta(seconds=15)
_EXECUTION_NAME: Final = re.compile(r"(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-r(?P<run>[0-9]{1,9})")


class JobQuerySet(InWorkspaceQuerySet["Job"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=JOB_UNFINISHED)

    def active(self) -> Self:
        """Jobs that take a slot of their workspace: counted from rows, never kept in a counter."""
        return self.filter(state__in=JOB_UNFINISHED - {JobState.WAITING})

    def not_handed_over(self) -> Self:
        """Admitted, and no engine has it."""
        return self.filter(state=JobState.QUEUED, execution__isnull=True)

    def to_hand_over(self) -> Self:
        """Jobs that no living dispatcher has in hand, whose next try has come, and that no pause holds."""
        due = (
            Q(claimed_at=None) | Q(claimed_at__lt=Now() - CLAIM_LASTS),
            Q(next_try_at=None) | Q(next_try_at__lte=Now()),
        )
        return self.not_handed_over().filter(*due, ~is_paused(), cancel_requested_at__isnull=True)

    def hand_to(self, execution: Execution) -> int:
        """An engine has begun it for these jobs. In the caller's transaction; the row may be there already."""
        Execution.objects.bulk_create([execution], ignore_conflicts=True)
        return self.update(
            execution=Subquery(Execution.objects.filter(name=execution.name).values("pk")),
            hand_over_tries=0,
            next_try_at=None,
            waiting_reason=WaitingReason.CAPACITY,
            waiting_detail="Waiting for a free machine.",
        )

    def overdue(self) -> Self:
        """Jobs that are to be stopped because their deadline has passed."""
        late = self.filter(deadline__lte=Now(), deadline__isnull=False, cancel_requested_at__isnull=True)
        return late.filter(state__in=JOB_UNFINISHED)

    def untold(self) -> Self:
        """Jobs whose end nobody was mailed yet, that of this run at least."""
        return self.filter(finished_at__isnull=False, told_run__lt=F("run"))


class Job(models.Model):
    """One user-visible run of one PipelineVersion over input Files."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="jobs")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="jobs")
    # Who set its last run going; null: who made it. No key: of somebody who is gone it says that she may not.
    ordered_by = models.UUIDField(null=True, blank=True, editable=False)
    pipeline_version = models.ForeignKey(PipelineVersion, models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=200, blank=True)
    params = models.JSONField(default=dict)
    labels = models.JSONField(default=dict)
    priority = models.SmallIntegerField(default=0)
    inputs = models.ManyToManyField(File, through="JobInput", related_name="used_by")
    input_count = models.PositiveIntegerField(default=0)

    state = models.CharField(max_length=12, choices=[(s, s) for s in JobState], default=JobState.WAITING)
    run = models.PositiveIntegerField(default=1)
    waiting_reason = models.CharField(max_length=16, blank=True)
    waiting_detail = models.CharField(max_length=500, blank=True)
    # When an engine said so, by its own clock: what it said before that is old news.
    waiting_at = models.DateTimeField(null=True, blank=True)
    failure_kind = models.CharField(max_length=12, blank=True)
    failure_detail = models.CharField(max_length=2000, blank=True)
    # A wish, not a state: the job keeps running until its engine says otherwise.
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # Not ended by then, it is stopped; see `is_overdue`.
    deadline = models.DateTimeField(null=True, blank=True)

    execution = models.ForeignKey(Execution, models.PROTECT, null=True, blank=True, related_name="jobs")
    # When a dispatcher last took the job in hand; a claim that led nowhere is taken again.
    claimed_at = models.DateTimeField(null=True, blank=True)
    # Of this run: how often an engine said "later", and when it is asked again.
    hand_over_tries = models.PositiveIntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    progress_event_at = models.DateTimeField(null=True, blank=True)

    idempotency_key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  unique, so "" will not do
    request_digest = models.CharField(max_length=64, blank=True)
    resubmitted_from = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="resubmissions")
    created_at = models.DateTimeField(db_default=Now())
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Of all its runs together, in USD: expected when it was last set going, and the sum of its attempts at its end.
    estimate_usd = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    estimate_basis = models.CharField(max_length=8, blank=True, default="", db_default="")
    cost_usd = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    # The run whose end its submitter was told by mail. A retry adds one to `run`, so its end is told again.
    told_run = models.PositiveIntegerField(default=0, db_default=0)

    # Where in whose trace it was asked for, as W3C writes it; empty: nothing is kept of it.
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="", editable=False)

    # Of one that was made by this very call: its files in their order, which nobody has to read again.
    files_given: Sequence[File] | None = None

    objects: ClassVar = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "idempotency_key"], name="job_once_per_key"),
            models.CheckConstraint(condition=Q(state__in=list(JobState)), name="job_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=JOB_FINISHED, finished_at__isnull=False)
                | (~Q(state__in=JOB_FINISHED) & Q(finished_at__isnull=True)),
                name="job_finished_at_iff_finished",
            ),
            models.CheckConstraint(
                condition=Q(waiting_reason="") | Q(waiting_reason__in=list(WaitingReason)),
                name="job_waiting_reason_known",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state__in=[JobState.FAILED, JobState.TIMED_OUT], failure_kind__in=list(FailureKind))
                    | (~Q(state__in=[JobState.FAILED, JobState.TIMED_OUT]) & Q(failure_kind=""))
                ),
                name="job_failure_kind_iff_failed",
            ),
        ]
        indexes = [
            models.Index(fields=["-priority", "id"], condition=Q(state=JobState.WAITING), name="job_to_admit"),
            models.Index(fields=["-priority", "id"], condition=Q(state=JobState.QUEUED), name="job_to_dispatch"),
            models.Index(
                fields=["workspace", "-priority", "id"],
                condition=Q(state=JobState.QUEUED, execution__isnull=True),
                name="job_to_hand_over",
            ),
            models.Index(fields=["workspace", "state"], condition=Q(state__in=JOB_UNFINISHED), name="job_unfinished"),
            models.Index(fields=["workspace", "-id"], name="job_by_workspace"),
            # Of few, such as those that timed out or are somebody's own, the newest are found without reading all.
            models.Index(fields=["workspace", "state", "-id"], name="job_by_state"),
            models.Index(fields=["workspace", "created_by", "-id"], name="job_by_creator"),
            models.Index(fields=["pipeline_version", "-id"], name="job_by_pipeline"),
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="job_by_end"),
            models.Index(
                fields=["created_by", "state", "finished_at"],
                condition=Q(finished_at__isnull=False, told_run__lt=F("run")),
                name="job_to_tell",
            ),
            models.Index(
                fields=["deadline"],
                condition=Q(state__in=JOB_UNFINISHED, deadline__isnull=False, cancel_requested_at__isnull=True),
                name="job_with_deadline",
            ),
            # Over all workspaces, the newest of few.
            models.Index(fields=["failure_kind", "-id"], condition=~Q(failure_kind=""), name="job_by_failure"),
            models.Index(fields=["waiting_reason", "-id"], condition=~Q(waiting_reason=""), name="job_by_wait"),
            models.Index(fields=["deadline"], condition=Q(deadline__isnull=False), name="job_by_deadline"),
            models.Index(
                fields=["-id"],
                condition=Q(state__in=JOB_UNFINISHED, cancel_requested_at__isnull=False),
                name="job_canceling",
            ),
            # What a filter asks for: jobs with labels are few. (By words of names: `job_by_word`, of migration 0043.)
            GinIndex(fields=["labels"], condition=~Q(labels={}), name="job_by_label"),
            # What went wrong of late, and how much did.
            models.Index(
                fields=["workspace", "-finished_at"],
                condition=Q(state__in=sorted(JOB_FAILED)),
                name="job_failed_of_late",
            ),
            # What a workspace has spent in a month, and how much has ended, is read from here alone.
            models.Index(
                fields=["workspace", "finished_at"],
                include=["cost_usd", "state"],
                condition=Q(finished_at__isnull=False),
                name="job_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    @property
    def is_finished(self) -> bool:
        return self.state in JOB_FINISHED

    @property
    def is_canceling(self) -> bool:
        return self.cancel_requested_at is not None and not self.is_finished

    @property
    def is_overdue(self) -> bool:
        """It is being stopped, or was, because it had not ended by its deadline; whoever asked for that later."""
        if self.deadline is None or self.cancel_requested_at is None:
            return False
        return self.cancel_requested_at >= self.deadline

    @property
    def version(self) -> str:
        """Another one after each move, wish or edit, each of which has its event; progress is none."""
        said = (
            str(self.state),
            self.run,
            self.cancel_requested_at,
            self.deadline,
            self.name,
            self.labels,
            self.priority,
        )
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    @property
    def execution_name(self) -> str:
        return f"{self.pk}-r{self.run}"

    @staticmethod
    def run_of(execution_name: str) -> tuple[UUID, int] | None:
        """The job's id and its run, by a name of ours; None for anybody else's."""
        found = _EXECUTION_NAME.fullmatch(execution_name)
        return (UUID(found["job"]), int(found["run"])) if found else None

    def event(self, kind: EventKind, **fields: Any) -> Event:
        """An unsaved event of this job."""
        return Event(workspace_id=self.workspace_id, job_id=self.pk, kind=kind, **fields)

    def move(self, to: JobState, *, reason: str = "", **changes: Any) -> bool:
        """Go to `to` with its event, in one transaction. False: somebody else moved the job first."""
        old = self.state
        if to != JobState.WAITING:
            changes = {"waiting_reason": "", "waiting_detail": ""} | changes
        with transaction.atomic(savepoint=False):
            if not swap_state(self, to, moves=JOB_MOVES, **changes):
                return False
            data = {k: changes[k] for k in ("failure_kind", "failure_detail", "run") if changes.get(k)}
            write_events([self.event(EventKind.JOB, old=old, new=to, reason=reason[:500], data=data)])
        return True


class JobInput(models.Model):
    """The files of a job, in the order they were given; the position is the item's index in a fan-out."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="job_inputs")
    file = models.ForeignKey(File, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="job_input_position_once")]

    def __str__(self) -> str:
        return f"{self.position}: {self.file_id}"
