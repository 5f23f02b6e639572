"""The runner's calls to /api/runner/v1/ and what each answer means (design note 0001, section 4)."""

from __future__ import annotations

import os
import time

from . import wire
from .quick import dumps, loads
from .urls import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Pause = Callable[[float], None]

PREFIX = "/api/runner/v1/"
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
LONGEST_RETRY_AFTER_S = 60.0
TOO_MANY = 429
CONFLICT = 409
FORBIDDEN = 403
FRESH_S = 60.0
LONGEST_DETAIL = 500


class Fenced(Exception):
    """Another attempt has taken over: touch nothing any more."""


class Refused(Exception):
    """The platform will never accept this call."""


class Silent(Exception):
    """The platform has not answered for longer than its patience allows."""


class Again(Exception):
    """Not now; `after` is how long the server wants to be left alone."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Expired(Exception):
    """The storage takes this URL no more: its time is over, and the platform gives another."""


class LogOffset(Exception):
    """The platform's copy of the log ends elsewhere."""

    def __init__(self, end: int) -> None:
        super().__init__(f"the platform has {end} bytes")
        self.end = end


class Backoff:
    """Full jitter, doubling from 0.2 s to 10 s, until the patience since the first failure is used up."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._delay = FIRST_DELAY_S
        self._since: float | None = None

    def again(self, reason: Again) -> float:
        """How long to wait before the next try."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        left = self._since + self.patience_s - now
        if left <= 0:
            raise Silent(f"The platform did not answer for {self.patience_s:g} s: {reason}") from reason
        delay = self._delay * int.from_bytes(os.urandom(4), "big") / (1 << 32)
        self._delay = min(2 * self._delay, LONGEST_DELAY_S)
        # The last try comes right at the end of the patience, not up to 10 s before it.
        return min(max(delay, reason.after), left)

    def worked(self) -> None:
        self._delay = FIRST_DELAY_S
        self._since = None


class Platform:
    """One connection to the platform; not to be shared by threads."""

    def __init__(self, server: str, token: str, patience_s: float) -> None:
        self._connection = wire.connect(server)
        self._target = split(server)[3].rstrip("/") + PREFIX
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "esteira-runner/1"}
        self._server, self._token = server, token
        self.patience_s = patience_s
        self.abort = self._connection.abort
        self.close = self._connection.close

    def another(self) -> Platform:
        return Platform(self._server, self._token, self.patience_s)

    def once(self, call: str, body: dict[str, Any] | bytes) -> Any:
        """One try. Raises Again for everything that may pass."""
        kind, data = (
            ("application/octet-stream", body) if isinstance(body, bytes) else ("application/json", dumps(body))
        )
        try:
            answer = self._connection.exchange(
                "POST", self._target + call, {**self._headers, "Content-Type": kind}, data
            )
        except wire.Broken as broken:
            raise Again(str(broken)) from broken
        return _meaning(call.partition("?")[0], answer)

    def call(self, call: str, body: dict[str, Any] | bytes, pause: Pause) -> Any:
        """Tries until it works or the patience ends; `pause` waits, and raises what was heard meanwhile."""
        backoff = Backoff(self.patience_s)
        while True:
            try:
                return self.once(call, body)
            except Again as reason:
                pause(backoff.again(reason))


def _meaning(call: str, answer: wire.Answer) -> Any:
    if answer.status // 100 == 2:  # noqa: PLR2004
        try:
            value = loads(answer.body)
        except ValueError as broken:
            raise Again(f"{call}: {broken}") from broken
        if not isinstance(value, dict):
            raise Again(f"{call}: the answer is no JSON object")
        return value
    if answer.status == TOO_MANY or answer.status >= 500:  # noqa: PLR2004
        raise Again(f"{call}: {answer.status}", retry_after(answer.headers))
    problem = _problem(answer.body)
    code = problem.get("code")
    if answer.status == CONFLICT and code == "attempt_fenced":
        raise Fenced("Another attempt has taken over.")
    end = problem.get("end")
    if call == "log" and code == "log_offset" and isinstance(end, int) and end >= 0:
        raise LogOffset(end)
    detail = str(problem.get("detail") or problem.get("title") or "")[:LONGEST_DETAIL]
    raise Refused(f"The platform refused `{call}`: {answer.status} {code or ''} {detail}".strip())


def _problem(body: bytes) -> dict[str, Any]:
    try:
        value = loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def retry_after(headers: dict[str, str]) -> float:
    value = headers.get("retry-after", "")
    # The form with a date is left out: it would need both clocks to agree.
    return min(float(value), LONGEST_RETRY_AFTER_S) if value.isascii() and value.isdigit() else 0.0
