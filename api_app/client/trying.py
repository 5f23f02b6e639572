"""What is tried again, when, and what is said when nothing helps. Decides, and sends nothing: both clients go by it."""

import random
import ssl
import threading
from enum import Enum
from typing import Any, NamedTuple

import httpx

from api_app.client.credentials import Credentials, is_loopback
from api_app.client.errors import ProblemError, StoppedError, UnreachableError
from api_app.client.problems import error_from, retry_after_s

TIMEOUTS = httpx.Timeout(60, connect=5)
FIRST_CONTACT_S = 1.0
BACKOFF_S, LONGEST_PAUSE_S = 0.2, 10.0
BUSY = frozenset({429, 503})
GATEWAY = frozenset({502, 504})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Repeat(Enum):
    """What a second try of the same call can do."""

    NEVER = "the person must know at once"
    UNDONE = "twice is not once: only when the first try surely did nothing"
    ALWAYS = "twice is once"
    THROUGH = "twice is once, and it has to get through: hours of work stand behind it"


# An answer from a gateway leaves open whether the platform did it; "busy" means that it did not.
# 501, 505 and 507 (the disk is full) say "no" and not "not now".
PASSING = frozenset({408, 429, *range(500, 600)} - {501, 505, 507})
# Said with 429, and mended by a person only: waiting would be for ever.
LASTING = frozenset({"too_many_open_uploads"})
# A try before, whose answer got lost, is still at work under the same key: its answer can be had in a moment.
UNDER_WAY = "request_in_progress"
AGAIN = {
    Repeat.NEVER: frozenset[int](),
    Repeat.UNDONE: BUSY,
    Repeat.ALWAYS: BUSY | GATEWAY,
    Repeat.THROUGH: PASSING,
}


class Pause(NamedTuple):
    seconds: float
    told: str
    """What to tell a person who would otherwise wait without a word; "" for a moment."""


class Patience:
    """How long one call may go on trying. Full jitter keeps a crowd of clients from returning in step."""

    def __init__(
        self,
        stopped: threading.Event | None = None,
        *,
        first_s: float | None = None,
        longest_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._stopped = stopped or threading.Event()
        self.spent_s = 0.0
        self._first_s = BACKOFF_S if first_s is None else first_s
        self._longest_s = longest_s
        self._tries = 0
        self._random = random.SystemRandom()

    def pause(self, *, at_least_s: float, within_s: float) -> float | None:
        # Two to any power would outgrow a float in a long night.
        ceiling: float = min(self._longest_s, self._first_s * 2 ** min(self._tries, 16))
        self._tries += 1
        pause = max(at_least_s, self._random.uniform(0.01, ceiling))
        self.spent_s += pause
        return pause if self.spent_s <= within_s else None

    def budget_s(self, usual_s: float) -> float:
        """How long in all, with a platform that has answered before."""
        return usual_s

    def sleep(self, pause_s: float) -> None:
        """Of a thread. Raises StoppedError."""
        if self._stopped.wait(pause_s):
            raise StoppedError


class Trying:
    """One platform, as far as it has been heard of."""

    def __init__(self, login: Credentials, *, patience_s: float) -> None:
        self.login = login
        self.patience_s = patience_s
        # Long patience is for a platform that restarts; one that never answered is probably not there at all.
        self.is_reached = False

    def after_fault(
        self, fault: httpx.TransportError, patience: Patience, repeat: Repeat = Repeat.ALWAYS, *, took_s: float = 0
    ) -> Pause:
        """No answer came. Raises UnreachableError where it is not tried again."""
        is_not_sent = isinstance(fault, NOT_SENT)
        patience.spent_s += took_s if is_not_sent else 0
        may = repeat in {Repeat.ALWAYS, Repeat.THROUGH} or (repeat is Repeat.UNDONE and is_not_sent)
        pause = patience.pause(at_least_s=0, within_s=self._budget_s(patience)) if may else None
        if pause is None:
            raise self.unreachable(fault) from fault
        return _told(pause, f"{self.login.url} does not answer; trying again …")

    def after_refusal(self, response: httpx.Response, patience: Patience, repeat: Repeat) -> Pause:
        """An answer, read to its end, that is no success. Raises what it says where it is not tried again."""
        refusal = error_from(response, self.login)
        if not _may_pass(refusal, repeat):
            raise refusal
        pause = patience.pause(at_least_s=retry_after_s(response), within_s=self._budget_s(patience))
        if pause is None:
            raise refusal
        why = f" ({refusal})" if repeat is Repeat.THROUGH else ""
        return _told(pause, f"{self.login.url} is busy{why}; trying again …")

    def _budget_s(self, patience: Patience) -> float:
        return patience.budget_s(self.patience_s) if self.is_reached else min(FIRST_CONTACT_S, self.patience_s)

    def unreachable(self, fault: httpx.HTTPError) -> UnreachableError:
        why = str(fault).partition("]")[2].strip() or str(fault) or type(fault).__name__
        if self.is_reached:
            return UnreachableError(
                f"{self.login.url} stopped answering ({why}). Jobs that were submitted go on; try again in a minute."
            )
        if is_loopback(self.login.url):
            return UnreachableError(f"Cannot reach {self.login.url}. Is it running? Start it with `esteira up`.")
        return UnreachableError(
            f"Cannot reach {self.login.url} ({why}). Check the address and your network, then try again."
        )


def _may_pass(refusal: ProblemError | UnreachableError, repeat: Repeat) -> bool:
    if not isinstance(refusal, ProblemError) or repeat is Repeat.NEVER:
        return False
    if repeat is Repeat.THROUGH and refusal.code in LASTING:
        return False
    return refusal.code == UNDER_WAY or refusal.status in AGAIN[repeat]


def _told(pause_s: float, sentence: str) -> Pause:
    return Pause(pause_s, sentence if pause_s >= 1 else "")


def origin_of(address: str) -> str:
    return "/".join(address.split("/", 3)[:3])


def storage_fault(response: httpx.Response) -> httpx.RemoteProtocolError | None:
    """What an object storage answers is no problem of ours to explain: it passes, or the platform says so."""
    if response.is_success or response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return None
    return httpx.RemoteProtocolError(f"the object storage answered {response.status_code}")


def for_httpx(url: str) -> dict[str, Any]:
    """How httpx talks to an address: the same for its sync and its async client."""
    is_local = is_loopback(url)
    return {
        "timeout": TIMEOUTS,
        # A company's proxy knows no 127.0.0.1, and loading all CAs costs more than most calls.
        "trust_env": not is_local,
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_local and url.startswith("http:") else True,
    }


def for_platform(login: Credentials) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {login.token}"} if login.token else {}
    return for_httpx(login.url) | {"base_url": f"{login.url}/api/v1/", "headers": headers}
