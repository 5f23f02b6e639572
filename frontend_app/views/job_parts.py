"""What the live parts of a job's page show, read from rows each time. Every list here is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, IntegerField, Value, When

from frontend_app.preview import preview_kind
from frontend_app.step_graph import graph_of
from frontend_app.words import language
from orchestration.models import Attempt, Event, File, Item, Job, JobInput
from orchestration.services.costs import cost_of
from orchestration.services.status import attempts_of, job_status, results_of
from orchestration.spec.model import PipelineSpec
from orchestration.states import ATTEMPT_LIVE, UNSUCCESSFUL, AttemptState, EventKind, JobState, ScanState, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_RESULTS: Final = 100
MOST_FAILURES: Final = 100
MOST_ATTEMPTS: Final = 50
MOST_EVENTS: Final = 100
MOST_INPUTS: Final = 100
FAILED: Final = UNSUCCESSFUL - {WorkState.CANCELED, WorkState.SKIPPED}


def live_parts(job: Job) -> dict[str, Any]:
    spec = PipelineSpec.from_json(job.pipeline_version.spec)
    failures = _failures(job)
    status = job_status(job, language=language())
    return {
        "job": job,
        "status": status,
        "graph": graph_of(spec, status.steps) if len(status.steps) > 1 else None,
        "can_cancel": not job.is_finished and not job.is_canceling,
        "can_retry": job.is_finished and job.state != JobState.SUCCEEDED,
        "can_rerun": job.is_finished and bool(failures["failures"]),
        **failures,
        **_results(job, spec),
        **_attempts(job),
        "cost": cost_of(job),
        "events": _events(job),
    }


def still_parts(job: Job) -> dict[str, Any]:
    """What never changes: inputs and parameters."""
    inputs = job.job_inputs.select_related("file")
    spec = PipelineSpec.from_json(job.pipeline_version.spec)
    rules = spec.params["properties"]
    return {
        "title": spec.title.text(language()),
        "inputs": inputs[:MOST_INPUTS],
        "inputs_more": max(0, job.input_count - MOST_INPUTS),
        # In the order of the form; PostgreSQL keeps none.
        "params": [(rule.get("title") or name, job.params[name]) for name, rule in rules.items() if name in job.params],
    }


def source_names(job: Job, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The input file that an item of a fan-out stands for, by (step, index)."""
    spec = PipelineSpec.from_json(job.pipeline_version.spec)
    fans_out = {step.name for step in spec.steps if step.for_each}
    wanted = [(step, index) for step, index in places if step in fans_out]
    inputs = JobInput.objects.filter(job=job, position__in={index for _, index in wanted})
    names = dict(inputs.values_list("position", "file__name"))
    return {(step, index): names[index] for step, index in wanted if index in names}


def _failures(job: Job) -> dict[str, Any]:
    failed = Item.objects.filter(step_run__job=job, state__in=FAILED)
    rows = list(failed.select_related("step_run").order_by("step_run__position", "index")[: MOST_FAILURES + 1])
    names = source_names(job, [(item.step_run.name, item.index) for item in rows])
    shown = [
        {"item": item, "step": item.step_run.name, "source": names.get((item.step_run.name, item.index), "")}
        for item in rows[:MOST_FAILURES]
    ]
    total = failed.count() if len(rows) > MOST_FAILURES else len(rows)
    return {"failures": shown, "failures_total": total}


def _results(job: Job, spec: PipelineSpec) -> dict[str, Any]:
    """Reports first: the last step that ran once for the whole job made what people came for."""
    whole = [step.name for step in spec.steps if not step.for_each]
    last_first = [step.name for step in reversed(spec.steps)]
    order = Case(*[When(step=s, then=Value(n)) for n, s in enumerate(last_first)], output_field=IntegerField())
    files: list[File] = list(results_of(job).order_by(order, "item_index", "name")[: MOST_RESULTS + 1])
    report = next((f for f in files if f.step in whole and _shown_as(f) == "page"), None)
    total = results_of(job).count() if len(files) > MOST_RESULTS else len(files)
    names = source_names(job, [(f.step, f.item_index) for f in files if f.item_index is not None])
    shown = [
        {"file": f, "kind": _shown_as(f), "source": names.get((f.step, f.item_index or 0), "")}
        for f in files[:MOST_RESULTS]
    ]
    return {"results": shown, "results_total": total, "report": report}


def _shown_as(file: File) -> str:
    """Nothing of what has been found damaged since."""
    return preview_kind(file) if file.scan_state == ScanState.CLEAN else ""


def _attempts(job: Job) -> dict[str, Any]:
    attempts = attempts_of(job)
    total = attempts.count()
    # Of ten thousand that are queued, none may hide the one that runs.
    first = Case(When(state__in=ATTEMPT_LIVE, then=0), When(state=AttemptState.QUEUED, then=2), default=1)
    rows: list[Attempt] = list(attempts.order_by(first, "-id")[:MOST_ATTEMPTS])
    names = source_names(job, [(a.step, a.item_index) for a in rows])
    shown = [{"attempt": a, "source": names.get((a.step, a.item_index), "")} for a in rows]
    return {"attempts": shown, "attempts_total": total, "current": _worth_reading(shown)}


def _worth_reading(shown: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Whose log to show first: the oldest that runs, else the last that failed and was not mended, else the last."""
    live = [row for row in shown if row["attempt"].state in ATTEMPT_LIVE]
    latest: dict[tuple[str, int], dict[str, Any]] = {}
    for row in shown:
        latest.setdefault((row["attempt"].step, row["attempt"].item_index), row)
    failed = [row for row in latest.values() if row["attempt"].state in FAILED]
    return live[-1] if live else failed[0] if failed else shown[0] if shown else None


def _events(job: Job) -> list[Event]:
    """The newest first. Progress is a bar, not history."""
    events = Event.objects.filter(job_id=job.pk).exclude(kind=EventKind.PROGRESS)
    return list(events.order_by("-id")[:MOST_EVENTS])
