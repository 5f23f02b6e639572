"""HTTP Basic, for making a first token only, with a brake on guessing.

The count is kept in this process: several web processes each allow as many tries. It is kept by account and
address together, so nobody can lock another person out from elsewhere. Where a password alone opens no page, it
makes no token either: a token would be the way around the second factor.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from django.contrib.auth import authenticate

from api_app.database import in_passwords
from api_app.errors import NotAuthenticated, TooManyTries
from orchestration.models import User
from orchestration.services.second_factor import require_password_enough

if TYPE_CHECKING:
    from api_app.gate import Credential

TRIES: Final = 10
WINDOW_S: Final = 60.0
REMEMBERED: Final = 10_000


class Brake:
    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def check(self, who: tuple[str, str]) -> None:
        failures = self._failures.get(who)
        if failures is None:
            return
        now = time.monotonic()
        while failures and failures[0] < now - WINDOW_S:
            failures.popleft()
        if len(failures) >= TRIES:
            raise TooManyTries(max(1, round(failures[0] + WINDOW_S - now)))

    def failed(self, who: tuple[str, str]) -> None:
        self._failures.setdefault(who, deque(maxlen=TRIES)).append(time.monotonic())
        self._failures.move_to_end(who)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def passed(self, who: tuple[str, str]) -> None:
        self._failures.pop(who, None)


brake: Final = Brake()


async def user_by_password(given: Credential, address: str) -> User:
    who = (given.user.casefold(), address)
    brake.check(who)
    user = await in_passwords(_check, given)
    if user is None:
        brake.failed(who)
        raise NotAuthenticated("The user name or the password is wrong.")
    brake.passed(who)
    await in_passwords(require_password_enough, user=user)
    return user


def _check(given: Credential) -> User | None:
    user = authenticate(username=given.user, password=given.secret)
    return user if isinstance(user, User) else None
