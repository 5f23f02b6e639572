"""From the commit of an event to what a page shows of it, with many people watching one job."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.bench.load import cpu_s, percentile
from tests.bench.rows import Row

if TYPE_CHECKING:
    from tests.live.platform import Platform

SETTLE_S: Final = 1.0
PATIENCE_S: Final = 30.0
MOST_MS: Final = 300
FETCHERS: Final = 50
ITEMS: Final = 12
LONG: Final = """\
pipeline: bench-long
version: 1.0.0
title: Long
steps:
  - name: each
    for_each: input
    command: [sleep, "600"]
  - name: whole
    needs: [each]
    command: ["true"]
"""
# The newest stands first.
TICK: Final = re.compile(r"[Tt]ick (\d+)\.")
# As many as watch, all members, each with a session of her own. It prints name of the cookie, then the sessions.
PEOPLE: Final = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from orchestration.models import Membership, User, Workspace
place = Workspace.objects.get(pk="{workspace}")
print(settings.SESSION_COOKIE_NAME)
for n in range({number}):
    user, _ = User.objects.get_or_create(username=f"watcher{{n}}")
    Membership.objects.get_or_create(user=user, workspace=place)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    print(session.session_key)
"""


@dataclass
class Told:
    """`took`: seconds from each commit to each page."""

    took: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    size: int = 0


def watcher_rows(platform: Platform, file: str, scale: int) -> list[Row]:
    del file
    watchers, events = 500 // scale, 20 // scale + 3
    platform.publish(LONG)
    inputs = [platform.upload(f"{n}.txt", f"file {n}".encode())["id"] for n in range(ITEMS)]
    job = platform.submit("bench-long", inputs, key=uuid4().hex)["id"]
    workspace = platform.sql("SELECT workspace_id FROM orchestration_job WHERE id = %s", job)[0][0]
    while not platform.sql("SELECT 1 FROM orchestration_attempt WHERE job_id = %s AND state = 'RUNNING'", job):
        time.sleep(0.1)
    cookies = sessions_of(platform, str(workspace), watchers)
    sent = asyncio.run(_watch(platform, job, cookies, events))
    fetched = asyncio.run(_fetch(platform, job, cookies[:FETCHERS]))
    platform.call("POST", f"/jobs/{job}/cancel")
    p50, p95 = percentile(sent.took, 0.5) * 1000, percentile(sent.took, 0.95) * 1000
    each, by_fetch = sent.cpu_s * 1000 / len(sent.took), fetched.cpu_s * 1000 / len(fetched.took)
    what = f"event → page, {watchers} people watch one job, p95"
    return [
        Row(what, f"{p95:.0f} ms (p50 {p50:.0f}, most {max(sent.took) * 1000:.0f})", f"< {MOST_MS} ms", p95 < MOST_MS),
        Row("  of the web process, each", f"{each:.2f} CPU-ms ({sent.size / 1024:.1f} KiB)", "", True),
        Row("  where each fetches it instead", f"{by_fetch:.1f} CPU-ms", "", True),
        Row("  ratio", f"{by_fetch / each:.0f} ×", "", True),
    ]


def sessions_of(platform: Platform, workspace: str, number: int) -> list[str]:
    """The Cookie headers of so many members of a workspace."""
    said = platform.manage("shell", "-v", "0", "-c", PEOPLE.format(workspace=workspace, number=number))
    name, *sessions = said.split()
    return [f"{name}={key}" for key in sessions]


async def _watch(platform: Platform, job: str, cookies: list[str], events: int) -> Told:
    """Through real sockets, as the page opens them."""
    told = Told()
    address = platform.url.replace("http", "ws", 1) + f"/ws/jobs/{job}?language=en&seen={1 << 58}"
    committed: dict[int, float] = {}
    arrived = asyncio.Semaphore(0)

    async def watch(cookie: str, opened: asyncio.Semaphore) -> None:
        async with connect(
            address,
            origin=Origin(platform.url),
            additional_headers={"Cookie": cookie},
            open_timeout=120,
            compression=None,
            max_size=None,
            ping_interval=None,
        ) as socket:
            opened.release()
            async for text in socket:
                now = time.perf_counter()
                found = TICK.search(str(text))
                if found:
                    told.took.append(now - committed[int(found[1])])
                    told.size = len(text)
                    arrived.release()

    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(watch(cookie, opened)) for cookie in cookies]
    await _all(opened, len(tasks))
    pid, before = platform.pid("web"), 0.0
    async with await psycopg.AsyncConnection.connect(platform.database_url, autocommit=True) as connection:
        for n in range(events):
            await asyncio.sleep(SETTLE_S)
            if n == 1:  # the first one is sent all of the page, and loads what draws it
                told.took.clear()
                before = cpu_s(pid)
            committed[n] = time.perf_counter()
            await _happen(connection, job, n)
            await _all(arrived, len(tasks))
    told.cpu_s = cpu_s(pid) - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told


async def _all(flags: asyncio.Semaphore, number: int) -> None:
    """Raises TimeoutError where somebody has heard nothing."""
    async with asyncio.timeout(PATIENCE_S + number):
        for _ in range(number):
            await flags.acquire()


async def _happen(connection: psycopg.AsyncConnection[Any], job: str, n: int) -> None:
    await connection.execute(
        "INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)"
        " SELECT workspace_id, id, 'step', 'each', 'RUNNING', 'RUNNING', %s, '{}' FROM orchestration_job WHERE id = %s",
        [f"tick {n}.", job],
    )


async def _fetch(platform: Platform, job: str, cookies: list[str]) -> Told:
    """As a page does that has no socket, all of them at once; twice, as the first time is slower."""
    told = Told()
    place = urlsplit(platform.url)

    async def fetch(cookie: str) -> None:
        begin = time.perf_counter()
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head = (
            f"GET /jobs/{job}/live/ HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer[:20] or b"job-state" not in answer:
            raise RuntimeError(answer[:200].decode())
        told.took.append(time.perf_counter() - begin)

    for _ in range(2):
        told.took.clear()
        before = cpu_s(platform.pid("web"))
        await asyncio.gather(*(fetch(cookie) for cookie in cookies))
        told.cpu_s = cpu_s(platform.pid("web")) - before
    return told
