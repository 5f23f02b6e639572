"""Whose a token or ticket is, as far as this process knows: a request too many is refused without the database.

Nobody is let in by this: every request that passes is authenticated as ever.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings

from orchestration.models import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from api_app.gate import Credential
    from orchestration.models import User

MOST: Final = 10_000
MOST_WORKSPACES: Final = 100
REFRESH_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """`workspaces` are the slugs that a request may count for; the first is meant where none is named."""

    user: UUID
    workspaces: tuple[str, ...]
    learned_at: float


def digest(scheme: str, secret: str) -> bytes:
    """A dump of this process's memory must hold no list of tokens."""
    return hashlib.sha256(f"{scheme} {secret}".encode()).digest()


class Known:
    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._callers)

    def find(self, key: bytes) -> Caller | None:
        with self._lock:
            if key in self._callers:
                self._callers.move_to_end(key)
            return self._callers.get(key)

    def learn(self, scheme: str, secret: str, user: User, only: str = "") -> None:
        """Of somebody who has just been authenticated. Runs in a database thread; asks at most once a minute."""
        key, now = digest(scheme, secret), self._clock()
        caller = self.find(key)
        if caller is not None and now - caller.learned_at < REFRESH_S:
            return
        places = (only,) if only else _workspaces(user)
        with self._lock:
            self._callers[key] = Caller(user.pk, places, now)
            self._callers.move_to_end(key)
            while len(self._callers) > self._most:
                self._callers.popitem(last=False)

    def forget(self, key: bytes) -> None:
        with self._lock:
            self._callers.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._callers.clear()


def caller_key(given: Credential) -> bytes:
    return digest(given.scheme, given.secret)


def _workspaces(user: User) -> tuple[str, ...]:
    """The oldest first, which is the one that a request means that names none (services.access.find_workspace)."""
    if not settings.RATE_WORKSPACE:
        return ()
    mine = Workspace.objects.visible_to(user).order_by("id")
    return tuple(mine.values_list("slug", flat=True)[:MOST_WORKSPACES])


known: Final = Known()
