"""Requests are counted by the route that answered, never by the path that was asked for; on a port of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from project.stack.request_log import RequestLog
from project.telemetry.http import NOWHERE
from tests.api.door import Door
from tests.asgi.server import serving
from tests.live.platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stack() -> Iterator[Door]:
    from project.asgi import application

    opened = Door(application)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/api/v1/signing-keys", "/api/v1/signing-keys", "200"),
        ("GET", "/api/v1/jobs/019ad6aa-0000-7000-8000-000000000000", NOWHERE, "401"),
        ("GET", "/health/ready", "/health/ready", "200"),
        ("GET", "/jobs/019ad6aa-0000-7000-8000-000000000000/", "/jobs/<uuid:job_id>/", "302"),
        ("GET", "/api/v1/never-heard-of", NOWHERE, "401"),
        ("GET", "/wp-login.php", NOWHERE, "404"),
    ],
)
def test_request_is_counted_by_its_route(stack: Door, method: str, path: str, route: str, status: str) -> None:
    labels = {"method": method, "route": route, "status": status}
    before = REGISTRY.get_sample_value("esteira_http_requests_total", labels) or 0
    timed = REGISTRY.get_sample_value("esteira_http_response_start_seconds_count", labels | {"status": ""}) or 0
    assert stack.send(method, path).status_code == int(status)
    assert REGISTRY.get_sample_value("esteira_http_requests_total", labels) == before + 1
    count = {"method": method, "route": route}
    assert (REGISTRY.get_sample_value("esteira_http_response_start_seconds_count", count) or 0) > timed
    assert REGISTRY.get_sample_value("esteira_http_requests_in_progress") == 0


@pytest.mark.parametrize("fails", [False, True])
async def test_request_is_unanswered_until_its_answer_begins(*, fails: bool) -> None:
    seen = []

    def look() -> None:
        seen.append(REGISTRY.get_sample_value("esteira_http_requests_unanswered"))

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        look()
        if fails:
            raise ClientDisconnect
        await send({"type": "http.response.start", "status": 200, "headers": []})
        look()  # a live stream goes on from here for hours
        await send({"type": "http.response.body", "body": b""})

    async def nothing(_message: Message) -> None: ...

    async def never() -> Message:
        return {"type": "http.disconnect"}

    await RequestLog(app)({"type": "http", "method": "GET", "path": "/", "headers": []}, never, nothing)
    look()
    assert seen == ([1, 0] if fails else [1, 0, 0])


def test_method_that_nobody_knows_makes_no_series_of_its_own(stack: Door) -> None:
    stack.send("BREW", "/health/live")
    stack.send("BREW-2", "/health/live")
    methods = {
        one.labels["method"] for family in REGISTRY.collect() for one in family.samples if "method" in one.labels
    }
    assert "OTHER" in methods
    assert not methods & {"BREW", "BREW-2"}


def test_metrics_have_a_port_of_their_own_and_only_where_one_is_set() -> None:
    port = free_port()
    with serving(ESTEIRA_METRICS_PORT=str(port)) as server:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
        families = {one.name for one in text_string_to_metric_families(answer.text)}
        assert {
            "esteira_http_requests",
            "esteira_http_response_start_seconds",
            "process_resident_memory_bytes",
        } <= families
        assert server.get("/metrics").status_code == 404, "not for everybody"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
