"""Spans to a collector, by OTLP over HTTP: kept in a queue with an end, sent by a thread of their own.

Loaded only where ESTEIRA_TRACES names one. A collector that is away costs what it was not sent, and nobody's time.
"""

from __future__ import annotations

import atexit
import ipaddress
import logging
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from orchestration.tracing import Place, record_with, trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from opentelemetry.trace import Span
    from starlette.types import Scope

    from orchestration.tracing import Value
    from project.traces_setting import Traces

MOST_KEPT: Final = 2_048
AT_ONCE: Final = 512
EVERY_MS: Final = 2_000
SENT_WITHIN_S: Final = 3.0
LAST_WORDS_S: Final = 2.0
"""What has not been sent so long after the end of the process is lost."""
# Asked every few seconds by whoever watches, or by every runner; and files that have no story.
UNTRACED: Final = ("/health/", "/static/", "/api/runner/")

_own_id: Final[ContextVar[int]] = ContextVar("span_id", default=0)


class _Ids(RandomIdGenerator):
    def generate_span_id(self) -> int:
        return _own_id.get() or super().generate_span_id()


class Otel:
    """The recorder of `orchestration.tracing`, and the spans of requests."""

    def __init__(self, chosen: Traces, *, process: str) -> None:
        exporter = OTLPSpanExporter(chosen.endpoint, headers=chosen.headers, timeout=SENT_WITHIN_S)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(chosen.share)),
            resource=Resource.create({"service.name": "esteira", "esteira.process": process}),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        self._processor = BatchSpanProcessor(
            exporter, max_queue_size=MOST_KEPT, max_export_batch_size=AT_ONCE, schedule_delay_millis=EVERY_MS
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("esteira")
        self._trusted = chosen.trusted

    def here(self) -> Place | None:
        found = trace.get_current_span().get_span_context()
        return Place(found.trace_id, found.span_id) if found.is_valid and found.trace_flags.sampled else None

    @contextmanager
    def live(self, name: str, under: Place | None, said: dict[str, Value]) -> Iterator[None]:
        span = self._tracer.start_span(name, _below(under) if under else None, attributes=said)
        with _under_way(span):
            yield

    def past(
        self,
        name: str,
        place: Place,
        under: Place,
        span: tuple[datetime, datetime],
        failure: str,
        said: dict[str, Value],
    ) -> None:
        began, ended = (int(at.timestamp() * 1e9) for at in span)
        bound = _own_id.set(place.span_id)
        try:
            made = self._tracer.start_span(name, _below(under), attributes=said, start_time=began)
        finally:
            _own_id.reset(bound)
        if failure:
            made.set_status(Status(StatusCode.ERROR, failure))
        made.end(ended)

    @contextmanager
    def request(self, scope: Scope, request_id: str) -> Iterator[Span | None]:
        """None: nothing is kept of it. Its name is given at the end, when its route is known."""
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            yield None
            return
        parent, links = self._from_outside(scope)
        said = {"http.request.method": scope["method"], "esteira.request_id": request_id}
        span = self._tracer.start_span(scope["method"], parent, SpanKind.SERVER, said, links)
        with _under_way(span):
            yield span if span.is_recording() else None

    def _from_outside(self, scope: Scope) -> tuple[context.Context, list[Link]]:
        """Of a caller that is trusted its trace goes on; anybody else's is only pointed to."""
        told = next((value for name, value in scope["headers"] if name == b"traceparent"), b"").decode("latin-1")
        place = Place.read(told)
        if place is None:
            return context.Context(), []
        if self._is_trusted(scope):
            return _below(place), []
        return context.Context(), [Link(_context(place))]

    def _is_trusted(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def send(self) -> None:
        """All that is kept, now."""
        self._processor.force_flush()

    def end(self) -> None:
        """Waits for LAST_WORDS_S at most: the processor itself would for half a minute."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(LAST_WORDS_S)


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _below(place: Place) -> context.Context:
    return trace.set_span_in_context(NonRecordingSpan(_context(place)), context.Context())


@contextmanager
def _under_way(span: Span) -> Iterator[None]:
    """An error is told by its kind: what it says may name a file or a person."""
    bound = context.attach(trace.set_span_in_context(span))
    try:
        yield
    except BaseException as exc:
        span.set_status(Status(StatusCode.ERROR, type(exc).__name__))
        raise
    finally:
        context.detach(bound)
        span.end()


def install(chosen: Traces, *, process: str) -> Otel:
    """For as long as the process lives."""
    otel = Otel(chosen, process=process)
    record_with(otel)
    _bind_log_records()
    atexit.register(otel.end)
    return otel


def _bind_log_records() -> None:
    """What is logged while something is traced carries the trace's id, beside the request's."""
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if found := trace_id():
            record.trace_id = found
        return record

    logging.setLogRecordFactory(made)
