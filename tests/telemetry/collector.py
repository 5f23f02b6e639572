"""What takes spans by OTLP over HTTP, as a collector does, and keeps them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    trace: str
    id: str
    parent: str
    process: str
    began: int
    ended: int
    failure: str
    is_error: bool
    said: dict[str, Any]
    links: tuple[str, ...]


@dataclass
class Collector:
    """`status` is what it answers; `headers` are those of the last call."""

    url: str = ""
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        with self._changed:
            self.headers = headers
            self.raw.append(body)
            self.spans += read(body)
            self._changed.notify_all()

    def wait(self, are_there: Callable[[list[Span]], bool], *, timeout_s: float = 30) -> list[Span]:
        with self._changed:
            assert self._changed.wait_for(lambda: are_there(self.spans), timeout_s), [one.name for one in self.spans]
            return list(self.spans)


def read(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    found = []
    for resource in request.resource_spans:
        process = {one.key: one.value.string_value for one in resource.resource.attributes}["esteira.process"]
        for scope in resource.scope_spans:
            found += [_span(one, process) for one in scope.spans]
    return found


def _span(one: Any, process: str) -> Span:
    return Span(
        name=one.name,
        trace=one.trace_id.hex(),
        id=one.span_id.hex(),
        parent=one.parent_span_id.hex(),
        process=process,
        began=one.start_time_unix_nano,
        ended=one.end_time_unix_nano,
        failure=one.status.message,
        is_error=one.status.code == one.status.STATUS_CODE_ERROR,
        said={said.key: getattr(said.value, said.value.WhichOneof("value")) for said in one.attributes},
        links=tuple(link.trace_id.hex() for link in one.links),
    )


@contextmanager
def collecting(*, holds_s: float = 0) -> Iterator[Collector]:
    """`holds_s`: how long it lets everybody wait for its answer."""
    collector = Collector()
    go_on = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            go_on.wait(holds_s)
            if collector.status == 200:
                collector.take(body, dict(self.headers))
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield collector
        finally:
            go_on.set()
            server.shutdown()
