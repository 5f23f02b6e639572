"""What the live parts of a job's page show, read from rows each time. Every list here is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Case, When

from frontend_app.preview import preview_kind
from frontend_app.step_graph import graph_of
from frontend_app.views.job_list import list_address
from frontend_app.words import language
from orchestration.models import Attempt, Event, File, Item, Job, JobInput
from orchestration.models.ready import Ready
from orchestration.services.job_search import label_filter
from orchestration.services.pipelines import spec_of
from orchestration.services.status import attempts_of, in_order, results_of
from orchestration.states import ATTEMPT_LIVE, UNSUCCESSFUL, AttemptState, EventKind, JobState, ScanState, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from orchestration.services.whole import Whole
    from orchestration.spec.model import PipelineSpec

LIVE: Final = frozenset({"status", "cost"})
"""What is to be found together with a job for its live parts."""
MOST_RESULTS: Final = 100
MOST_FAILURES: Final = 100
MOST_ATTEMPTS: Final = 50
MOST_EVENTS: Final = 100
MOST_INPUTS: Final = 100
FAILED: Final = UNSUCCESSFUL - {WorkState.CANCELED, WorkState.SKIPPED}


def live_parts(whole: Whole) -> dict[str, Any]:
    """Of a job that was found with LIVE. `tries` are all its attempts where they are few, else None."""
    job, status = whole.job, whole.status
    if status is None:
        raise ValueError("the job was found without its status")
    spec = spec_of(job.pipeline_version_id)
    failed = FAILED_ITEMS(job_id=job.pk) if any(step.items_failed for step in status.steps) else []
    files = NEWEST_RESULTS(job_id=job.pk)
    tries = LAST_ATTEMPTS(job_id=job.pk)
    events = NEWEST_EVENTS(job_id=job.pk)
    names = source_names(
        job,
        [(item.step_run.name, item.index) for item in failed]
        + [(file.step, file.item_index) for file in files if file.item_index is not None]
        + [(attempt.step, attempt.item_index) for attempt in tries],
    )
    failures = [
        {"item": item, "step": item.step_run.name, "source": names.get((item.step_run.name, item.index), "")}
        for item in failed
    ]
    attempts = [{"attempt": a, "source": names.get((a.step, a.item_index), "")} for a in tries[:MOST_ATTEMPTS]]
    return {
        "job": job,
        "status": status,
        "graph": graph_of(spec, status.steps) if len(status.steps) > 1 else None,
        "labels": [(key, value, _alike(job, key, value)) for key, value in sorted(job.labels.items())],
        "can_cancel": not job.is_finished and not job.is_canceling,
        "can_retry": job.is_finished and job.state != JobState.SUCCEEDED,
        "can_rerun": job.is_finished and bool(failures),
        "failures": failures,
        "failures_total": sum(step.items_failed for step in status.steps),
        **_results(job, spec, files, names),
        "attempts": attempts,
        "attempts_total": len(tries) if len(tries) <= MOST_ATTEMPTS else attempts_of(job).count(),
        "current": _worth_reading(attempts),
        "cost": whole.cost,
        "events": events,
        "tries": sorted(tries, key=_by_id) if len(tries) <= MOST_ATTEMPTS else None,
        "names": names,
    }


def still_parts(job: Job) -> dict[str, Any]:
    """What never changes: inputs and parameters."""
    inputs = job.job_inputs.select_related("file")
    spec = spec_of(job.pipeline_version_id)
    rules = spec.params_in(language())["properties"]
    return {
        "title": spec.title.text(language()),
        "inputs": inputs[:MOST_INPUTS],
        "inputs_more": max(0, job.input_count - MOST_INPUTS),
        # In the order of the form; PostgreSQL keeps none.
        "params": [(rule.get("title") or name, job.params[name]) for name, rule in rules.items() if name in job.params],
    }


def source_names(job: Job, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The input file that an item of a fan-out stands for, by (step, index)."""
    fans_out = {step.name for step in spec_of(job.pipeline_version_id).steps if step.for_each}
    wanted = {(step, index) for step, index in places if step in fans_out}
    if not wanted:
        return {}
    inputs = JobInput.objects.filter(job=job, position__in={index for _, index in wanted})
    names = dict(inputs.values_list("position", "file__name"))
    return {(step, index): names[index] for step, index in wanted if index in names}


def _alike(job: Job, key: str, value: str) -> str:
    """The list of the workspace's jobs with that label; "" where no filter can say it."""
    wanted = label_filter(key, value)
    return list_address(wanted, job.workspace.slug) if wanted else ""


def _results(job: Job, spec: PipelineSpec, files: list[File], names: dict[tuple[str, int], str]) -> dict[str, Any]:
    """Reports first: the last step that ran once for the whole job made what people came for."""
    whole = [step.name for step in spec.steps if not step.for_each]
    report = next((f for f in files if f.step in whole and _shown_as(f) == "page"), None)
    total = results_of(job).count() if len(files) > MOST_RESULTS else len(files)
    shown = [
        {"file": f, "kind": _shown_as(f), "source": names.get((f.step, f.item_index or 0), "")}
        for f in files[:MOST_RESULTS]
    ]
    return {"results": shown, "results_total": total, "report": report}


def _shown_as(file: File) -> str:
    """Nothing of what has been found damaged since."""
    return preview_kind(file) if file.scan_state == ScanState.CLEAN else ""


def _failed(job_id: UUID) -> QuerySet[Item]:
    failed = Item.objects.filter(step_run__job=job_id, state__in=FAILED)
    return failed.select_related("step_run").order_by("step_run__position", "index")[:MOST_FAILURES]


def _attempts(job_id: UUID) -> QuerySet[Attempt]:
    """Of ten thousand that are queued, none may hide the one that runs."""
    first = Case(When(state__in=ATTEMPT_LIVE, then=0), When(state=AttemptState.QUEUED, then=2), default=1)
    return Attempt.objects.filter(job=job_id).order_by(first, "-id")[: MOST_ATTEMPTS + 1]


def _results_now(job_id: UUID) -> QuerySet[File]:
    return in_order(File.objects.results().filter(job=job_id))[: MOST_RESULTS + 1]


def _events(job_id: UUID) -> QuerySet[Event]:
    """The newest first. Progress is a bar, not history."""
    return Event.objects.filter(job_id=job_id).exclude(kind=EventKind.PROGRESS).order_by("-id")[:MOST_EVENTS]


FAILED_ITEMS: Final = Ready(_failed, job_id=UUID)
LAST_ATTEMPTS: Final = Ready(_attempts, job_id=UUID)
NEWEST_RESULTS: Final = Ready(_results_now, job_id=UUID)
NEWEST_EVENTS: Final = Ready(_events, job_id=UUID)


def _by_id(attempt: Attempt) -> UUID:
    return attempt.pk


def _worth_reading(shown: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Whose log to show first: the oldest that runs, else the last that failed and was not mended, else the last."""
    live = [row for row in shown if row["attempt"].state in ATTEMPT_LIVE]
    latest: dict[tuple[str, int], dict[str, Any]] = {}
    for row in shown:
        latest.setdefault((row["attempt"].step, row["attempt"].item_index), row)
    failed = [row for row in latest.values() if row["attempt"].state in FAILED]
    return live[-1] if live else failed[0] if failed else shown[0] if shown else None
