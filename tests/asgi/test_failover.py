"""F05: every database connection is cut, under load, through a Django page and an API route (SEC-007)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from tests.api.door import token_of
from tests.asgi.server import Server, cookie_of, database_url, serving
from tests.factories import join, make_job, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
WORKERS = 10
SECONDS = 4.0


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    with serving(ESTEIRA_API_THREADS="8", ESTEIRA_DB_POOL_SIZE="12") as server:
        yield server


def backends(admin: psycopg.Connection[tuple[int]]) -> int:
    # This database alone: other workers of the test run have web processes of their own on the same server.
    row = admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'web' AND datname = current_database()"
    ).fetchone()
    return row[0] if row else 0


def kill_all(admin: psycopg.Connection[tuple[int]]) -> int:
    mine = "pid <> pg_backend_pid() AND datname = current_database() AND application_name IN ('web', '')"
    return len(admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}").fetchall())  # noqa: S608


class Load:
    """Many clients, each asking a page or a route, with one retry."""

    def __init__(self, server: Server, targets: list[tuple[str, dict[str, str]]]) -> None:
        self._server, self._targets = server, targets
        self.asked = 0
        self.retried = 0
        self.failed: list[str] = []

    async def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        async with httpx.AsyncClient(base_url=self._server.url, trust_env=False, timeout=20) as client:
            await asyncio.gather(*(self._worker(client, n, until) for n in range(WORKERS)))

    async def _worker(self, client: httpx.AsyncClient, number: int, until: float) -> None:
        path, headers = self._targets[number % len(self._targets)]
        while time.monotonic() < until:
            self.asked += 1
            answer = await client.get(path, headers=headers)
            if answer.status_code != httpx.codes.OK:
                self.retried += 1
                await asyncio.sleep(float(answer.headers.get("retry-after", "0.1")))
                answer = await client.get(path, headers=headers)
                if answer.status_code != httpx.codes.OK:
                    self.failed.append(f"{path}: {answer.status_code} {answer.text[:200]}")


def test_no_request_fails_twice_and_no_connection_is_left_over(server: Server) -> None:
    user, lab = make_user(is_staff=True), make_workspace()
    join(user, lab)
    job = make_job(user, lab)
    token = {"Authorization": f"Bearer {token_of(user)}"}
    cookie = {"Cookie": cookie_of(user, server)}
    targets = [(f"/api/v1/jobs/{job.pk}", token), ("/account/", cookie), ("/health/ready", {})]
    assert [server.get(path, headers=headers).status_code for path, headers in targets] == [200] * 3
    load, killed = Load(server, targets), 0

    async def storm() -> None:
        nonlocal killed
        running = asyncio.ensure_future(load.run(SECONDS))
        for _ in range(3):
            await asyncio.sleep(SECONDS / 5)
            killed += await asyncio.to_thread(kill_all, admin)
        await running

    with psycopg.connect(database_url(), autocommit=True, application_name="the test") as admin:
        asyncio.run(storm())
        assert load.asked > 100
        assert killed >= 3, "nothing was cut, so nothing was shown"
        assert not load.failed, load.failed[:5]
        time.sleep(0.5)
        assert backends(admin) <= 12, "more connections than the pool grants"
        again = [server.get(path, headers=headers).status_code for path, headers in targets * 4]
        assert set(again) == {200}
    print(f"{load.asked} requests, {killed} connections cut, {load.retried} retried, 0 failed twice")


def test_connections_go_back_to_where_they_were(server: Server) -> None:
    """The pool keeps a few for a minute; whatever is asked, it is never more than it may grant."""
    user, lab = make_user(), make_workspace()
    join(user, lab)
    token = {"Authorization": f"Bearer {token_of(user)}"}
    with psycopg.connect(database_url(), autocommit=True, application_name="the test") as admin:
        for _ in range(3):
            load = Load(server, [("/api/v1/jobs", token), ("/health/ready", {})])
            asyncio.run(load.run(0.7))
            assert not load.failed
            assert backends(admin) <= 12
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'web'"
        busy += " AND datname = current_database() AND state <> 'idle'"
        time.sleep(0.3)
        row = admin.execute(busy).fetchone()
        assert row is not None
        assert row[0] == 0, "a connection was left inside a transaction"
