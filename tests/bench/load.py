"""A small closed-loop load generator: raw HTTP/1.1 over asyncio streams, so that the client costs little."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.platform import Platform


@dataclass(frozen=True, slots=True)
class Load:
    per_second: float
    p50_ms: float
    p95_ms: float
    failed: int


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def post_all(
    url: str, body: Callable[[int], Any], headers: Callable[[int], dict[str, str]], *, total: int, connections: int
) -> Load:
    """`total` POSTs over `connections` kept-alive connections; latencies in ms."""
    numbers = iter(range(total))
    took: list[float] = []
    failed = 0
    place = urlsplit(url)

    async def worker() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        for number in numbers:
            data = json.dumps(body(number)).encode()
            head = "".join(f"{name}: {value}\r\n" for name, value in headers(number).items())
            request = (
                f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\n{head}\r\n"
            )
            start = time.perf_counter()
            writer.write(request.encode() + data)
            status = await _answer(reader)
            took.append((time.perf_counter() - start) * 1000)
            failed += status not in {200, 201}
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return Load(total / (time.perf_counter() - begin), percentile(took, 0.5), percentile(took, 0.95), failed)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
    await reader.readexactly(length)
    return int(head.split(" ", 2)[1])


@contextlib.contextmanager
def halted(platform: Platform, *names: str) -> Iterator[None]:
    """These of its processes stand still meanwhile."""
    pids = [platform.pid(name) for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def answers(port: int) -> bool:
    """Whatever it says."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False, timeout=60)
    except httpx.TransportError:
        return False
    return True


def cpu_s(pid: int) -> float:
    """What a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
