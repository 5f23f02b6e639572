"""One request to a receiver that may be anybody: to the address that was judged, within a time, and no further.

No redirect is followed and no proxy of the environment is used: both would lead to an address that nobody judged. The
operator's egress proxy is told the address.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, override

import certifi
import httpcore
from django.conf import settings

from orchestration.errors import AddressRefused, Invalid
from orchestration.webhooks.address import look_up, read_url
from orchestration.webhooks.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestration.webhooks.address import Address

TIMEOUT_S: Final = 15.0
"""For the whole of it: a receiver that sends a byte now and then gets no more."""
MOST_ANSWER: Final = 64 << 10
KEPT_LETTERS: Final = 500
LONGEST_WAIT_S: Final = 86_400.0
TRY_LATER: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` is None where none came, and `problem` says why. `later_s` is what the receiver asked for."""

    status: int | None = None
    problem: str = ""
    answer: str = ""
    later_s: float = 0.0
    took_ms: int = 0


def send(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    begun = time.monotonic()
    status, answer, later_s, problem = None, b"", 0.0, ""
    try:
        target = read_url(url)  # once more: what is allowed may be less than when it was entered
        backend = _Pinned(look_up(target), begun + TIMEOUT_S)
        with (
            httpcore.ConnectionPool(ssl_context=tls(), network_backend=backend, retries=0) as pool,
            pool.stream("POST", target.url, headers=list(headers.items()), content=body) as response,
        ):
            status = response.status
            later_s = _later(response.headers) if status in TRY_LATER else 0.0
            answer = _beginning(response.iter_stream())
    except (Invalid, AddressRefused) as exc:
        problem = str(exc)
    except httpcore.TimeoutException:
        problem = f"No whole answer within {TIMEOUT_S:.0f} s."
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        problem = f"The connection failed: {str(exc) or type(exc).__name__}."
    if status is not None and problem:
        # What the receiver decided it has said; the rest of its answer is nobody's need.
        problem = ""
    return Reply(
        status=status,
        problem=problem[:KEPT_LETTERS],
        answer=_readable(answer),
        later_s=later_s,
        took_ms=round((time.monotonic() - begun) * 1_000),
    )


@cache
def tls() -> ssl.SSLContext:
    """The system's authorities and those that come along: an image may have none of its own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _beginning(chunks: Iterable[bytes]) -> bytes:
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) >= MOST_ANSWER:
            break
    return bytes(read[:MOST_ANSWER])


def _readable(answer: bytes) -> str:
    text = answer[: 4 * KEPT_LETTERS].decode(errors="replace")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)[:KEPT_LETTERS]


def _later(headers: list[tuple[bytes, bytes]]) -> float:
    """Seconds by Retry-After; 0 for none, or for one that cannot be read."""
    said = next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), "")
    if said.isascii() and said.isdigit():
        return min(float(said[:12]), LONGEST_WAIT_S)
    try:
        seconds = parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), LONGEST_WAIT_S)


class _Pinned(httpcore.NetworkBackend):
    """Connects to these addresses and to no other, whatever the URL's name leads to by now."""

    def __init__(self, addresses: list[Address], end: float) -> None:
        self._addresses, self._end = addresses, end
        self._backend = httpcore.SyncBackend()

    @override
    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        for address in self._addresses[:-1]:
            try:
                return self._connect(address, port)
            except httpcore.ConnectError:
                continue  # the next of its addresses may answer
        return self._connect(self._addresses[-1], port)

    def _connect(self, address: Address, port: int) -> httpcore.NetworkStream:
        if settings.WEBHOOK_PROXY is None:
            return self._direct(str(address), port)
        return tunnel(self._direct(*settings.WEBHOOK_PROXY), address, port)

    def _direct(self, host: str, port: int) -> httpcore.NetworkStream:
        return _Timed(self._backend.connect_tcp(host, port, timeout=_left(self._end)), self._end)


class _Timed(httpcore.NetworkStream):
    """Whatever time-out it is asked for, it ends at `end`."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._end))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._end))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(self._end)), self._end)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
