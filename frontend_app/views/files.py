from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said, workspace_of
from frontend_app.preview import FRAMED, TEXT_SHOWN, content_address, framing, opened, policy, preview_kind
from frontend_app.streaming import Blocks, attachment
from frontend_app.views.retention import EXTENSIONS_DAYS, undoable
from frontend_app.words import BYTES, PEEK_FAULTS
from orchestration.errors import Conflict
from orchestration.ids import uuid_or_none
from orchestration.models import File
from orchestration.models.usage import SOON
from orchestration.services.access import find_file, find_job, find_recorded_file
from orchestration.services.files import delete_file, download_url, note_read, open_content, view_url, why_not_readable
from orchestration.services.previews import look_into
from orchestration.services.receipts import THERE, history_of, receipt_of
from orchestration.services.retention import longest_term
from orchestration.services.tickets import issue_ticket
from orchestration.states import FileKind, Role, ScanState

if TYPE_CHECKING:
    from typing import BinaryIO
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

PAGE: Final = 100
_SHOWN_AS: Final = {"page": "text/html; charset=utf-8", "text": "text/plain; charset=utf-8"}
KINDS: Final = (FileKind.UPLOAD, FileKind.RESULT)


@require_safe
@answers_errors
def file_list(request: Request) -> HttpResponse:
    """Newest first; `?kind=`, `?job=`, `?going=soon` and the keyset cursor `?before=`."""
    here = workspace_of(request)
    files = File.objects.visible_to(request.user).current().filter(workspace=here)
    kind = request.GET.get("kind", "")
    files = files.filter(kind=kind) if kind in KINDS else files.filter(kind__in=KINDS)
    job_id = uuid_or_none(request.GET.get("job", ""))
    job = find_job(user=request.user, job_id=job_id) if job_id else None
    if job is not None:
        files = File.objects.results().filter(job=job)
    if going := request.GET.get("going") == "soon":
        files = files.filter(expires_at__lt=Now() + SOON, hold=False)
    if before := uuid_or_none(request.GET.get("before", "")):
        files = files.filter(pk__lt=before)
    rows = list(files.select_related("job__pipeline_version__pipeline", "created_by").order_by("-id")[: PAGE + 1])
    context = {
        "files": [(file, preview_kind(file)) for file in rows[:PAGE]],
        "kinds": KINDS,
        "kind": kind,
        "job": job,
        "going": going,
        "extensions": EXTENSIONS_DAYS,
        "is_first": before is None,
        "ticket": issue_ticket(request.user, here) if here and here.lets(request.user, Role.SUBMITTER) else "",
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
    }
    return page(request, "frontend_app/files/list.html", context)


@require_safe
@answers_errors
def file_detail(request: Request, file_id: UUID) -> HttpResponse:
    """Of a deleted file, what is left: its receipt."""
    file = find_recorded_file(user=request.user, file_id=file_id)
    context = {
        "file": file,
        "kind": preview_kind(file),
        "kept_back": "" if file.scan_state == ScanState.CLEAN else why_not_readable(file),
        "is_quarantined": file.scan_state == ScanState.QUARANTINED,
        "extensions": EXTENSIONS_DAYS,
        "latest": timezone.now() + longest_term(),
        # In the file's workspace, which need not be the one chosen for the lists.
        "can_submit": file.workspace.lets(request.user, Role.SUBMITTER),
        "can_manage": file.workspace.lets(request.user, Role.MANAGER),
    }
    if file.deleted_at is None:
        return page(request, "frontend_app/files/detail.html", context | {"events": history_of(file=file)})
    receipt = receipt_of(file=file)
    context |= {
        "receipt": receipt,
        "events": receipt.events,
        "bytes_words": BYTES[receipt.bytes.state],
        "can_undelete": receipt.bytes.state == THERE and File.objects.deleted().filter(pk=file.pk).exists(),
    }
    return page(request, "frontend_app/files/gone.html", context)


@require_safe
@answers_errors
def file_content(request: Request, file_id: UUID) -> HttpResponseBase:
    file = find_file(user=request.user, file_id=file_id)
    _require_clean(file)
    note_read(user=request.user, file=file)
    if url := download_url(file, media_type="application/octet-stream"):
        return _sent_on(url)
    return attachment(request, _open(file), name=file.name.rpartition("/")[2], size=file.size, sha256=file.sha256)


def _sent_on(url: str) -> HttpResponse:
    """To object storage, which has the bytes; the address is good for minutes, so nobody may keep it."""
    response = redirect(url)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@answers_errors
@xframe_options_exempt
def file_preview(request: Request, file_id: UUID) -> HttpResponseBase:
    """The bytes as an image or a page, or the beginning of a text, under a policy that lets nothing run."""
    file = find_file(user=request.user, file_id=file_id)
    if not preview_kind(file):
        raise Http404(_("This kind of file has no preview."))
    _require_clean(file)
    note_read(user=request.user, file=file)
    if settings.CONTENT_ORIGIN:
        return _sent_on(content_address(file))
    return _shown(request, file)


@require_safe
@login_not_required
@xframe_options_exempt
def content(request: HttpRequest) -> HttpResponseBase:
    """The same on the origin of files, where nobody is signed in: whoever has the address may see it, for minutes."""
    if request.get_host() != urlsplit(settings.CONTENT_ORIGIN).netloc:
        raise Http404
    file_id = opened(request.GET.get("seal", ""))
    file = File.objects.current().filter(pk=file_id).first() if file_id else None
    if file is None or not preview_kind(file):
        raise Http404("There is nothing here any more.")
    return _shown(request, file)


def _shown(request: HttpRequest, file: File) -> HttpResponseBase:
    kind = preview_kind(file)
    if kind == "inside":
        return _inside(request, file)
    if shown := view_url(file, media_type=_SHOWN_AS.get(kind, file.media_type)):
        return _from_storage(request, file, kind, *shown)
    response: HttpResponseBase
    if kind == "text":
        with _open(file) as source:
            text = source.read(TEXT_SHOWN).decode("utf-8", "replace")
        context = {"file": file, "text": text, "is_cut": file.size > TEXT_SHOWN}
        response = render(request, "frontend_app/files/text.html", context)
    else:
        media_type = _SHOWN_AS.get(kind, file.media_type)
        response = StreamingHttpResponse(Blocks(_open(file), file.size), content_type=media_type)
        response["Content-Length"] = str(file.size)
    response["Content-Security-Policy"] = policy()
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _inside(request: HttpRequest, file: File) -> HttpResponse:
    peek = look_into(file)
    context = {"file": file, "peek": peek, "fault": PEEK_FAULTS.get(peek.fault, "")}
    response = render(request, "frontend_app/files/inside.html", context)
    response["Content-Security-Policy"] = policy()
    response["Cache-Control"] = "no-store" if peek.fault else "private, max-age=3600"
    return response


def _from_storage(request: HttpRequest, file: File, kind: str, url: str, origin: str) -> HttpResponse:
    if kind == "image":
        return _sent_on(url)
    response = render(request, "frontend_app/files/frame.html", {"file": file, "url": url})
    response["Content-Security-Policy"] = FRAMED.format(origin=origin, pages=framing())
    response["Cache-Control"] = "no-store"
    return response


def _require_clean(file: File) -> None:
    if file.scan_state != ScanState.CLEAN:
        raise PermissionDenied(why_not_readable(file))


def _open(file: File) -> BinaryIO:
    try:
        return open_content(file)
    except FileNotFoundError as exc:
        raise Http404(_("The bytes of this file are gone.")) from exc


@require_POST
@answers_errors
def file_delete(request: Request, file_id: UUID) -> HttpResponse:
    file = find_file(user=request.user, file_id=file_id)
    with refusals_said(request, Conflict):
        delete_file(user=request.user, file=file)
        said = _("%(name)s is deleted. It can be brought back for 30 days.") % {"name": file.name}
        messages.success(request, undoable(said, address=reverse("file-undelete", args=[file.pk])))
    return redirect("file-list")
