"""The API's reference as a page, for whoever is signed in; for anybody with ESTEIRA_API_DOCS_PUBLIC."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import JsonResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from frontend_app.api_reference.reading import reference
from frontend_app.http import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


def for_readers[R: HttpRequest](view: Callable[[R], HttpResponse]) -> Callable[[R], HttpResponse]:
    @wraps(view)
    def shown(request: R) -> HttpResponse:
        if not settings.API_DOCS_PUBLIC and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request)

    return login_not_required(shown)


def _document() -> dict[str, Any]:
    found: dict[str, Any] = import_string(settings.API_DOCUMENT)()
    return found


@require_safe
@for_readers
def api_docs(request: Any) -> HttpResponse:
    context = {"reference": reference(_document(), settings.PUBLIC_URL), "frame": "frontend_app/base.html"}
    if request.user.is_authenticated:
        return page(request, "frontend_app/api_docs/reference.html", context)
    context["frame"] = "frontend_app/api_docs/anybody.html"
    return render(request, "frontend_app/api_docs/reference.html", context)


@require_safe
@for_readers
def api_document(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(_document())
