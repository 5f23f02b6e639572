"""What is signed of a job: an in-toto statement whose predicate is SLSA provenance, with attempts and cost beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from orchestration.models import Attempt, File, JobInput
from orchestration.services.costs import cost_of
from orchestration.services.results import names_of

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.models import Job

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:esteira:job:v1"


def statement_of(job: Job) -> dict[str, Any]:
    """Of a job that has finished."""
    return {
        "_type": STATEMENT,
        "subject": _subjects(job),
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": _definition(job), "runDetails": _run(job)},
    }


def _subjects(job: Job) -> list[dict[str, Any]]:
    names = names_of(job)
    files = File.objects.results().filter(job=job).in_bulk(list(names))
    return [_subject(files[pk], name) for pk, name in names.items() if pk in files]


def _subject(file: File, name: str) -> dict[str, Any]:
    about = {"file": str(file.pk), "size": file.size, "mediaType": file.media_type, "step": file.step}
    return {"name": name, "digest": {"sha256": file.sha256}, "annotations": about}


def _definition(job: Job) -> dict[str, Any]:
    version = job.pipeline_version
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "pipeline": version.pipeline.name,
            "version": version.version,
            "params": job.params,
        },
        "internalParameters": {
            "job": str(job.pk),
            "run": job.run,
            "state": job.state,
            "workspace": job.workspace.slug,
            "submittedBy": job.created_by.username,
        },
        "resolvedDependencies": [*_pipeline(job), *_inputs(job)],
    }


def _pipeline(job: Job) -> list[dict[str, Any]]:
    version = job.pipeline_version
    name = f"{version.pipeline.name}@{version.version}"
    parts = {"pipeline": version.digest, "code": version.bundle_sha256}
    return [
        {"name": name, "digest": {"sha256": digest}, "annotations": {"kind": kind}}
        for kind, digest in parts.items()
        if digest
    ]


def _inputs(job: Job) -> list[dict[str, Any]]:
    rows = JobInput.objects.filter(job=job).select_related("file").order_by("position")
    return [
        {
            "name": row.file.name,
            "digest": {"sha256": row.file.sha256},
            "annotations": {"kind": "input", "file": str(row.file_id), "size": row.file.size},
        }
        for row in rows
    ]


def _run(job: Job) -> dict[str, Any]:
    times = {"startedOn": _at(job.started_at), "finishedOn": _at(job.finished_at)}
    return {
        "builder": {"id": settings.PUBLIC_URL},
        "metadata": {"invocationId": job.execution_name} | {name: at for name, at in times.items() if at},
        # SLSA leaves room for fields of one's own, under one's own name.
        "esteira_attempts": [_attempt(one) for one in Attempt.objects.filter(job=job).order_by("pk")],
        "esteira_cost": _cost(job),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": str(attempt.pk),
        "step": attempt.step,
        "item": attempt.item_index,
        "run": attempt.run,
        "number": attempt.number,
        "state": attempt.state,
        "exitCode": attempt.exit_code,
        "startedOn": _at(attempt.started_at),
        "finishedOn": _at(attempt.finished_at),
        "costUsd": None if attempt.cost_usd is None else f"{attempt.cost_usd.normalize():f}",
    }


def _cost(job: Job) -> dict[str, Any] | None:
    cost = cost_of(job)
    if cost is None or cost.actual is None:
        return None
    return {"usd": f"{cost.actual.normalize():f}", "prices": cost.prices, "unpricedAttempts": cost.unpriced}


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
