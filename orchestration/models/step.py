from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.db.models import Q

from orchestration.ids import new_id
from orchestration.models.job import Job
from orchestration.states import FINISHED, WorkState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


class StepRun(models.Model):
    """The occurrence of a step in a job. `run` is the job's run that last set it going."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="steps")
    name = models.CharField(max_length=63)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=[(s, s) for s in WorkState], default=WorkState.WAITING)
    run = models.PositiveIntegerField(default=1)
    items_total = models.PositiveIntegerField(default=1)
    failure_kind = models.CharField(max_length=12, blank=True)
    failure_detail = models.CharField(max_length=2000, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "name"], name="step_once_per_job"),
            models.CheckConstraint(condition=Q(state__in=list(WorkState)), name="step_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=FINISHED, finished_at__isnull=False)
                | (~Q(state__in=FINISHED) & Q(finished_at__isnull=True)),
                name="step_finished_at_iff_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    def indexes_of_run(self) -> Sequence[int]:
        """The items that `run` is about, in order: the same before its attempts are written, meanwhile and after.

        An item that an earlier run settled is not among them; one that is skipped, for want of a source, is.
        """
        if self.run == 1:
            return range(self.items_total)
        of_run = models.Exists(Item.objects.filter(pk=models.OuterRef("pk"), attempts__run=self.run))
        settled = self.items.filter(state__in=FINISHED - {WorkState.SKIPPED}).exclude(of_run)
        kept = set(settled.order_by().values_list("index", flat=True))
        return [index for index in range(self.items_total) if index not in kept]


class ItemQuerySet(models.QuerySet["Item"]):
    def unfinished(self) -> Self:
        return self.exclude(state__in=FINISHED)

    def counts(self, step_run_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
        """Items by state for each step run, in one query."""
        rows = (
            self.filter(step_run__in=step_run_ids)
            .values_list("step_run", "state")
            .annotate(n=models.Count("pk"))
            .order_by()
        )
        found: dict[UUID, dict[str, int]] = {step_run: {} for step_run in step_run_ids}
        for step_run, state, n in rows:
            found[step_run][state] = n
        return found


class Item(models.Model):
    """One piece of a StepRun's work. A step that does not fan out has exactly one, index 0."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    step_run = models.ForeignKey(StepRun, models.CASCADE, related_name="items")
    index = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=[(s, s) for s in WorkState], default=WorkState.WAITING)
    failure_kind = models.CharField(max_length=12, blank=True)
    failure_detail = models.CharField(max_length=2000, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["step_run", "index"], name="item_once_per_step"),
            models.CheckConstraint(condition=Q(state__in=list(WorkState)), name="item_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=FINISHED, finished_at__isnull=False)
                | (~Q(state__in=FINISHED) & Q(finished_at__isnull=True)),
                name="item_finished_at_iff_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["step_run"], condition=~Q(state__in=FINISHED), name="item_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.index} ({self.state})"
