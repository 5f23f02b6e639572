"""All areas in the order in which they stand on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.findings import ERROR, SKIPPED, Finding
from project.doctor import belt, engine, files, others
from project.doctor.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Area:
    examine: Callable[[], Iterator[Finding]]
    needs_database: bool = False


AREAS: Final = {
    "settings": Area(others.configuration),
    "database": Area(lambda: Database().examine()),
    "files": Area(files.examine),
    "work": Area(belt.examine, needs_database=True),
    "engine": Area(engine.examine),
    "scanner": Area(others.scanner),
    "mail": Area(others.mail),
}


def examine(names: Sequence[str] = tuple(AREAS)) -> Iterator[tuple[str, Finding]]:
    """Each finding with its area, as it comes. What stands on the database is left out while that is away."""
    is_away = False
    for name in names:
        area = AREAS[name]
        if area.needs_database and is_away:
            yield name, Finding("all", SKIPPED, "Not tried: it stands on the database.")
            continue
        for finding in _all_of(name, area):
            is_away = is_away or (name == "database" and finding.level == ERROR)
            yield name, finding


def _all_of(name: str, area: Area) -> Iterator[Finding]:
    """A check that breaks itself ends its own area only: the others may be what somebody looks for."""
    try:
        yield from area.examine()
    except Exception as exc:  # noqa: BLE001  whatever it is, the areas after it are still to be told
        # By its kind alone: what it says may quote an address with its password.
        yield Finding(
            "not looked at",
            ERROR,
            f"The look at it ended in {type(exc).__name__}.",
            causes=("something is wrong in a way that is not known here yet", "a library or a file of it is missing"),
            command=f"python manage.py check; then report {type(exc).__name__} in area {name}",
        )
