"""How somebody likes her lists of jobs: filters kept by a name, and columns."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models.functions import Now, Upper

from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.models import Job, SavedFilter, User
from orchestration.services.access import require_role
from orchestration.services.job_search import find_jobs
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import Workspace

MOST_FILTERS: Final = 50
"""Of one person in one workspace."""
MOST_NAME: Final = 60
UNDELETE: Final = timedelta(days=1)
COLUMNS: Final = (
    "state", "labels", "files", "by", "priority", "created", "started", "finished", "took", "deadline", "cost",
)  # fmt: skip
"""In the order in which they stand; the job itself is always the first."""
USUAL_COLUMNS: Final = ("state", "files", "by", "created", "took")


def filters_of(*, user: User, workspace: Workspace) -> list[SavedFilter]:
    return list(SavedFilter.objects.visible_to(user).kept().filter(workspace=workspace).order_by(Upper("name")))


@transaction.atomic(durable=True)
def save_filter(*, user: User, workspace: Workspace, name: str, filter: str) -> SavedFilter:  # noqa: A002  its name everywhere
    """Under a name that is taken, it takes that one's place. Raises Forbidden, Invalid."""
    require_role(user=user, workspace=workspace, role=Role.VIEWER)
    wanted, text = _name(name), filter.strip()
    if not text:
        raise Invalid("Write a filter first, then save it.")
    find_jobs(Job.objects.none(), text, user=user)
    _one_at_a_time(user)
    mine = SavedFilter.objects.filter(user=user, workspace=workspace)
    mine.filter(deleted_at__lt=Now() - UNDELETE).delete()
    if (found := mine.kept().filter(name__iexact=wanted).first()) is not None:
        mine.filter(pk=found.pk).update(name=wanted, filter=text)
        found.refresh_from_db()
        return found
    if mine.kept().count() >= MOST_FILTERS:
        raise Invalid(f"You have {MOST_FILTERS} saved filters here. Delete one first.")
    return SavedFilter.objects.create(user=user, workspace=workspace, name=wanted, filter=text)


@transaction.atomic(durable=True)
def rename_filter(*, user: User, filter_id: UUID, name: str) -> SavedFilter:
    """Raises NotFound, Invalid, Conflict (another one is called so)."""
    wanted = _name(name)
    _one_at_a_time(user)
    found = _find(user, filter_id, is_deleted=False)
    _must_be_free(found, wanted)
    SavedFilter.objects.filter(pk=found.pk).update(name=wanted)
    found.refresh_from_db()
    return found


@transaction.atomic(durable=True)
def delete_filter(*, user: User, filter_id: UUID) -> SavedFilter:
    found = _find(user, filter_id, is_deleted=False)
    SavedFilter.objects.filter(pk=found.pk).update(deleted_at=Now())
    return found


@transaction.atomic(durable=True)
def undelete_filter(*, user: User, filter_id: UUID) -> SavedFilter:
    """Raises NotFound (a day has passed, and another was saved since), Conflict (its name is taken by now)."""
    _one_at_a_time(user)
    found = _find(user, filter_id, is_deleted=True)
    _must_be_free(found, found.name)
    SavedFilter.objects.filter(pk=found.pk).update(deleted_at=None)
    return found


def columns_of(user: User) -> tuple[str, ...]:
    """Known ones only: what was chosen may be of another release."""
    chosen = USUAL_COLUMNS if user.job_columns is None else user.job_columns
    return tuple(one for one in COLUMNS if one in chosen)


def choose_columns(*, user: User, columns: Sequence[str] | None) -> None:
    """None: the usual ones."""
    chosen = None if columns is None else [one for one in COLUMNS if one in columns]
    User.objects.filter(pk=user.pk).update(job_columns=chosen)


def _name(name: str) -> str:
    wanted = " ".join(name.split())
    if not 0 < len(wanted) <= MOST_NAME:
        raise Invalid(f"A saved filter needs a name, of at most {MOST_NAME} characters.")
    return wanted


def _one_at_a_time(user: User) -> None:
    """Two of one person at once could both find a name free, or room for one more."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _find(user: User, filter_id: UUID, *, is_deleted: bool) -> SavedFilter:
    mine = SavedFilter.objects.visible_to(user).filter(pk=filter_id, deleted_at__isnull=not is_deleted)
    found: SavedFilter | None = mine.first()
    if found is None:
        raise NotFound("There is no such saved filter of yours.")
    return found


def _must_be_free(saved: SavedFilter, name: str) -> None:
    others = SavedFilter.objects.kept().filter(user=saved.user_id, workspace=saved.workspace_id, name__iexact=name)
    if others.exclude(pk=saved.pk).exists():
        raise Conflict(f"You have a saved filter called {name} already.")
