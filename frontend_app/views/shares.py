"""Links to results: the pages of those who make them, and the one page of those who were given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from frontend_app.http import Request, answers_errors, page, whole_number
from frontend_app.streaming import archive_attachment, attachment
from orchestration.errors import Conflict, Invalid, NotFound, TooManyPasswords
from orchestration.ids import uuid_or_none
from orchestration.services import shares
from orchestration.services.access import find_job
from orchestration.services.files import download_url, open_content
from orchestration.states import Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from orchestration.models import ShareLink

LIFETIMES_DAYS: Final = (1, 7, 30, 90, 365)
SHOWN: Final = 200
COOKIE: Final = "esteira-share"


@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def job_share(request: Request, job_id: UUID) -> HttpResponse:
    """The address is part of the answer to the POST and of nothing else: no redirect, no session, no message."""
    job = find_job(user=request.user, job_id=job_id)
    url, error = "", ""
    if request.method == "POST":
        try:
            _share, url = shares.create_share(user=request.user, job=job, terms=_terms(request))
        except (Conflict, Invalid) as exc:
            error = str(exc)
    context = {
        "job": job,
        "url": url,
        "error": error,
        "given": request.POST,
        "links": shares.shares_of(job=job)[:SHOWN],
        "good": set(shares.shares_of(job=job).good().values_list("pk", flat=True)),
        "lifetimes": [days for days in LIFETIMES_DAYS if days <= settings.SHARE_MAX_DAYS],
        "may_act": job.workspace.lets(request.user, Role.SUBMITTER),
    }
    response = page(request, "frontend_app/shares/list.html", context, status=422 if error else 200)
    response["Cache-Control"] = "no-store"
    return response


def _terms(request: Request) -> shares.Terms:
    given = request.POST
    most = given.get("max_downloads", "").strip()
    return shares.Terms(
        days=whole_number(given.get("days", ""), digits=4) or 0,  # refused as a lifetime
        files=tuple(found for text in given.getlist("file") if (found := uuid_or_none(text))),
        name=given.get("name", ""),
        password=given.get("password", ""),
        max_downloads=(whole_number(most, digits=7) or 0) if most else None,
        has_manifest="with_manifest" in given,
    )


@require_POST
@answers_errors
def share_revoke(request: Request, share_id: UUID) -> HttpResponse:
    share = shares.find_own_share(user=request.user, share_id=share_id)
    shares.revoke_share(user=request.user, share=share)
    messages.success(request, _("The link is taken back: it leads nowhere from now on."))
    return redirect("job-share", share.job_id)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@answers_errors
def shared(request: Request, share_id: UUID) -> HttpResponse:
    """Without signing in: the files behind a link, or the question for its password."""
    share = _found(request, share_id)
    error, status = "", 200
    if request.method == "POST":
        try:
            proof = shares.unlock(share=share, password=request.POST.get("password", ""))
        except TooManyPasswords as exc:
            error, status = str(exc), 429
        else:
            if proof is not None:
                return _unlocked(request, share, proof)
            error, status = _("That is not the password."), 403
    context: dict[str, Any] = {"share": share, "error": error, "key": request.GET["key"]}
    if not _is_unlocked(request, share):
        return _private(render(request, "frontend_app/shares/locked.html", context, status=status))
    files = shares.shared_files(share)
    context |= {"files": files[:SHOWN], "total": len(files)}
    return _private(render(request, "frontend_app/shares/shared.html", context))


@login_not_required
@require_GET  # a HEAD would be told the bucket's address and counted by nobody
@answers_errors
def shared_file(request: Request, share_id: UUID, file_id: UUID) -> HttpResponseBase:
    share = _open(request, share_id)
    file, name = shares.take_file(share=share, file_id=file_id)
    if url := download_url(file, media_type="application/octet-stream"):
        return _private(redirect(url))
    try:
        source = open_content(file)
    except FileNotFoundError as exc:
        raise Http404(_("The bytes of this file are gone.")) from exc
    last = name.rpartition("/")[2]
    return _private(attachment(request, source, name=last, size=file.size, sha256=file.sha256))


@login_not_required
@require_GET
@answers_errors
def shared_zip(request: Request, share_id: UUID) -> HttpResponseBase:
    share = _open(request, share_id)
    archive = shares.shared_archive(share=share)
    shares.count_download(share)
    return _private(archive_attachment(request, archive))


def _found(request: HttpRequest, share_id: UUID) -> ShareLink:
    return shares.find_share(share_id=share_id, key=request.GET.get("key", ""))


def _open(request: HttpRequest, share_id: UUID) -> ShareLink:
    share = _found(request, share_id)
    if not _is_unlocked(request, share):
        raise NotFound(shares.GONE)
    return share


def _is_unlocked(request: HttpRequest, share: ShareLink) -> bool:
    return shares.is_unlocked(share=share, shown=request.COOKIES.get(COOKIE, ""))


def _unlocked(request: HttpRequest, share: ShareLink, proof: str) -> HttpResponse:
    response = redirect(request.get_full_path())
    response.set_cookie(
        COOKIE, proof, max_age=shares.OPEN_FOR_S, path=f"/s/{share.pk}/", secure=settings.HTTPS, httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return _private(response)


def _private[R: HttpResponseBase](response: R) -> R:
    """Kept by nobody on the way, found by no search engine. Of the address in it no other site is told (SEC-003)."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
