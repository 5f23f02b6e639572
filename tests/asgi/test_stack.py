"""Proxies, static files, headers that an answer brings itself, the last resort, start and end."""

from __future__ import annotations

import asyncio
import gzip
import logging
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.staticfiles import finders

from orchestration.follow import Follower, Hub
from orchestration.ids import new_id
from project.stack.headers import APP_CSP, SecurityHeaders
from project.stack.hosts import TrustedProxies
from project.stack.lifespan import Bridge, Lifespan, following
from project.stack.request_log import RequestLog
from tests.api.door import Answer, Client, Door, scope_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary-2718281"


def exchange(app: Any, scope: Scope) -> Answer:
    client = Client()
    asyncio.run(app(scope, client.receive, client.send))
    return client.answer


# Proxies


def seen(trusted: list[str], peer: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(scheme=scope["scheme"], client=scope["client"][0], headers=dict(scope["headers"]))

    scope = scope_for("GET", "/", [(b"host", b"localhost"), *headers], client=(peer, 1))
    asyncio.run(TrustedProxies(app, trusted)(scope, Client().receive, Client().send))
    return found


FORWARDED = [(b"x-forwarded-for", b"6.6.6.6, 1.2.3.4"), (b"x-forwarded-proto", b"https")]


def test_anybody_may_claim_to_be_forwarded_and_is_not_believed() -> None:
    for trusted in ([], ["10.0.0.0/8"]):
        said = seen(trusted, "1.1.1.1", *FORWARDED)
        assert (said["scheme"], said["client"]) == ("http", "1.1.1.1")
        assert said["headers"].keys() == {b"host"}


def test_trusted_proxy_tells_scheme_and_client_and_the_client_cannot_add_to_it() -> None:
    said = seen(["10.0.0.0/8"], "10.1.2.3", *FORWARDED)
    assert (said["scheme"], said["client"]) == ("https", "1.2.3.4")
    chain = (b"x-forwarded-for", b"6.6.6.6, 1.2.3.4, 10.9.9.9")
    assert seen(["10.0.0.0/8"], "10.1.2.3", chain)["client"] == "1.2.3.4", "over two proxies of ours"
    assert seen(["10.0.0.0/8"], "10.1.2.3", (b"x-forwarded-for", b"nonsense"))["client"] == "10.1.2.3"


def test_header_with_an_underscore_or_an_id_from_outside_reaches_nobody() -> None:
    said = seen(
        ["10.0.0.1"], "10.0.0.1", (b"x_forwarded_for", b"6.6.6.6"), (b"content_length", b"9"), (b"x-request-id", b"1")
    )
    assert said["headers"].keys() == {b"host"}
    assert said["client"] == "10.0.0.1"


def test_hsts_only_over_tls(stack: Door) -> None:
    assert stack.raw("GET", "/health/live").header("strict-transport-security") is None
    secure = stack.raw("GET", "/health/live", scheme="https")
    assert secure.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


# Headers


def with_headers(*headers: tuple[bytes, bytes], path: str = "/x") -> Answer:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b""})

    return exchange(SecurityHeaders(app), scope_for("GET", path))


def test_own_policy_of_an_answer_is_kept_and_may_open_our_own_frame() -> None:
    own = with_headers((b"Content-Security-Policy", b"sandbox; frame-ancestors 'self'"), (b"X-Frame-Options", b"DENY"))
    assert own.header("content-security-policy") == "sandbox; frame-ancestors 'self'"
    assert own.header("x-frame-options") == "SAMEORIGIN"
    closed = with_headers((b"content-security-policy", b"sandbox; default-src 'none'"))
    assert closed.header("x-frame-options") == "DENY"
    assert with_headers().header("content-security-policy") == APP_CSP.decode()


def test_weaker_header_of_an_app_gives_way() -> None:
    weak = with_headers((b"Referrer-Policy", b"unsafe-url"), (b"x-content-type-options", b"sniff"))
    assert weak.header("referrer-policy") == "same-origin"
    assert weak.header("x-content-type-options") == "nosniff"


def test_answers_of_the_api_are_not_kept_by_anybody() -> None:
    assert with_headers(path="/api/v1/me").header("cache-control") == "no-store"
    assert with_headers().header("cache-control") is None


# Static files


def test_static_files_come_without_collecting_and_are_asked_for_again(stack: Door) -> None:
    path = "/static/admin/css/base.css"
    said = stack.raw("GET", path)
    found = finders.find("admin/css/base.css")
    assert isinstance(found, str)
    assert (said.status, said.body) == (200, Path(found).read_bytes())
    assert said.header("cache-control") == "no-cache"
    etag = said.header("etag") or ""
    again = stack.raw("GET", path, headers=[(b"host", b"localhost"), (b"if-none-match", etag.encode())])
    assert again.status == 304


def test_static_texts_come_packed_to_who_can_unpack_them(stack: Door) -> None:
    found = finders.find("admin/css/base.css")
    assert isinstance(found, str)
    asked = [(b"host", b"localhost"), (b"accept-encoding", b"gzip, br")]
    said = stack.raw("GET", "/static/admin/css/base.css", headers=asked)
    assert (said.header("content-encoding"), said.header("vary")) == ("gzip", "accept-encoding")
    assert gzip.decompress(said.body) == Path(found).read_bytes()
    assert said.header("cache-control") == "no-cache"
    etag = said.header("etag") or ""
    again = stack.raw("GET", "/static/admin/css/base.css", headers=[*asked, (b"if-none-match", etag.encode())])
    assert (again.status, again.body) == (304, b"")
    font = stack.raw("GET", "/static/frontend_app/vendor/inter/inter-latin-wght-normal.woff2", headers=asked)
    assert font.header("content-encoding") is None


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/x", "/static/", "/static//etc/passwd"])
def test_nothing_but_static_files_is_there(stack: Door, path: str) -> None:
    assert stack.raw("GET", path).status == 404
    assert stack.raw("POST", "/static/admin/css/base.css").status == 405


# The last resort


def test_page_that_breaks_shows_nothing_and_is_logged_with_its_request(
    stack: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from django.middleware.common import CommonMiddleware

    def broken(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(CommonMiddleware, "process_request", broken)
    said = stack.raw("GET", "/")
    assert said.status == 500
    assert CANARY.encode() not in said.body
    assert said.header("content-security-policy") == APP_CSP.decode()
    records = [r for r in caplog.records if r.exc_info and CANARY in str(r.exc_info[1])]
    assert len(records) == 1
    assert records[0].__dict__["request_id"] == said.header("x-request-id")


def test_what_breaks_outside_of_the_frameworks_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError(CANARY)

    said = exchange(SecurityHeaders(RequestLog(broken)), scope_for("GET", "/api/x"))
    assert (said.status, said.header("content-type")) == (500, "application/problem+json")
    assert CANARY.encode() not in said.body
    assert len([r for r in caplog.records if r.exc_info]) == 1


def test_access_log_names_no_query_and_forges_no_line(stack: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    said = stack.raw("GET", f"/no\nwhere?token={CANARY}")
    (record,) = [r for r in caplog.records if r.name == "project.request"]
    told = record.__dict__
    assert (told["method"], told["status"], told["client"]) == ("GET", said.status, "127.0.0.1")
    assert told["bytes"] == len(said.body)
    assert CANARY not in str(told)
    from project.logs import JsonFormatter

    assert "\n" not in JsonFormatter().format(record)


@pytest.mark.parametrize("path", [f"/password/reset/0a1b2c3d4e5f/{CANARY}-key/", f"/invitation/0a1b2c3d4e5f:{CANARY}/"])
def test_access_log_names_no_link_that_was_mailed(stack: Door, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.INFO)
    stack.raw("GET", path)
    from project.logs import JsonFormatter
    from project.stack import request_log

    assert caplog.records
    for record in caplog.records:
        request_log._without_query(record)  # what every handler of the process has
        assert CANARY not in JsonFormatter().format(record)


# Start and end


def lifespan_messages(app: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> dict[str, Any]:
            return next(incoming)

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "lifespan"}, receive, send)

    asyncio.run(run())
    return sent


def test_phases_are_entered_in_order_and_left_in_the_opposite_one() -> None:
    log: list[str] = []

    def phase(name: str) -> Any:
        @asynccontextmanager
        async def entered() -> AsyncIterator[None]:
            log.append(f"+{name}")
            yield
            log.append(f"-{name}")

        return entered

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    sent = lifespan_messages(Lifespan(nothing, [phase("a"), phase("b")]))
    assert [m["type"] for m in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert log == ["+a", "+b", "-b", "-a"]


def test_start_without_a_database_fails_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.stack.lifespan.READY_S", 0.2)
    hub = Hub()
    follower = Follower("postgresql://nobody@127.0.0.1:1/nothing", hub)

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    (failed,) = lifespan_messages(Lifespan(nothing, [lambda: following(follower, hub)]))
    assert failed["type"] == "lifespan.startup.failed"
    assert "DATABASE_URL" in failed["message"]
    assert not hub.listeners


def test_news_reaches_the_groups_once_for_each_topic() -> None:
    from channels.layers import channel_layers

    job, workspace = new_id(), new_id()

    async def run() -> list[Any]:
        layer = channel_layers["default"]
        heard = []
        for topic in (f"job.{job}", f"workspace.{workspace}"):
            channel = await layer.new_channel()
            await layer.group_add(topic, channel)
            heard.append(channel)
        bridge = Bridge()
        bridging = asyncio.ensure_future(bridge.run())
        bridge.heard([(1, workspace, job), (2, workspace, job)])
        async with asyncio.timeout(2):
            messages = [await layer.receive(channel) for channel in heard]
        bridging.cancel()
        return messages

    assert asyncio.run(run()) == [{"type": "changed"}, {"type": "changed"}]
