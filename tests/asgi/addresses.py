"""Every address of all three frameworks, from their own tables: what is added later is in here by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.urls import URLPattern, URLResolver, get_resolver
from fastapi.routing import iter_route_contexts

from api_app.main import app
from frontend_app.routing import websocket_urlpatterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MADE_UP = {"uuid": str(uuid4()), "slug": "a-slug", "int": "1"}


def pages() -> list[str]:
    found = {"/" + path for path in _paths(get_resolver().url_patterns)}
    return sorted(path for path in found if "(" not in path and "^" not in path)


def _paths(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        route = _filled(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            for below in _paths(pattern.url_patterns):
                yield route + below
        else:
            yield route


def _filled(route: str) -> str:
    head, mark, rest = route.partition("<")
    if not mark:
        return route.lstrip("^").rstrip("$")
    inside, _, tail = rest.partition(">")
    kind = inside.partition(":")[0] if ":" in inside else "str"
    return head + MADE_UP.get(kind, "text") + _filled(tail)


def api() -> list[tuple[str, str]]:
    found = set()
    for context in iter_route_contexts(app.routes):
        path = (
            (context.path or "").replace("{name}", "noop").replace("{name:path}", "noop").replace("{number:int}", "1")
        )
        for name in (
            "job_id",
            "file_id",
            "attempt_id",
            "token_id",
            "upload_id",
            "upload_id:uuid",
            "bulk_id",
            "run_id",
            "task_id",
        ):
            path = path.replace(f"{{{name}}}", str(uuid4()))
        found |= {(method, path) for method in context.methods or ()}
    return sorted(found)


def sockets() -> list[str]:
    return ["/" + _filled(str(pattern.pattern)) for pattern in websocket_urlpatterns]


EXTRA = [
    "/static/nothing.css",
    "/static/../settings.py",
    "/nowhere",
    "/api",
    "/api/nowhere",
    "/ga4gh",
    "/ga4gh/wes/v1/nowhere",
    "/favicon.ico",
]


def http() -> list[tuple[str, str]]:
    return [("GET", path) for path in [*pages(), *EXTRA]] + [("POST", "/login/"), ("POST", "/nowhere")] + api()
