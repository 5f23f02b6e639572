"""Pages of administrators over very many jobs, which are written by COPY. `--jobs` says how many."""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

import httpx
import psycopg

from orchestration.ids import first_id, new_id
from tests.bench.filling import filling
from tests.bench.load import halted, percentile
from tests.bench.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

COUNTED: Final = "from orchestration.execution.readings import read_all, read_unfinished; read_all(); read_unfinished()"
DEFAULT_JOBS: Final = 1_000_000
MOST_MS: Final = 300
ASKED: Final = 15
WORKSPACES: Final = 20
DAYS: Final = 60
PASSWORD: Final = "correct horse battery"
ROOT: Final = f"from orchestration.models import User; User.objects.create_superuser('bench', password={PASSWORD!r})"
COLUMNS: Final = (
    "id", "workspace_id", "created_by_id", "pipeline_version_id", "name", "params", "labels", "priority",
    "input_count", "state", "run", "waiting_reason", "waiting_detail", "failure_kind", "failure_detail",
    "request_digest", "created_at", "queued_at", "started_at", "finished_at", "told_run",
)  # fmt: skip
# Of ten thousand: the rest succeeded.
FEW: Final = {"FAILED": 700, "WAITING": 100, "CANCELED": 50, "RUNNING": 10, "TIMED_OUT": 1}
REASONS: Final = ("concurrency", "capacity", "scan", "quota", "")
TALLY: Final = """
INSERT INTO orchestration_jobtally (hour, workspace_id, pipeline_id, outcome, failure_kind, number, usd)
SELECT date_trunc('hour', j.finished_at, 'UTC'), j.workspace_id, v.pipeline_id, j.state, j.failure_kind, count(*), 0
FROM orchestration_job j JOIN orchestration_pipelineversion v ON v.id = j.pipeline_version_id
WHERE j.finished_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5
ON CONFLICT DO NOTHING"""
JOBS: Final = "/admin/orchestration/job/"
# Of each kind of condition one that many jobs fit, few, or none.
FILTERS: Final = (
    "state:open", "state:failed", "state:timed-out", "state:canceling", "waiting:capacity", "waiting:paused",
    "failure:platform,interrupted", "failure:resources", "workspace:bench-8 state:failed", "workspace:main",
    "owner:admin", "pipeline:bench-noop", "created:>-1h", "created:<-59d", "finished:>-1h", "deadline:<+2h",
    "name:4242424", "nothing-is-called-so", "priority:>0", "-state:succeeded",
)  # fmt: skip
PAGES: Final = {
    "dashboard": "/admin/",
    "jobs": JOBS,
    "jobs, the last page": f"{JOBS}?p=40",
    "jobs, to be sorted by name": f"{JOBS}?o=2",
    **{f"jobs {q}": f"{JOBS}?q={quote(q)}" for q in FILTERS},
    "files": "/admin/orchestration/file/",
    "files in quarantine": "/admin/orchestration/file/?scan_state__exact=quarantined",
    "storage": "/admin/orchestration/file/storage/",
    "webhooks": "/admin/orchestration/webhookendpoint/",
    "workspaces": "/admin/orchestration/workspace/",
    "users": "/admin/orchestration/user/",
    "tokens": "/admin/orchestration/apitoken/",
    "notifications": "/admin/orchestration/notification/",
    "pauses": "/admin/pauses/",
    "audit entries": "/admin/orchestration/auditentry/",
    "audit entries of somebody": "/admin/orchestration/auditentry/?q=bench",
}


def admin_rows(platform: Platform, file: str, scale: int, *, jobs: int = DEFAULT_JOBS) -> list[Row]:
    del file
    jobs //= scale
    platform.manage("shell", "-v", "0", "-c", ROOT)
    with halted(platform, "worker", "engine"):
        begin = time.perf_counter()
        one, user = _write(platform, jobs)
        took = time.perf_counter() - begin
        platform.manage("shell", "-v", "0", "-c", COUNTED)
        rows = [Row(f"{jobs:,} jobs written by COPY", f"{took:.0f} s", "", True)]
        more = {
            "one job": f"{JOBS}{one}/change/",
            "whether a user with all these jobs may be deleted": f"/admin/orchestration/user/{user}/delete/",
        }
        pages = PAGES | more
        with closing(_signed_in(platform)) as client:
            for name, path in pages.items():
                rows.append(_row(name, client, path))
    return rows


def _row(name: str, client: httpx.Client, path: str) -> Row:
    took = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        client.get(path).raise_for_status()
        took.append((time.perf_counter() - begin) * 1_000)
    first, p50, p95 = took[0], percentile(took, 0.5), percentile(took, 0.95)
    value = f"{p50:.0f} ms (first {first:.0f}, p95 {p95:.0f})"
    return Row(f"  admin, {name}", value, f"< {MOST_MS} ms", p95 < MOST_MS)


def _signed_in(platform: Platform) -> httpx.Client:
    client = httpx.Client(base_url=platform.url, timeout=120, trust_env=False)
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/login/").text)
    token = found.group(1) if found else ""
    sent = {"login": "bench", "password": PASSWORD, "csrfmiddlewaretoken": token}
    client.post("/login/", data=sent, headers={"Referer": platform.url})
    if client.get("/admin/").status_code != httpx.codes.OK:
        raise RuntimeError("the administrator could not sign in")
    return client


def _write(platform: Platform, jobs: int) -> tuple[UUID, UUID]:
    """One of them, that has failed, and whose they are."""
    version, user = platform.sql(
        "SELECT v.id, u.id FROM orchestration_pipelineversion v, orchestration_user u"
        " JOIN orchestration_pipeline p ON true WHERE p.name = 'bench-noop' AND v.pipeline_id = p.id LIMIT 1"
    )[0]
    with psycopg.connect(platform.database_url, autocommit=True) as connection:
        places = [new_id() for _ in range(WORKSPACES)]
        connection.cursor().executemany(
            "INSERT INTO orchestration_workspace (id, slug, name, max_active_jobs, upload_retention_days,"
            " result_retention_days) VALUES (%s, %s, %s, 1000, 365, 1826)",
            [(place, f"bench-{at}", f"Bench {at}") for at, place in enumerate(places)],
        )
        last = copy_jobs(connection, job_lines(jobs, version, user, places))
        connection.execute(TALLY)
        # As autovacuum would have done by the time there are so many.
        for table in ("jobtally", "workspace"):
            connection.execute(f"VACUUM ANALYZE orchestration_{table}")
    return last, user


def copy_jobs(connection: psycopg.Connection[Any], rows: Iterator[tuple[Any, ...]]) -> UUID:
    """The last of them that failed."""
    last: UUID | None = None
    copy = f"COPY orchestration_job ({', '.join(COLUMNS)}) FROM STDIN"
    with filling(connection, "orchestration_job"), connection.cursor() as cursor, cursor.copy(copy) as lines:
        for row in rows:
            lines.write_row(row)
            last = row[0] if row[9] == "FAILED" else last
    if last is None:
        raise RuntimeError("too few jobs to have one that failed")
    return last


def _id_of(created: datetime, at: int) -> UUID:
    """As if it had been made then, so that ids are in the order of creation here too."""
    return UUID(int=first_id(created).int | 7 << 76 | 2 << 62 | at)


def job_lines(jobs: int, version: UUID, user: UUID, places: list[UUID]) -> Iterator[tuple[Any, ...]]:
    states = [state for state, number in FEW.items() for _ in range(number)]
    states += ["SUCCEEDED"] * (10_000 - len(states))
    now = datetime.now(UTC)
    step = timedelta(days=DAYS) / jobs
    for at in range(jobs):
        state = states[at * 7_919 % 10_000]  # a prime: spread evenly
        created = now - step * (jobs - at)
        has_ended, waits = state not in {"WAITING", "RUNNING"}, state == "WAITING"
        kind = ("INPUT", "USER_CODE", "PLATFORM")[at % 3] if state in {"FAILED", "TIMED_OUT"} else ""
        reason = REASONS[at % len(REASONS)] if waits else ""
        begun = None if waits else created + timedelta(seconds=5)
        ended = created + timedelta(minutes=1) if has_ended else None
        yield (
            _id_of(created, at), places[at * at % 23 % len(places)], user, version, f"job {at}", "{}", "{}", 0,
            1, state, 1, reason, "", kind, "", "", created, begun, begun, ended, 1,
        )  # fmt: skip
