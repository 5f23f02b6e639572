"""What AWS tells of the engine's work by itself: sooner than anybody would ask, and never the only way to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.events import blocked_piece_in, execution_in, piece_in
from orchestration.errors import EventRefused
from orchestration.execution.witness import settle, witness
from orchestration.points import point

if TYPE_CHECKING:
    from collections.abc import Mapping


def record_batch_job(*, event: Mapping[str, Any]) -> int:
    """What ended with it, recorded; any number of times. Raises EventRefused."""
    repairs = witness(piece_in(event, cell=_cell()))
    point("events.recorded")
    return repairs


def record_blocked_queue(*, event: Mapping[str, Any]) -> int:
    """Why the job at its head waits, shown on that job; any number of times. Raises EventRefused."""
    repairs = witness(blocked_piece_in(event, cell=_cell()))
    point("events.recorded")
    return repairs


def record_execution(*, event: Mapping[str, Any]) -> int:
    """What it will not start any more, recorded; any number of times. Raises EventRefused."""
    repairs = settle(execution_in(event, cell=_cell()))
    point("events.recorded")
    return repairs


def _cell() -> Cell:
    if not settings.AWS_CELL:
        raise EventRefused("An event of an engine on AWS, and jobs do not run there (ESTEIRA_ENGINE).")
    return Cell(**settings.AWS_CELL)
