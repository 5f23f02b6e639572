"""A receiver of webhooks for tests: real HTTP on a port of this machine, which answers as a test tells it to."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, Self, override

import pytest
from django.db.models import F
from standardwebhooks import Webhook

from orchestration.models import WebhookDelivery, WebhookEndpoint, Workspace
from tests.factories import make_file
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from pytest_django import Settings

    from orchestration.models import Job, User

LOOPBACK: Final = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """By the library that receivers use; raises what it raises."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """`answers` are (status, headers, body), one for each request, then always 204; or what is done instead."""

    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    received: list[Received] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str], bytes] | Callable[[Handler], None]] = field(default_factory=deque)
    always: tuple[int, dict[str, str], bytes] | Callable[[Handler], None] = (204, {}, b"")
    over: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the test: whoever keeps a request waiting lets it go."""

    def __enter__(self) -> Self:
        self._server = _Server((self.host, 0), Handler)
        self._server.receiver = self
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    @property
    def kinds(self) -> list[str]:
        return [one.headers["x-type"] for one in self.received]

    def will_answer(self, *statuses: int) -> None:
        self.answers.extend((status, {}, b"") for status in statuses)

    def never(self, _handler: Handler) -> None:
        """A black hole: it takes the request and says nothing."""
        self.over.wait(60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    receiver: Receiver

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that has heard enough leaves."""


class Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.received.append(Received(self.path, headers, body))
        answer = receiver.answers.popleft() if receiver.answers else receiver.always
        if callable(answer):
            answer(self)
            return
        status, more, said = answer
        self.send_response(status)
        for name, value in {"content-length": str(len(said)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """The test has its list."""


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """One that may be sent to."""
    with Receiver() as opened:
        allow(settings, opened)
        yield opened


def allow(settings: Settings, *receivers: Receiver) -> None:
    settings.WEBHOOK_NETWORKS = LOOPBACK
    settings.WEBHOOK_PORTS = [*settings.WEBHOOK_PORTS, *(one.port for one in receivers)]


def pass_time(by: timedelta) -> None:
    """For everything that waits for a time: as if so long had passed."""
    for model, names in (
        (WebhookDelivery, ("due_at", "created_at")),
        (WebhookEndpoint, ("rest_until", "failing_since", "taken_until")),
    ):
        model.objects.update(**{name: F(name) - by for name in names})


def whole_job(user: User, failing: dict[int, str] | None = None, **fields: Any) -> Job:
    """Of one file, from its submission to its end."""
    workspace = Workspace.objects.visible_to(user).order_by("id")[0]
    return run_all(submitted(user, files=(make_file(workspace, user),), **fields), failing)
