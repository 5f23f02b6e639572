"""What the views share: who asks, in which workspace, and how a domain error is answered."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import render

from orchestration.errors import Forbidden, NotFound
from orchestration.models import User, Workspace
from orchestration.sentences import said
from orchestration.services.notifications import unread_count
from orchestration.services.sign_ins import refusals_noted
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from orchestration.errors import OrchestrationError

CHOSEN = "workspace"


class Request(HttpRequest):
    """LoginRequiredMiddleware lets nobody else through."""

    user: User
    mine: list[Workspace]


def answers_errors[**P, R: HttpResponseBase](
    view: Callable[Concatenate[Request, P], R],
) -> Callable[Concatenate[Request, P], R]:
    """The one table from domain errors to HTTP for pages; the others become messages where they occur."""

    @wraps(view)
    def answered(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with refusals_noted(user=request.user, what=f"{request.method} {view.__name__}"):
                return view(request, *args, **kwargs)
        except NotFound as exc:
            raise Http404(str(exc)) from exc
        except Forbidden as exc:
            raise PermissionDenied(str(exc)) from exc

    return answered


def whole_number(text: str, *, digits: int) -> int | None:
    """What at most so many ASCII digits say; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def workspaces_of(request: Request) -> list[Workspace]:
    """Asked of the database once a request: the page's frame needs them too."""
    if not hasattr(request, "mine"):
        request.mine = list(Workspace.objects.visible_to(request.user).order_by("id"))
    return request.mine


def workspace_of(request: Request) -> Workspace | None:
    """The workspace chosen in this session, else the first; None for somebody who is in none.

    A page that draws itself anew says which one it is of: in another tab another may have been chosen since.
    """
    mine = {w.slug: w for w in workspaces_of(request)}
    chosen = (request.GET.get("workspace", ""), request.session.get(CHOSEN, ""), *mine)
    return next((mine[slug] for slug in chosen if slug in mine), None)


def page(request: Request, template: str, context: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    return render(request, template, frame_of(request) | (context or {}), status=status)


def frame_of(request: Request) -> dict[str, Any]:
    """What the frame of a page needs: the reader's workspaces and what they may do here."""
    here = workspace_of(request)
    return {
        "workspaces": workspaces_of(request),
        "workspace": here,
        "unread": unread_count(user=request.user),
        "can_submit": here is not None and here.lets(request.user, Role.SUBMITTER),
        "can_manage": here is not None and here.lets(request.user, Role.MANAGER),
    }


@contextmanager
def refusals_said(request: Request, *refusals: type[OrchestrationError]) -> Iterator[None]:
    """What a service refuses in the block becomes a message on the next page."""
    try:
        yield
    except refusals as exc:
        messages.error(request, said(exc))
