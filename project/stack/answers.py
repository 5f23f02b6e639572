"""Answers that the stack gives itself: a problem document under /api, a few lines for people elsewhere."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from api_app.errors import problem

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

API = "/api/"
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
    return path.startswith(API) or path == API[:-1]


def refusal(
    scope: MutableMapping[str, Any], status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    if is_api(scope):
        return problem(status, detail, headers=headers)
    page = PAGE.format(title=escape(HTTPStatus(status).phrase), detail=escape(detail))
    return HTMLResponse(page, status, headers=headers)
