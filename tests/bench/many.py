"""Ten thousand jobs by one call: retried, resubmitted, canceled. And a thousand submitted by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tests.bench.load import cpu_s
from tests.bench.rows import Row

if TYPE_CHECKING:
    from tests.live.platform import Platform

BROKEN: Final = """\
pipeline: bench-broken
version: 1.0.0
title: Nothing, and that badly
steps:
  - name: nothing
    command: ["false"]
"""
LIMIT_S: Final = 60
GIVE_UP_S: Final = 600
# The rows of a job, and of each the columns that name a row; the copies' names are made of the originals'.
_ROWS: Final = {
    "job": ("id",),
    "jobinput": ("job_id",),
    "steprun": ("id", "job_id"),
    "item": ("id", "step_run_id"),
    "attempt": ("id", "job_id", "item_id"),
}
_OF_JOB: Final = {
    "job": "id = %s",
    "jobinput": "job_id = %s",
    "steprun": "job_id = %s",
    "item": "step_run_id IN (SELECT id FROM orchestration_steprun WHERE job_id = %s)",
    "attempt": "job_id = %s",
}


def bulk_rows(platform: Platform, file: str, scale: int) -> list[Row]:
    """Nothing is admitted meanwhile: what is measured is the operation, not the jobs."""
    number = 10_000 // scale
    platform.publish(BROKEN)
    failed = platform.wait(platform.submit("bench-broken", [file], key="bench-broken")["id"])["id"]
    platform.sql("UPDATE orchestration_workspace SET max_active_jobs = 0 RETURNING id")
    _copy(platform, failed, number - 1)
    rows = []
    try:
        # The copies stay FAILED while they are resubmitted; what that made has begun nothing and can be canceled.
        for action, chosen in (("resubmit", "failed"), ("cancel", "open"), ("retry", "failed")):
            rows += _one(platform, action, f"pipeline:bench-broken state:{chosen}", number)
    finally:
        platform.sql("UPDATE orchestration_workspace SET max_active_jobs = 1000 RETURNING id")
    return rows


def _one(platform: Platform, action: str, filter_: str, number: int) -> list[Row]:
    seen = platform.call("POST", "/bulk:preview", json={"action": action, "q": filter_}).json()["total"]
    begin, before = time.perf_counter(), cpu_s(platform.pid("worker"))
    body = {"action": action, "q": filter_, "expected": seen}
    begun = platform.call("POST", "/bulk", json=body).json()
    while not (now := platform.call("GET", f"/bulk/{begun['id']}").json())["finished_at"]:
        if time.perf_counter() - begin > GIVE_UP_S:
            raise RuntimeError(f"{action} is not done: {now}")
        time.sleep(0.1)
    took, cpu = time.perf_counter() - begin, cpu_s(platform.pid("worker")) - before
    most = LIMIT_S * number / 10_000
    each = f"{took:.1f} s, {cpu * 1000 / seen:.2f} CPU-ms of the worker each"
    return [
        Row(f"{seen:,} jobs, {action}", each, f"< {most:.0f} s", took < most),
        Row("  of them not done", str(now["total"] - now["done"]), "0", now["total"] == now["done"]),
    ]


def _copy(platform: Platform, job: str, number: int) -> None:
    for table, names in _ROWS.items():
        found = platform.sql(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_default IS NULL"
            " AND is_identity = 'NO'",
            f"orchestration_{table}",
        )
        columns = [name for (name,) in found if name != "idempotency_key"]
        values = [f"md5(n || {c}::text)::uuid" if c in names else c for c in columns]
        platform.sql(
            f"INSERT INTO orchestration_{table} ({', '.join(columns)}) SELECT {', '.join(values)}"  # noqa: S608
            f" FROM orchestration_{table}, generate_series(1, %s) n WHERE {_OF_JOB[table]} RETURNING 1",
            number,
            job,
        )


def batch_rows(platform: Platform, file: str, scale: int) -> list[Row]:
    """A thousand jobs in one call, each of its own name and label; none is admitted meanwhile."""
    number = 1_000 // scale
    platform.sql("UPDATE orchestration_workspace SET max_active_jobs = 0 RETURNING id")
    took, cpu = [], []
    try:
        for round_ in range(4):
            body = [_wanted(file, round_, n) for n in range(number)]
            begin, before = time.perf_counter(), cpu_s(platform.pid("web"))
            answer = platform.call(
                "POST", "/jobs:batch", json={"jobs": body}, headers={"Idempotency-Key": f"b{round_}"}
            )
            took.append(time.perf_counter() - begin)
            cpu.append(cpu_s(platform.pid("web")) - before)
            if not all(result["created"] for result in answer.json()["results"]):
                raise RuntimeError("not every job was taken")
    finally:
        platform.sql("UPDATE orchestration_workspace SET max_active_jobs = 1000 RETURNING id")
    # The first one warms up.
    seconds, each = min(took[1:]), min(cpu[1:]) * 1000 / number
    return [Row(f"{number:,} jobs in one call", f"{seconds:.2f} s, {each:.2f} CPU-ms each", "< 1 s", seconds < 1)]


def _wanted(file: str, round_: int, number: int) -> dict[str, Any]:
    name = f"round {round_}, job {number}"
    return {"pipeline": "bench-noop", "inputs": [file], "name": name, "labels": {"number": str(number)}}
