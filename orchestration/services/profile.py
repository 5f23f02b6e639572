"""Who a person says she is, and how she wants to be spoken to."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from orchestration.errors import Invalid
from orchestration.execution.digest import next_digest
from orchestration.models import User
from orchestration.models.bulk import database_now

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME: Final = 150
AREAS: Final = frozenset(
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
"""What has no such area is an old name of something else."""


@cache
def time_zones() -> Mapping[str, tuple[str, ...]]:
    """Names of the tz database by area."""
    known = sorted(name for name in zoneinfo.available_timezones() if name.partition("/")[0] in AREAS)
    return {area: tuple(name for name in known if name.startswith(f"{area}/")) for area in sorted(AREAS)}


@transaction.atomic
def describe(*, user: User, name: str, language: str, time_zone: str) -> None:
    """An empty language or zone: as the browser says."""
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A name has at most {LONGEST_NAME} characters, all of which can be seen.")
    if time_zone not in {"", "UTC"}.union(*time_zones().values()):
        raise Invalid("There is no such time zone.")
    _known(language)
    is_elsewhere = time_zone != user.time_zone
    # Of providers that send both halves, the whole is kept in the first: names do not divide the same way everywhere.
    changes = {"first_name": name.strip(), "last_name": "", "language": language, "time_zone": time_zone}
    _write(user, changes)
    if is_elsewhere:
        # Her daily mail comes at the same hour of the new clock.
        waiting = User.objects.filter(pk=user.pk, digest_next_at__isnull=False)
        waiting.update(digest_next_at=next_digest(user, database_now()))


def speak(*, user: User, language: str) -> None:
    _known(language)
    _write(user, {"language": language})


def _known(language: str) -> None:
    if language and language not in dict(settings.LANGUAGES):
        raise Invalid("Esteira does not speak that language.")


def _write(user: User, changes: dict[str, str]) -> None:
    User.objects.filter(pk=user.pk).update(**changes)
    for column, value in changes.items():
        setattr(user, column, value)
