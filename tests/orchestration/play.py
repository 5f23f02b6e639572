"""Plays supervisor and runner against the real services, without processes: one call, one move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.engines.local import leases
from orchestration.execution.dispatch import dispatch
from orchestration.services import runner
from orchestration.services.jobs import Request, submit
from orchestration.services.runner import Holder
from tests.factories import publish_pipeline

if TYPE_CHECKING:
    from orchestration.models import Attempt, File, Job, PipelineVersion, User

ALL = (1_000.0, 1 << 50)

TWO_STEPS = """\
pipeline: two-steps
version: 1.0.0
title: Convert and report
steps:
  - name: convert
    command: [convert]
    for_each: input
    retry: {attempts: 2, on: [interrupted], backoff: 1s}
    tolerate: {failed_items: 50%}
  - name: report
    needs: [convert]
    command: [report]
"""


def submitted(user: User, version: PipelineVersion | None = None, files: tuple[File, ...] = (), **fields: Any) -> Job:
    version = version or publish_pipeline()
    inputs = tuple(file.pk for file in files)
    job, _ = submit(user=user, request=Request(pipeline=version.pipeline.name, inputs=inputs, params={}, **fields))
    return job


def lease(number: int = 1_000) -> list[Attempt]:
    return leases.take("here:test", vcpus=float(number), memory_bytes=1 << 50, limits=ALL)


def holder(attempt: Attempt) -> Holder:
    return Holder(attempt.pk, attempt.fence)


def run(attempt: Attempt, outcome: str = "succeeded", **said: Any) -> None:
    """Begin and end an attempt as its runner would."""
    runner.begin(holder=holder(attempt))
    end(attempt, outcome, **said)


def end(attempt: Attempt, outcome: str = "succeeded", **said: Any) -> None:
    runner.finish(holder=holder(attempt), outcome=outcome, outputs=said.pop("outputs", []), **said)


def run_all(job: Job, failing: dict[int, str] | None = None) -> Job:
    """To the end: items whose index is in `failing` fail with that kind."""
    dispatch()
    for _ in range(20):
        attempts = lease()
        if not attempts:
            break
        for attempt in attempts:
            kind = (failing or {}).get(attempt.item_index) if attempt.step != "report" else None
            if kind:
                run(attempt, "failed", failure_kind=kind, detail=f"item {attempt.item_index} is broken")
            else:
                run(attempt)
    job.refresh_from_db()
    return job
