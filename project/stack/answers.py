"""Answers that the stack gives itself: a problem document to programs, a few lines for people elsewhere."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from api_app.ga4gh.wording import problem_for

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

APIS = ("/api/", "/ga4gh/")
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
<p>{detail}</p>
</html>
"""


def is_api(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    return path.startswith(APIS) or f"{path}/" in APIS


def refusal(
    scope: MutableMapping[str, Any], status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    if is_api(scope):
        return problem_for(scope["path"], status, detail, headers=headers)
    page = PAGE.format(title=escape(HTTPStatus(status).phrase), detail=escape(detail))
    return HTMLResponse(page, status, headers=headers)
