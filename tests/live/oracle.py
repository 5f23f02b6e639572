"""The invariants of a fault run (I1 to I14 as far as this version has them), checked once it is quiet again."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from orchestration.engines.local.processes import _of_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.platform import Platform


@dataclass
class Journal:
    """What the client was told: every 2xx is a promise."""

    files: dict[str, str] = field(default_factory=dict)
    """File id to the SHA-256 of the bytes sent."""
    jobs: dict[str, set[str]] = field(default_factory=dict)
    """Idempotency-Key to the job ids answered for it."""

    def noted(self, key: str, job_id: str) -> None:
        self.jobs.setdefault(key, set()).add(job_id)


def check(platform: Platform, journal: Journal, read: Callable[[str, str, str], bytes | None] | None = None) -> None:
    """`read` fetches what is stored under an alias, a key and a version; without it, from the disk."""
    _accepted_uploads_are_there(platform, journal)
    _nothing_unfinished_is_visible(platform, read or _on_disk(platform))
    _one_terminal_state_each(platform)
    _no_doubled_effect(platform)
    _one_job_a_key(platform, journal)
    _nothing_left_over(platform)


def platform_itself_finds_nothing(platform: Platform) -> None:
    """Its own look at what must never be, at once instead of a minute after each end: it may not cry wolf."""
    look = "from datetime import timedelta; from orchestration.execution.invariants import look; look(timedelta())"
    platform.manage("shell", "--no-imports", "-c", look)
    found = platform.sql("SELECT invariant, job_id, detail FROM orchestration_violation WHERE resolved_at IS NULL")
    assert not found, f"violations that the platform found: {found}"
    assert platform.sql(
        "SELECT 1 FROM orchestration_job WHERE id IN (SELECT through_id FROM orchestration_invariantwatch)"
    )


def _accepted_uploads_are_there(platform: Platform, journal: Journal) -> None:
    """I1."""
    for file_id, sha256 in journal.files.items():
        answer = platform.call("GET", f"/files/{file_id}/content", follow_redirects=True)
        assert answer.status_code == httpx.codes.OK, f"I1: file {file_id} is gone"
        assert hashlib.sha256(answer.content).hexdigest() == sha256, f"I1: file {file_id} has changed"


def _on_disk(platform: Platform) -> Callable[[str, str, str], bytes | None]:
    def read(storage: str, key: str, _version: str) -> bytes | None:
        stored = Path(platform.home, "storage", storage, key)
        return stored.read_bytes() if stored.exists() else None

    return read


def _nothing_unfinished_is_visible(platform: Platform, read: Callable[[str, str, str], bytes | None]) -> None:
    """I2: every row has its object, whole."""
    rows = platform.sql("SELECT storage, key, version, size, sha256 FROM orchestration_file WHERE deleted_at IS NULL")
    for storage, key, version, size, sha256 in rows:
        stored = read(storage, key, version)
        assert stored is not None, f"I2: {storage}/{key} has a row and no object"
        assert len(stored) == size, f"I2: {storage}/{key} is not whole"
        assert hashlib.sha256(stored).hexdigest() == sha256, f"I2: {storage}/{key} has other bytes"


def _one_terminal_state_each(platform: Platform) -> None:
    """I3."""
    open_jobs = platform.sql(
        "SELECT id, state FROM orchestration_job WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT')"
    )
    assert not open_jobs, f"I3: jobs without an end: {open_jobs}"
    ends = platform.sql(
        "SELECT j.id, j.run, count(e.id) FROM orchestration_job j LEFT JOIN orchestration_event e"
        " ON e.job_id = j.id AND e.kind = 'job' AND e.old <> e.new"
        " AND e.new IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT')"
        " GROUP BY j.id, j.run HAVING count(e.id) <> j.run"
    )
    assert not ends, f"I3: jobs with more or fewer ends than runs: {ends}"
    broken = platform.sql(
        "SELECT e.job_id, e.id, e.old, lag(e.new) OVER w FROM orchestration_event e WHERE e.kind = 'job'"
        " WINDOW w AS (PARTITION BY e.job_id ORDER BY e.id)"
    )
    chain = [row for row in broken if row[3] is not None and row[2] != row[3]]
    assert not chain, f"I3: events that do not follow on one another: {chain}"


def _no_doubled_effect(platform: Platform) -> None:
    """I4."""
    doubled = platform.sql(
        "SELECT job_id, step, item_index, name, count(*) FROM orchestration_file"
        " WHERE job_id IS NOT NULL AND superseded_at IS NULL GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    )
    assert not doubled, f"I4: outputs twice: {doubled}"
    two_successes = platform.sql(
        "SELECT item_id, run, count(*) FROM orchestration_attempt WHERE state = 'SUCCEEDED'"
        " GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert not two_successes, f"I4: items that succeeded twice: {two_successes}"
    stray = platform.sql(
        "SELECT f.id FROM orchestration_file f JOIN orchestration_attempt a ON a.id = f.attempt_id"
        " WHERE a.state <> 'SUCCEEDED'"
    )
    assert not stray, f"I4: outputs of attempts that did not succeed: {stray}"
    executions = platform.sql(
        "SELECT job_id, run, count(*) FROM (SELECT split_part(name, '-r', 1) AS job_id,"
        " split_part(name, '-r', 2) AS run FROM orchestration_execution) x GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert not executions, f"I4: more than one execution of a run: {executions}"


def _one_job_a_key(platform: Platform, journal: Journal) -> None:
    """I14."""
    for key, job_ids in journal.jobs.items():
        assert len(job_ids) == 1, f"I14: key {key} was answered with {job_ids}"
        rows = platform.sql("SELECT count(*) FROM orchestration_job WHERE idempotency_key = %s", key)
        assert rows[0][0] == 1, f"I14: key {key} made {rows[0][0]} jobs"


def _nothing_left_over(platform: Platform) -> None:
    """I12: no process and no work folder of an attempt that has ended."""
    ended = platform.sql("SELECT id FROM orchestration_attempt WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 50")
    deadline = time.monotonic() + 10
    left = ["?"]
    while left and time.monotonic() < deadline:
        left = [str(pid) for (attempt_id,) in ended for pid in _of_attempt(attempt_id)]
        work = Path(platform.home, "work")
        left += [str(path) for path in work.iterdir()] if work.exists() else []
        time.sleep(0.1 if left else 0)
    assert not left, f"I12: left behind: {left}"
    open_attempts = platform.sql("SELECT id, state FROM orchestration_attempt WHERE finished_at IS NULL")
    assert not open_attempts, f"I3: attempts without an end: {open_attempts}"
