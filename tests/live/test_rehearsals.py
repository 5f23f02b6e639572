"""The runbooks of the night, each rehearsed: the real thing is broken, the page is followed, and the work goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.live.conftest import KEPT
from tests.live.held import Walled
from tests.live.nights import FIRST, Night, Runbook
from tests.live.platform import ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.platform import Platform

pytestmark = [pytest.mark.xdist_group("rehearsals"), pytest.mark.slow, pytest.mark.timeout(400, func_only=True)]

PROCESSES: Final = ("web", "worker", "beat", "engine")
SOURCES: Final = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("project/doctor", "orchestration")
    for path in sorted((ROOT / folder).rglob("*.py"))
)


@pytest.fixture
def platform() -> Platform:
    extra = {"ESTEIRA_METRICS_PORT": str(free_port())}
    return KEPT.one("rehearsed", lambda: running(extra, children_of=Walled))


@pytest.fixture
def held(platform: Platform) -> Walled:
    assert isinstance(platform.children, Walled)
    return platform.children


def submitted(platform: Platform) -> str:
    file = platform.upload(f"{uuid4()}.csv", b"a,b\n1,2\n")
    return str(platform.submit("inspect", [file["id"]], key=str(uuid4()))["id"])


def finishes(platform: Platform, *jobs: str) -> None:
    for job in jobs:
        assert platform.wait(job, timeout_s=60)["state"] == "SUCCEEDED"


def ready(platform: Platform) -> httpx.Response:
    return httpx.get(f"{platform.url}/health/ready", timeout=30, trust_env=False)


def test_password_that_was_rotated(platform: Platform, held: Walled) -> None:
    before = submitted(platform)
    parts = conninfo_to_dict(held.env["DATABASE_URL"])
    with psycopg.connect(platform.database_url, autocommit=True) as server:
        name = sql.Identifier(str(parts["user"]))
        server.execute(sql.SQL("ALTER ROLE {} PASSWORD 'the next one'").format(name))
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = current_user"
        )
    platform.database_url = make_conninfo(platform.database_url, password="the next one")
    assert ready(platform).status_code == 503

    def give_the_new_one() -> None:
        held.env["DATABASE_URL"] = make_conninfo("", **{**parts, "password": "the next one"})
        held.restart(*PROCESSES)

    night = Night(platform, Runbook.read("database-unreachable"))
    night.mend(night.look(), {"give the processes the new secret and restart them": give_the_new_one})
    night.until_well()
    finishes(platform, before, submitted(platform))


def test_port_that_is_blocked(platform: Platform, held: Walled) -> None:
    before = submitted(platform)
    held.wall.block()
    night = Night(platform, Runbook.read("database-unreachable"))
    try:
        rows = night.look()
        assert "security group" in rows[0].cause
    finally:
        held.wall.unblock()
    night.mend(rows, {"put back the rule that lets these processes in": lambda: None})
    night.until_well()
    finishes(platform, before, submitted(platform))


@pytest.fixture
def engine_that_is_down_and_worker_that_hangs(platform: Platform, held: Walled) -> Iterator[None]:
    held.down.add("engine")
    platform.kill("engine")
    os.kill(platform.pid("worker"), signal.SIGSTOP)
    yield
    held.down.clear()


@pytest.mark.usefixtures("engine_that_is_down_and_worker_that_hangs")
def test_queue_that_is_stuck(platform: Platform, held: Walled) -> None:
    stuck = submitted(platform)
    deadline = time.monotonic() + 20
    while not platform.sql("SELECT 1 FROM pgmq.q_esteira"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # Half a minute later:
    platform.sql(
        "UPDATE pgmq.q_esteira SET vt = vt - interval '60 s', enqueued_at = enqueued_at - interval '60 s' RETURNING 1"
    )

    def start_the_engine() -> None:
        held.down.discard("engine")
        held.restart("engine")

    def restart_the_worker() -> None:
        platform.kill("worker")
        held.restart("worker")

    night = Night(platform, Runbook.read("queue-stuck"))
    rows = night.look()
    assert len(rows) == 2
    assert stuck[:8] in night.said
    night.mend(
        rows,
        {"start or restart the worker": restart_the_worker, "`python manage.py local_engine`": start_the_engine},
    )
    night.until_well()
    finishes(platform, stuck, submitted(platform))


FAULT: Final = ("    return await ask(request, _list, limit, cursor)", '    raise KeyError("of the new release")')


@pytest.fixture
def bad_release(platform: Platform) -> Iterator[Path]:
    """The code of now but for one fault, as another folder."""
    release = platform.home / "release"
    release.mkdir()
    for package in ("project", "orchestration", "frontend_app"):
        (release / package).symlink_to(ROOT / package)
    shutil.copytree(ROOT / "api_app", release / "api_app")
    route = release / "api_app/routes/pipelines.py"
    good = route.read_text(encoding="utf-8")
    assert good.count(FAULT[0]) == 1
    route.write_text(good.replace(*FAULT), encoding="utf-8")
    yield release
    shutil.rmtree(release)


def test_release_that_fails(platform: Platform, held: Walled, bad_release: Path) -> None:
    newer = "9999_of_the_new_release"
    platform.sql(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('orchestration', %s, now()) RETURNING 1", newer
    )
    held.serve_from(bad_release)
    until_ready(platform)
    answer = httpx.get(
        f"{platform.url}/api/v1/pipelines", headers={"Authorization": f"Bearer {platform.token}"}, trust_env=False
    )
    assert answer.status_code == 500
    before = submitted(platform)

    night = Night(platform, Runbook.read("application-errors"))
    try:
        said = night.type_all(FIRST)
        assert "  ERROR" not in said, said
        # What the person was shown leads to the line, and the line to the fault.
        assert answer.headers["X-Request-Id"] in said
        assert "KeyError: 'of the new release'" in said
        assert "/api/v1/pipelines" in counted(platform, held)
        (row,) = [row for row in night.runbook.rows(FIRST) if row.seen.startswith("500 at one address")]
        night.mend([row], {"roll it back": lambda: held.serve_from(ROOT)})
        night.until_well()
        assert platform.call("GET", "/pipelines").status_code == 200
        finishes(platform, before, submitted(platform))
    finally:
        platform.sql("DELETE FROM django_migrations WHERE name = %s RETURNING 1", newer)


def until_ready(platform: Platform) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if ready(platform).status_code == 200:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, platform.logs()
        time.sleep(0.05)


def counted(platform: Platform, held: Walled) -> str:
    """The addresses that fail, by what the runbook asks Prometheus for."""
    (metric,) = re.findall(r"\(rate\((\w+)\{status=~\"5", Runbook.read("application-errors").section(FIRST))
    lines = httpx.get(f"http://127.0.0.1:{held.env['ESTEIRA_METRICS_PORT']}/metrics", trust_env=False).text.splitlines()
    return "\n".join(line for line in lines if line.startswith(metric) and 'status="5' in line)


@pytest.mark.parametrize("name", ["database-unreachable", "queue-stuck"])
def test_runbook_has_the_words_of_the_doctor(name: str) -> None:
    for row in Runbook.read(name).rows(FIRST):
        for word in re.findall(r"`([^`]+)`", row.seen):
            assert f'"{word}' in SOURCES, row
        for words in re.findall(r"\*([^*]+)\*", row.seen):
            assert words in SOURCES, row
