"""The HTTP connection: what is tried again, how often, and what is said when nothing helps."""

import random
import ssl
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Self

import httpx

from api_app.client.credentials import Credentials, is_loopback
from api_app.client.errors import UnreachableError
from api_app.client.problems import error_from, json_body, retry_after_s

TIMEOUTS = httpx.Timeout(60, connect=5)
FIRST_CONTACT_S = 1.0
BACKOFF_S, LONGEST_PAUSE_S = 0.2, 10.0
BUSY = frozenset({429, 503})
GATEWAY = frozenset({502, 504})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

type Notice = Callable[[str], None]
type Body = Callable[[], Iterable[bytes]]


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
AGAIN = {
    Repeat.NEVER: frozenset[int](),
    Repeat.UNDONE: BUSY,
    Repeat.ALWAYS: BUSY | GATEWAY,
    Repeat.THROUGH: PASSING,
}


class Patience:
    """How long one call may go on trying. Full jitter keeps a crowd of clients from returning in step."""

    def __init__(self, *, first_s: float | None = None, longest_s: float = LONGEST_PAUSE_S) -> None:
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
        time.sleep(pause_s)


class Transport:
    def __init__(self, login: Credentials, *, patience_s: float, notice: Notice) -> None:
        self.login = login
        self.patience_s = patience_s
        self.notice = notice
        # Long patience is for a platform that restarts; one that never answered is probably not there at all.
        self._reached = False
        self._others: dict[str, httpx.Client] = {}
        self._http = http_client(
            login.url,
            base_url=f"{login.url}/api/v1/",
            headers={"Authorization": f"Bearer {login.token}"} if login.token else {},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for client in (self._http, *self._others.values()):
            client.close()

    def fetch(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """Bytes as a stream, from the platform or from the object storage it names; the caller closes it.

        Raises ProblemError for what the platform refuses, and TransportError, which passes, for a storage in trouble.
        """
        response = self.send("GET", path, headers=headers, stream=True, leads_on=True)
        if not response.has_redirect_location:
            return response
        address = response.headers["location"]
        response.close()
        origin = "/".join(address.split("/", 3)[:3])
        if origin not in self._others:
            # Without our token: the address is the permission.
            self._others[origin] = http_client(address)
        client = self._others[origin]
        response = client.send(client.build_request("GET", address, headers=headers), stream=True)
        if not response.is_success and response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.close()
            raise httpx.RemoteProtocolError(f"the object storage answered {response.status_code}")
        return response

    def json(self, method: str, path: str, *, repeat: Repeat = Repeat.ALWAYS, **options: Any) -> Any:
        return json_body(self.send(method, path, repeat=repeat, **options), self.login)

    def send(
        self,
        method: str,
        path: str,
        *,
        repeat: Repeat = Repeat.ALWAYS,
        body: Body | None = None,
        stream: bool = False,
        leads_on: bool = False,
        auth: httpx.Auth | None = None,
        patience: Patience | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Try until there is an answer worth having. With `stream` the caller closes the response."""
        patience = patience or Patience()
        while True:
            request = self._http.build_request(method, path, content=body() if body else None, **options)
            began = time.monotonic()
            try:
                response = self._http.send(request, stream=stream, auth=auth)
            except httpx.TransportError as fault:
                patience.spent_s += time.monotonic() - began if isinstance(fault, NOT_SENT) else 0
                self.wait_or_raise(fault, patience, repeat)
                continue
            self._reached = True
            if response.is_success or (leads_on and response.has_redirect_location):
                return response
            self._wait_or_refuse(response, patience, repeat)

    def _budget_s(self, patience: Patience) -> float:
        return patience.budget_s(self.patience_s) if self._reached else min(FIRST_CONTACT_S, self.patience_s)

    def wait_or_raise(self, fault: httpx.TransportError, patience: Patience, repeat: Repeat = Repeat.ALWAYS) -> None:
        may = repeat in {Repeat.ALWAYS, Repeat.THROUGH} or (repeat is Repeat.UNDONE and isinstance(fault, NOT_SENT))
        pause = patience.pause(at_least_s=0, within_s=self._budget_s(patience)) if may else None
        if pause is None:
            raise self.unreachable(fault) from fault
        self._sleep(patience, pause, f"{self.login.url} does not answer; trying again …")

    def _wait_or_refuse(self, response: httpx.Response, patience: Patience, repeat: Repeat) -> None:
        pause = None
        if response.status_code in AGAIN[repeat]:
            pause = patience.pause(at_least_s=retry_after_s(response), within_s=self._budget_s(patience))
        try:
            response.read()
        except httpx.TransportError as fault:
            raise self.unreachable(fault) from fault
        finally:
            response.close()
        if pause is None:
            raise error_from(response, self.login)
        why = ""
        if repeat is Repeat.THROUGH:
            refusal = error_from(response, self.login)
            if refusal.code in LASTING:
                raise refusal
            why = f" ({refusal})"
        self._sleep(patience, pause, f"{self.login.url} is busy{why}; trying again …")

    def _sleep(self, patience: Patience, pause_s: float, sentence: str) -> None:
        if pause_s >= 1:
            self.notice(sentence)
        patience.sleep(pause_s)

    def unreachable(self, fault: httpx.HTTPError) -> UnreachableError:
        why = str(fault).partition("]")[2].strip() or str(fault) or type(fault).__name__
        if self._reached:
            return UnreachableError(
                f"{self.login.url} stopped answering ({why}). Jobs that were submitted go on; try again in a minute."
            )
        if is_loopback(self.login.url):
            return UnreachableError(f"Cannot reach {self.login.url}. Is it running? Start it with `make run`.")
        return UnreachableError(
            f"Cannot reach {self.login.url} ({why}). Check the address and your network, then try again."
        )


def http_client(url: str, **options: Any) -> httpx.Client:
    local = is_loopback(url)
    return httpx.Client(
        timeout=TIMEOUTS,
        # A company's proxy knows no 127.0.0.1, and loading all CAs costs more than most calls.
        trust_env=not local,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if local and url.startswith("http:") else True,
        **options,
    )
