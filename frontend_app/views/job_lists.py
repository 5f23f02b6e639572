"""How somebody likes her list of jobs: filters saved by a name, and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from frontend_app.http import Request, answers_errors, refusals_said, workspace_of
from frontend_app.views.job_list import list_address
from frontend_app.views.retention import undoable
from orchestration.errors import Conflict, Invalid
from orchestration.services import job_lists

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse


@require_POST
@answers_errors
def filter_save(request: Request) -> HttpResponse:
    here, wanted = workspace_of(request), request.POST.get("q", "")
    if here is None:
        raise Http404
    with refusals_said(request, Invalid):
        saved = job_lists.save_filter(
            user=request.user, workspace=here, name=request.POST.get("name", ""), filter=wanted
        )
        messages.success(request, _("Saved as %(name)s.") % {"name": saved.name})
    return redirect(list_address(wanted, here.slug))


@require_POST
@answers_errors
def filter_rename(request: Request, filter_id: UUID) -> HttpResponse:
    with refusals_said(request, Invalid, Conflict):
        job_lists.rename_filter(user=request.user, filter_id=filter_id, name=request.POST.get("name", ""))
        messages.success(request, _("Renamed."))
    return _back(request)


@require_POST
@answers_errors
def filter_delete(request: Request, filter_id: UUID) -> HttpResponse:
    gone = job_lists.delete_filter(user=request.user, filter_id=filter_id)
    said = _("%(name)s is deleted.") % {"name": gone.name}
    messages.success(request, undoable(said, address=reverse("filter-undelete", args=[filter_id])))
    return _back(request)


@require_POST
@answers_errors
def filter_undelete(request: Request, filter_id: UUID) -> HttpResponse:
    with refusals_said(request, Conflict):
        saved = job_lists.undelete_filter(user=request.user, filter_id=filter_id)
        messages.success(request, _("%(name)s is back.") % {"name": saved.name})
    return _back(request)


@require_POST
def columns_choose(request: Request) -> HttpResponse:
    is_usual = "usual" in request.POST
    job_lists.choose_columns(user=request.user, columns=None if is_usual else request.POST.getlist("column"))
    return _back(request)


def _back(request: Request) -> HttpResponse:
    """To the list as it was, filter and all."""
    where = request.META.get("HTTP_REFERER", "")
    ours = url_has_allowed_host_and_scheme(where, {request.get_host()}, require_https=request.is_secure())
    return redirect(where if ours else "job-list")
