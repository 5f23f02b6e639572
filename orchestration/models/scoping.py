"""Rows that a user may touch come only from `visible_to(user)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from orchestration.models.account import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from orchestration.models.account import User


class InWorkspaceQuerySet[M: models.Model](models.QuerySet[M]):
    """For models with a `workspace` column; others name the way to it in `workspace_path`."""

    workspace_path = "workspace"

    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated:
            return self.none()
        if user.sees_all:
            return self
        return self.filter(**{f"{self.workspace_path}__in": Workspace.objects.visible_to(user)})
