"""Finding rows for a person, and refusing in one way. Somebody else's row is as good as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import F

from orchestration.errors import Forbidden, NotFound, OutsideToken
from orchestration.models import Attempt, File, Job, Workspace
from orchestration.models.ready import Ready
from orchestration.states import ROLE_RANK, Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.models import User


def _workspaces(user: User, slug: str = "") -> QuerySet[Workspace]:
    mine = Workspace.objects.visible_to(user).order_by("id")
    if not user.is_superuser:
        mine = mine.annotate(my_role=F("memberships__role"))  # the join that visible_to made: one row of it is mine
    return mine.filter(slug=slug)[:1] if slug else mine[:1]


OLDEST_PLACE: Final = Ready(_workspaces)
NAMED_PLACE: Final = Ready(_workspaces, slug=str)


def find_workspace(*, user: User, slug: str = "", role: Role = Role.VIEWER) -> Workspace:
    """The named workspace, or the oldest of a user who names none. Raises Forbidden below `role`."""
    found = NAMED_PLACE(user, slug=slug) if slug else OLDEST_PLACE(user)
    workspace = found[0] if found else None
    if workspace is None:
        kind = OutsideToken if slug and user.bound_to else NotFound
        raise kind(f"There is no workspace {slug!r} that you may see." if slug else "You have no workspace yet.")
    has = Role.MANAGER if user.is_superuser else workspace.__dict__["my_role"]
    if ROLE_RANK[has] < ROLE_RANK[role]:
        raise Forbidden(f"That needs the role {role} in workspace {workspace.slug}.")
    return workspace


def require_role(*, user: User, workspace: Workspace, role: Role) -> None:
    if not workspace.lets(user, role):
        raise Forbidden(f"That needs the role {role} in workspace {workspace.slug}.")


def find_job(*, user: User, job_id: UUID) -> Job:
    job: Job | None = (
        Job.objects.visible_to(user)
        .select_related("pipeline_version__pipeline", "workspace", "created_by")
        .filter(pk=job_id)
        .first()
    )
    if job is None:
        raise NotFound("There is no such job that you may see.")
    return job


def find_file(*, user: User, file_id: UUID) -> File:
    file: File | None = File.objects.visible_to(user).filter(pk=file_id, deleted_at__isnull=True).first()
    if file is None:
        raise NotFound("There is no such file that you may see.")
    return file


def find_recorded_file(*, user: User, file_id: UUID) -> File:
    """As `find_file`, and also one that is deleted or whose bytes are destroyed: its row stays."""
    files = File.objects.visible_to(user).select_related("workspace", "created_by")
    file: File | None = files.filter(pk=file_id).first()
    if file is None:
        raise NotFound("There is no such file that you may see.")
    return file


def find_attempt(*, user: User, attempt_id: UUID) -> Attempt:
    attempt: Attempt | None = Attempt.objects.visible_to(user).select_related("job").filter(pk=attempt_id).first()
    if attempt is None:
        raise NotFound("There is no such attempt that you may see.")
    return attempt
