"""The compare-and-set under every move of a Job, StepRun, Item or Attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from orchestration.errors import IllegalMove
from orchestration.models.event import Event
from orchestration.states import FINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import Model


def swap_state(
    row: Any,
    to: str,
    *,
    moves: Mapping[str, frozenset[str]],
    where: Mapping[str, Any] | None = None,
    field: str = "state",
    **changes: Any,
) -> bool:
    """Set `field` to `to` provided the row still has the state this instance was loaded with, and meets `where`.

    False means somebody else moved the row first; the instance is then stale. Times are the database's.
    """
    old = getattr(row, field)
    if to not in moves[old]:
        raise IllegalMove(f"{type(row).__name__} {row.pk} cannot go from {old} to {to}")
    changes[field] = to
    if to in FINISHED:
        changes["finished_at"] = Now()
    model: type[Model] = type(row)
    manager: Any = model._default_manager  # noqa: SLF001  Django's documented name for it
    if not manager.filter(pk=row.pk, **{field: old}, **(where or {})).update(**changes):
        return False
    for name, value in changes.items():
        # An expression (Now(), F() + 1) is the database's business; drop what the instance held.
        if hasattr(value, "resolve_expression"):
            row.__dict__.pop(name, None)
        else:
            setattr(row, name, value)
    return True


def write_events(events: Iterable[Event]) -> None:
    """Part of the caller's transaction: a move and its event are committed together or not at all."""
    Event.objects.bulk_create(events)
