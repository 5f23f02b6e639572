from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.job import Job
from orchestration.models.scoping import InWorkspaceQuerySet
from orchestration.models.step import Item
from orchestration.states import ATTEMPT_FINISHED, ATTEMPT_LIVE, AttemptState, EventKind

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models.event import Event


class AttemptQuerySet(InWorkspaceQuerySet["Attempt"]):
    workspace_path = "job__workspace"

    def unfinished(self) -> Self:
        return self.exclude(state__in=ATTEMPT_FINISHED)

    def live(self) -> Self:
        return self.filter(state__in=ATTEMPT_LIVE)

    def held_by(self, attempt_id: UUID, fence: int) -> Self:
        """The attempt, if whoever holds `fence` still owns it. Empty: the caller is a zombie."""
        return self.live().filter(pk=attempt_id, fence=fence)


class Attempt(models.Model):
    """One try of one Item.

    `fence` grows with each lease; the runner's token carries it, so an old holder can change nothing.
    Leases and `available_at` are in database time. `pid_started` is the process's start in clock ticks
    since boot, with the boot id: a pid alone may be somebody else's.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="attempts")
    item = models.ForeignKey(Item, models.CASCADE, related_name="attempts")
    step = models.CharField(max_length=63)
    item_index = models.PositiveIntegerField(default=0)
    run = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    priority = models.SmallIntegerField(default=0)
    vcpu = models.FloatField(default=1.0)
    memory_bytes = models.BigIntegerField(default=1 << 30)

    state = models.CharField(max_length=12, choices=[(s, s) for s in AttemptState], default=AttemptState.QUEUED)
    available_at = models.DateTimeField(db_default=Now())
    fence = models.PositiveIntegerField(default=0)
    leased_by = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    pid = models.PositiveIntegerField(null=True, blank=True)
    pid_started = models.CharField(max_length=64, blank=True)

    # Whether on a machine that may be taken away; null: nobody says.
    on_spot = models.BooleanField(null=True, blank=True)

    exit_code = models.IntegerField(null=True, blank=True)
    failure_kind = models.CharField(max_length=12, blank=True)
    detail = models.CharField(max_length=2000, blank=True)
    progress = models.FloatField(default=0.0)
    message = models.CharField(max_length=500, blank=True)
    log_size = models.BigIntegerField(default=0)
    usage = models.JSONField(default=dict)
    # What it cost when it ended, and by which table of prices; null: nothing here has a price.
    cost_usd = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    priced_by = models.CharField(max_length=80, blank=True, default="", db_default="")

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = AttemptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "run", "number"], name="attempt_once_per_number"),
            # The guard against two tries of one item at the same time.
            models.UniqueConstraint(
                fields=["item"], condition=~Q(state__in=ATTEMPT_FINISHED), name="attempt_one_open_per_item"
            ),
            models.CheckConstraint(condition=Q(state__in=list(AttemptState)), name="attempt_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=ATTEMPT_FINISHED, finished_at__isnull=False)
                | (~Q(state__in=ATTEMPT_FINISHED) & Q(finished_at__isnull=True)),
                name="attempt_finished_at_iff_finished",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=ATTEMPT_LIVE) | (~Q(leased_by="") & Q(lease_until__isnull=False)),
                name="attempt_live_has_lease",
            ),
        ]
        indexes = [
            # What the supervisor polls: item 0 of every job before item 1 of any, so jobs share fairly.
            models.Index(
                fields=["-priority", "item_index", "id"],
                condition=Q(state=AttemptState.QUEUED),
                name="attempt_to_lease",
            ),
            models.Index(fields=["lease_until"], condition=Q(state__in=ATTEMPT_LIVE), name="attempt_leased"),
            models.Index(fields=["job", "id"], name="attempt_by_job"),
        ]

    def __str__(self) -> str:
        return f"{self.step}[{self.item_index}] r{self.run}#{self.number} ({self.state})"

    @property
    def log_key(self) -> str:
        """Where its log lies, in storage `logs`."""
        return f"{self.pk.hex[-2:]}/{self.pk}"

    def event(self, new: str, *, old: str, reason: str = "", data: dict[str, Any] | None = None) -> Event:
        """An unsaved event of this attempt's move."""
        return self.job.event(
            EventKind.ATTEMPT,
            step=self.step,
            item=self.item_index,
            attempt_id=self.pk,
            old=old,
            new=new,
            reason=reason[:500],
            data={"run": self.run, "number": self.number} | (data or {}),
        )
