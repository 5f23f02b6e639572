"""The main pages as a member sees them, in a workspace of very many jobs and as many files. `--jobs` says how many."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import psycopg

from tests.bench.admin import DEFAULT_JOBS, copy_jobs, job_lines
from tests.bench.load import cpu_s, halted, percentile
from tests.bench.rows import Row
from tests.bench.watchers import sessions_of

if TYPE_CHECKING:
    from uuid import UUID

    from tests.live.platform import Platform

MOST_MS: Final = 100
ASKED: Final = 20
WHERE: Final = (
    "SELECT f.workspace_id, f.created_by_id, v.id FROM orchestration_file f, orchestration_pipelineversion v"
    " JOIN orchestration_pipeline p ON p.id = v.pipeline_id WHERE f.id = %s AND p.name = 'bench-noop'"
)
# As large a table of files; each is a copy of one that is there, with an id that grows.
FILES: Final = """
INSERT INTO orchestration_file ({columns})
SELECT {values} FROM orchestration_file f, generate_series(1, %(number)s) n WHERE f.id = %(file)s"""
ASKED_FOR: Final[dict[str, str]] = {
    "home": "/",
    "home, what changes": "/home/live/",
    "jobs": "/jobs/",
    "jobs state:failed": "/jobs/?q=state:failed",
    "jobs state:open": "/jobs/?q=state:open",
    "jobs state:timed-out, of which there are few": "/jobs/?q=state:timed-out",
    "jobs by a word of few names": "/jobs/?q=name:424242",
    "jobs owner:me, of which there are none": "/jobs/?q=owner:me",
    "jobs of the last 24 hours": "/jobs/?q=created:%3E-24h",
    "files": "/files/",
    "files that go soon": "/files/?going=soon",
    "pipelines": "/pipelines/",
    "one pipeline": "/pipelines/bench-noop/",
    "settings": "/settings/",
    "new job": "/jobs/new/",
    "notifications": "/notifications/",
}


def page_rows(platform: Platform, file: str, scale: int, *, jobs: int = DEFAULT_JOBS) -> list[Row]:
    jobs //= scale
    workspace, user, version = platform.sql(WHERE, file)[0]
    cookie = sessions_of(platform, str(workspace), 1)[0]
    with halted(platform, "worker", "engine"):
        begin = time.perf_counter()
        job = _write(platform, jobs, workspace=workspace, user=user, version=version, file=file)
        rows = [Row(f"{jobs:,} jobs and files in a workspace", f"{time.perf_counter() - begin:.0f} s", "", True)]
        with httpx.Client(base_url=platform.url, timeout=120, trust_env=False, headers={"Cookie": cookie}) as client:
            for name, path in (ASKED_FOR | {"one job": f"/jobs/{job}/"}).items():
                rows.append(_row(platform, name, client, path))
    return rows


def _row(platform: Platform, name: str, client: httpx.Client, path: str) -> Row:
    client.get(path).raise_for_status()  # the first one loads its template
    took = []
    before = cpu_s(platform.pid("web"))
    for _ in range(ASKED):
        begin = time.perf_counter()
        answer = client.get(path)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path}: {answer.status_code}")
        took.append((time.perf_counter() - begin) * 1_000)
    cpu_ms = (cpu_s(platform.pid("web")) - before) * 1_000 / ASKED
    p50, p95 = percentile(took, 0.5), percentile(took, 0.95)
    return Row(
        f"  {name}", f"{p50:.0f} ms (p95 {p95:.0f}, {cpu_ms:.0f} CPU-ms of web)", f"< {MOST_MS} ms", p95 < MOST_MS
    )


def _write(platform: Platform, jobs: int, **ids: Any) -> UUID:
    """One of them, that has failed."""
    with psycopg.connect(platform.database_url, autocommit=True) as connection:
        last = copy_jobs(connection, job_lines(jobs, ids["version"], ids["user"], [ids["workspace"]]))
        _write_files(connection, jobs, ids["file"])
        # As autovacuum would have done by the time there are so many.
        connection.execute("VACUUM ANALYZE orchestration_file")
    return last


def _write_files(connection: psycopg.Connection[Any], number: int, file: str) -> None:
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'orchestration_file'"
        " AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'name', 'upload_id')"
    ).fetchall()
    columns = [name for (name,) in found]
    values = "overlay('ffff0000-0000-7000-8000-000000000000' placing lpad(to_hex(n), 12, '0') from 25)::uuid"
    statement = FILES.format(
        columns=", ".join(["id", "name", *columns]),
        values=", ".join([values, "'file ' || n", *(f"f.{name}" for name in columns)]),
    )
    connection.execute(statement, {"number": number, "file": file})
