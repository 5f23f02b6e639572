from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, workspace_of
from frontend_app.words import language
from orchestration.errors import Invalid, NotFound, QuotaExceeded
from orchestration.models import Pipeline
from orchestration.sentences import said
from orchestration.services.pipelines import find_version
from orchestration.services.samples import give_sample, sample_for
from orchestration.spec.compare import compare
from orchestration.spec.model import PipelineSpec

if TYPE_CHECKING:
    from django.http import HttpResponse

    from orchestration.models import PipelineVersion

LINES: Final = {"+": "came", "-": "went", "@": "place"}


@require_safe
def pipeline_list(request: Request) -> HttpResponse:
    pipelines = Pipeline.objects.visible_to(request.user).select_related("latest")
    latest = [p.latest for p in pipelines.order_by("name") if p.latest]
    cards = [
        {
            "name": spec.name,
            "version": version.version,
            "title": spec.title.text(language()),
            "description": spec.description.text(language()),
            "types": spec.accepts.types,
            "steps": [step.title.text(language()) for step in spec.steps],
        }
        for version, spec in ((v, PipelineSpec.from_json(v.spec)) for v in latest)
    ]
    return page(request, "frontend_app/pipelines/list.html", {"pipelines": cards})


@require_safe
@answers_errors
def pipeline_detail(request: Request, name: str) -> HttpResponse:
    """`?version=` shows an earlier one."""
    wanted = request.GET.get("version", "")
    version = find_version(user=request.user, reference=f"{name}@{wanted}" if wanted else name)
    spec = PipelineSpec.from_json(version.spec)
    context = {
        "version": version,
        "spec": spec,
        "sample": sample_for(spec.accepts),
        "title": spec.title.text(language()),
        "description": spec.description.text(language()),
        "versions": version.pipeline.versions.order_by("-published_at", "-id"),
        "params": [
            {
                "name": name,
                "rule": rule,
                "has_default": "default" in rule,
                "limits": _limits(rule),
                "is_required": name in spec.params.get("required", ()),
            }
            for name, rule in spec.params_in(language())["properties"].items()
        ],
        "steps": [{"step": step, "title": step.title.text(language())} for step in spec.steps],
    }
    return page(request, "frontend_app/pipelines/detail.html", context)


@require_POST
@answers_errors
def pipeline_try(request: Request, name: str) -> HttpResponse:
    """To the form of a new job, with a sample file chosen."""
    here, wanted = workspace_of(request), request.GET.get("version", "")
    version = find_version(user=request.user, reference=f"{name}@{wanted}" if wanted else name)
    if here is None:
        raise NotFound(_("You are in no workspace yet."))
    try:
        accepts = PipelineSpec.from_json(version.spec).accepts
        file = give_sample(user=request.user, workspace=here, accepts=accepts)
    except (Invalid, QuotaExceeded) as exc:
        messages.error(request, said(exc))
        return redirect("pipeline-detail", name)
    return redirect(f"{reverse('job-new')}?{urlencode({'pipeline': name, 'file': str(file.pk)})}")


@require_safe
@answers_errors
def pipeline_compare(request: Request, name: str) -> HttpResponse:
    """`?from=` and `?to=`; without them the latest and the one published before it."""
    latest = find_version(user=request.user, reference=name)
    versions = list(latest.pipeline.versions.order_by("-published_at", "-id"))
    new = _version(request, name, "to") or latest
    old = _version(request, name, "from") or _before(versions, new)
    lines = difflib.unified_diff(old.yaml.splitlines(), new.yaml.splitlines(), str(old), str(new), lineterm="")
    context = {
        "name": name,
        "title": PipelineSpec.from_json(new.spec).title.text(language()),
        "versions": versions,
        "old": old,
        "new": new,
        "changes": compare(PipelineSpec.from_json(old.spec), PipelineSpec.from_json(new.spec)),
        "has_other_code": old.bundle_sha256 != new.bundle_sha256,
        "lines": [(LINES.get(line[:1], ""), line) for line in lines],
    }
    return page(request, "frontend_app/pipelines/compare.html", context)


def _version(request: Request, name: str, key: str) -> PipelineVersion | None:
    wanted = request.GET.get(key, "")
    return find_version(user=request.user, reference=f"{name}@{wanted}") if wanted else None


def _before(versions: list[PipelineVersion], new: PipelineVersion) -> PipelineVersion:
    at = versions.index(new)
    return versions[min(at + 1, len(versions) - 1)]


def _limits(rule: dict[str, object]) -> str:
    """`100 to 1000000`, in the words of the table."""
    if choices := rule.get("enum"):
        return _("one of %(choices)s") % {"choices": ", ".join(map(str, choices))} if isinstance(choices, list) else ""
    low, high = rule.get("minimum", rule.get("minLength")), rule.get("maximum", rule.get("maxLength"))
    is_text = rule["type"] == "string"
    given = {"low": low, "high": high}
    if low is not None and high is not None:
        return (_("%(low)s to %(high)s characters") if is_text else _("%(low)s to %(high)s")) % given
    if high is not None:
        return (_("up to %(high)s characters") if is_text else _("up to %(high)s")) % given
    if low is not None:
        return (_("from %(low)s characters") if is_text else _("from %(low)s")) % given
    return ""
