"""Requests that a web process has answered: how many, how soon, with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi.routing import iter_route_contexts
from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span
    from starlette.routing import BaseRoute
    from starlette.types import Scope

ROUTE: Final = "esteira.route"
"""Where in a scope Django's route is left; FastAPI leaves its own at "route"."""
SEEN: Final = "esteira.seen"
"""Shared by all copies of a scope: layers copy it, and what is set inside of them would not be seen outside."""
NOWHERE: Final = "none"
"""What leads nowhere, or was refused before it was looked at: the path itself would make a series of each guess."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""0.5 s is the objective, 0.1 s the target of pages."""

_WHOLE: Final[dict[int, str]] = {}
REQUESTS: Final = Counter("esteira_http_requests", "Requests that were answered.", ["method", "route", "status"])
SECONDS: Final = Histogram(
    "esteira_http_response_start_seconds",
    "From the head of a request to the head of its answer; the body that a client sends is in it.",
    ["method", "route"],
    buckets=BUCKETS_S,
)
IN_PROGRESS: Final = Gauge("esteira_http_requests_in_progress", "Requests and live connections under way.")
UNANSWERED: Final = Gauge("esteira_http_requests_unanswered", "Requests whose answer has not begun.")
"""How busy a process is: a live connection or a long download would say that of one that is idle."""


def answered(scope: Scope, *, status: int, seconds: float | None, span: Span | None = None) -> None:
    """`seconds` None: nobody was answered."""
    method = scope.get("method", "WEBSOCKET")
    method = method if method in METHODS else "OTHER"
    route = scope.get(SEEN, {}).get(ROUTE, NOWHERE)
    REQUESTS.labels(method, route, str(status)).inc()
    if seconds is not None and scope["type"] == "http":
        SECONDS.labels(method, route).observe(seconds)
    if span is not None:
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})


def learn_routes(routes: Sequence[BaseRoute]) -> None:
    """FastAPI's, with the prefixes under which they were included: a route itself does not know those."""
    for context in iter_route_contexts(routes):
        _WHOLE[id(context.original_route)] = context.path_format or NOWHERE


def keep_route(scope: Scope) -> None:
    """Called by whoever handed this very scope to a framework, when that is done."""
    found = scope.get("route")
    route = _WHOLE.get(id(found)) or scope.get(ROUTE)
    if route and SEEN in scope:
        scope[SEEN][ROUTE] = route
