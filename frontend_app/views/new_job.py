"""Files, a pipeline, its parameters: one page, from the drop to the submitted job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from frontend_app.forms import by_field, fields_of, read_params
from frontend_app.http import Request, answers_errors, page, whole_number, workspace_of
from frontend_app.words import DEADLINES, language, type_word
from orchestration.errors import IdempotencyKeyReused, NotFound, OrchestrationError
from orchestration.figures import size_words
from orchestration.ids import uuid_or_none
from orchestration.models import File, Job, Pipeline, PipelineVersion, Workspace
from orchestration.services import jobs
from orchestration.services.access import find_job
from orchestration.services.pipelines import find_version
from orchestration.services.tickets import issue_ticket
from orchestration.spec.model import PipelineSpec
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.http import HttpResponse

TEMPLATE: Final = "frontend_app/jobs/new.html"
MAX_KEY: Final = 64
MAX_SECONDS_DIGITS: Final = 8


@dataclass(slots=True)
class Draft:
    """The form as it stands. `values` are JSON or texts by parameter; `errors` by parameter or control."""

    files: list[File]
    reference: str = ""
    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    error: str = ""
    key: str = field(default_factory=lambda: str(uuid4()))
    source: Job | None = None
    deadline_s: int | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def job_new(request: Request) -> HttpResponse:
    source = _source(request)
    here = source.workspace if source else workspace_of(request)
    if here is None or not here.lets(request.user, Role.SUBMITTER):
        return page(request, "frontend_app/jobs/may_not.html", {"workspace": here})
    if request.method != "POST":
        return _show(request, here, _opened(request, here, source))
    draft = _sent(request, here, source)
    job = _submit(request, here, draft)
    return redirect("job-detail", job.pk) if job else _show(request, here, draft, status=422)


@require_safe
@answers_errors
def job_new_params(request: Request) -> HttpResponse:
    """The parameters of `?pipeline=` alone, when another one is chosen."""
    version = find_version(user=request.user, reference=request.GET.get("pipeline", ""))
    context = {"fields": _fields(version, Draft(files=[])), "shown": str(version)}
    return render(request, f"{TEMPLATE}#params", context)


def _source(request: Request) -> Job | None:
    """The job that is being resubmitted, if it is one."""
    job_id = uuid_or_none((request.POST if request.method == "POST" else request.GET).get("from", ""))
    return find_job(user=request.user, job_id=job_id) if job_id else None


def _opened(request: Request, here: Workspace, source: Job | None) -> Draft:
    if source is None:
        ids = [i for i in map(uuid_or_none, request.GET.getlist("file")) if i]
        return Draft(files=_files(request, here, ids), reference=_latest(request, request.GET.get("pipeline", "")))
    return Draft(
        files=_files(request, here, source.job_inputs.values_list("file", flat=True)),
        reference=str(source.pipeline_version),
        name=source.name,
        values=source.params,
        source=source,
    )


def _latest(request: Request, name: str) -> str:
    try:
        return str(find_version(user=request.user, reference=name)) if name else ""
    except NotFound:
        return ""


def _sent(request: Request, here: Workspace, source: Job | None) -> Draft:
    ids = [i for i in map(uuid_or_none, request.POST.get("files", "").split(",")) if i]
    return Draft(
        files=_files(request, here, ids),
        reference=request.POST.get("pipeline", ""),
        name=request.POST.get("name", ""),
        key=request.POST.get("key", "")[:MAX_KEY] or str(uuid4()),
        source=source,
        deadline_s=whole_number(request.POST.get("deadline", ""), digits=MAX_SECONDS_DIGITS),
    )


def _files(request: Request, here: Workspace, ids: Iterable[UUID]) -> list[File]:
    """In the order given; what is deleted or somebody else's is left out, and missing files are seen at once."""
    wanted = list(dict.fromkeys(ids))
    found = File.objects.visible_to(request.user).current().filter(workspace=here).in_bulk(wanted)
    return [found[i] for i in wanted if i in found]


def _submit(request: Request, here: Workspace, draft: Draft) -> Job | None:
    """The job, or None with what is wrong noted in the draft."""
    if not draft.files:
        draft.errors["files"] = _("Add at least one file.")
    if not draft.reference:
        draft.errors["pipeline"] = _("Choose a pipeline.")
        return None
    version = find_version(user=request.user, reference=draft.reference)
    if request.POST.get("shown") != draft.reference:
        # Without this line, boxes that were never on the page would count as not ticked.
        draft.error = _("These are the parameters of the pipeline you chose. Look at them, then submit.")
        return None
    schema = PipelineSpec.from_json(version.spec).params
    typed = read_params(schema, request.POST)
    draft.values = typed.texts
    draft.errors |= typed.errors
    if draft.errors:
        return None
    try:
        job = _send(request, here, draft, typed.values)
    except OrchestrationError as exc:
        problems = {str(p["loc"][-1]): p["msg"] for p in exc.details.get("errors", ()) if p["loc"][0] == "params"}
        draft.errors |= by_field(schema, problems)
        draft.error = "" if problems else str(exc)
        return None
    return job


def _send(request: Request, here: Workspace, draft: Draft, params: dict[str, Any]) -> Job:
    """Through the one door. The page's key makes a second click the same job."""
    wanted: dict[str, Any] = {
        "pipeline": draft.reference,
        "inputs": tuple(file.pk for file in draft.files),
        "params": params,
        "name": draft.name.strip(),
        "deadline_s": draft.deadline_s,
    }
    try:
        return _submitted(request, here, draft, wanted)
    except IdempotencyKeyReused:
        # Somebody went back to the page of a job that exists and changed something: another job is meant.
        draft.key = str(uuid4())
        return _submitted(request, here, draft, wanted)


def _submitted(request: Request, here: Workspace, draft: Draft, wanted: dict[str, Any]) -> Job:
    if draft.source is not None:
        return jobs.resubmit(user=request.user, job=draft.source, changes=wanted, idempotency_key=draft.key)[0]
    asked = jobs.Request(workspace=here.slug, **wanted)
    return jobs.submit(user=request.user, request=asked, idempotency_key=draft.key)[0]


def _show(request: Request, here: Workspace, draft: Draft, status: int = 200) -> HttpResponse:
    version = find_version(user=request.user, reference=draft.reference) if draft.reference else None
    context = {
        "draft": draft,
        "choices": _choices(request, version),
        "fields": _fields(version, draft) if version else [],
        "shown": draft.reference,
        "picked": [_picked(file) for file in draft.files],
        "deadlines": DEADLINES,
        "ticket": issue_ticket(request.user, here),
        "workspace": here,
    }
    response = page(request, TEMPLATE, context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _picked(file: File) -> dict[str, Any]:
    said = f"{type_word(file.media_type)} · {size_words(file.size)}"
    return {
        "id": str(file.pk),
        "name": file.name,
        "path": file.path,
        "size": file.size,
        "type": file.media_type,
        "note": said,
    }


def _choices(request: Request, chosen: PipelineVersion | None) -> list[dict[str, Any]]:
    """The latest of each pipeline, and the chosen one where that is an earlier version."""
    pipelines = Pipeline.objects.visible_to(request.user).select_related("latest__pipeline")
    versions = []
    for pipeline in pipelines.order_by("name"):
        if chosen and chosen.pipeline_id == pipeline.pk and chosen != pipeline.latest:
            versions.append(chosen)
        if pipeline.latest:
            versions.append(pipeline.latest)
    return [_choice(version, is_chosen=version == chosen) for version in versions]


def _choice(version: PipelineVersion, *, is_chosen: bool) -> dict[str, Any]:
    spec = PipelineSpec.from_json(version.spec)
    return {
        "reference": str(version),
        "name": spec.name,
        "version": spec.version,
        "title": spec.title.text(language()),
        "description": spec.description.text(language()),
        "accepts": spec.accepts,
        "types": " ".join(spec.accepts.types),
        "is_chosen": is_chosen,
    }


def _fields(version: PipelineVersion, draft: Draft) -> list[Any]:
    return fields_of(PipelineSpec.from_json(version.spec).params_in(language()), draft.values, draft.errors)
