"""From the commit of an event to the frame in the browser, with many browsers watching."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import httpx
import psycopg
from websockets.asyncio.client import connect
from websockets.typing import Origin

if TYPE_CHECKING:
    from tests.live.platform import Platform

SETTLE_S = 0.5


def bench_user(platform: Platform) -> tuple[str, str]:
    """Name and password of a person who may see everything here."""
    platform.manage(
        "shell",
        "-c",
        "from orchestration.models import User; User.objects.filter(username='bench').exists() or "
        "User.objects.create_superuser('bench', password='bench bench bench')",
    )
    return "bench", "bench bench bench"


def sign_in(platform: Platform) -> str:
    """The Cookie header of a signed-in browser, through the real sign-in page."""
    user, password = bench_user(platform)
    with httpx.Client(base_url=platform.url, follow_redirects=True, trust_env=False, timeout=60) as browser:
        page = browser.get("/login/")
        field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert field, page.text
        form = {"login": user, "password": password, "csrfmiddlewaretoken": field[1]}
        browser.post(str(page.url), data=form, headers={"Origin": platform.url}).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


async def event_latencies(platform: Platform, *, watchers: int, events: int) -> list[float]:
    """Seconds from commit to arrival, over all watchers and events."""
    job_id, workspace_id = platform.sql("SELECT id, workspace_id FROM orchestration_job ORDER BY id DESC LIMIT 1")[0]
    cookie = sign_in(platform)
    address = platform.url.replace("http", "ws", 1) + f"/ws/jobs/{job_id}"
    took: list[float] = []
    committed = 0.0

    async def watch(started: asyncio.Semaphore) -> None:
        headers = {"Cookie": cookie}
        async with connect(address, origin=Origin(platform.url), additional_headers=headers, open_timeout=60) as socket:
            started.release()
            async for _ in socket:
                took.append(time.perf_counter() - committed)  # noqa: PERF401  each is timed as it arrives

    started = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(watch(started)) for _ in range(watchers)]
    for _ in range(watchers):
        await asyncio.wait_for(started.acquire(), 60)
    await asyncio.sleep(1)
    async with await psycopg.AsyncConnection.connect(platform.database_url, autocommit=True) as connection:
        for _ in range(events):
            await connection.execute(
                "INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)"
                " VALUES (%s, %s, 'progress', '', '', '', '', '{}')",
                [workspace_id, job_id],
            )
            committed = time.perf_counter()
            await asyncio.sleep(SETTLE_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(took) >= watchers * events * 0.99, f"frames were lost: {len(took)} of {watchers * events}"
    return took
