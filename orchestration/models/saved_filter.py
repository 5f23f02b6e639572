from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.search import MOST_LETTERS

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own, of workspaces that one is still in."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(user=user, workspace__in=Workspace.objects.visible_to(user))

    def kept(self) -> Self:
        return self.filter(deleted_at__isnull=True)


class SavedFilter(models.Model):
    """A filter that a person keeps by a name in one workspace. For a day a deleted one can be brought back."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="saved_filters")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    filter = models.CharField(max_length=MOST_LETTERS)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = SavedFilterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "user", "workspace", Upper("name"), condition=Q(deleted_at__isnull=True), name="saved_filter_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
