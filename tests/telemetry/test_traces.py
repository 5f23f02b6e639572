"""Spans: whose trace goes on, what they never say, and that nobody waits for who takes them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.conf import settings as now

from orchestration import tracing
from orchestration.execution.dispatch import dispatch
from orchestration.models import Job
from orchestration.services.bulk import Choice, begin_bulk
from orchestration.services.bulk_work import work_on_bulk
from orchestration.services.jobs import cancel_unstarted, request_like
from orchestration.services.runner import begin
from orchestration.services.submissions import submit_many
from orchestration.services.work_orders import work_order
from orchestration.states import BulkAction
from project import asgi, env, traces_setting
from project.stack.request_log import RequestLog
from project.telemetry import traces
from project.telemetry.traces import Otel
from project.traces_setting import Traces
from tests.api.door import Door
from tests.factories import make_file, make_job, make_user
from tests.frontend.ask import browser
from tests.orchestration.play import end, holder, lease, submitted
from tests.telemetry.collector import Collector, Span, collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)
ELSEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THEIRS = ELSEWHERE.split("-")[1]
REQUEST: dict[str, Any] = {"type": "http", "path": "/x", "method": "POST", "headers": []}


def otel_of(collector: Collector, *, share: float = 1.0, trusted: str = "") -> Otel:
    networks = [ip_network(trusted)] if trusted else []
    return Otel(Traces(collector.url, share, networks), process="test")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture
def recording() -> Iterator[Callable[[Otel], Otel]]:
    begun: list[Otel] = []

    def record(otel: Otel) -> Otel:
        begun.append(otel)
        tracing.record_with(otel)
        return otel

    yield record
    tracing.record_with(None)
    for otel in begun:
        otel.end()


def asked(otel: Otel, path: str, collector: Collector, **headers: str) -> Span:
    config: Any = apps.get_app_config("project")
    config.traces = otel
    try:
        door = Door(asgi.build())
        door.send("GET", path, headers=headers)
        door.close()
    finally:
        config.traces = None
    otel.send()
    (span,) = [one for one in collector.spans if one.name.startswith("GET /")]
    return span


def test_trace_of_somebody_else_is_only_pointed_to(collector: Collector, recording: Callable[[Otel], Otel]) -> None:
    span = asked(recording(otel_of(collector)), "/api/v1/signing-keys", collector, traceparent=ELSEWHERE)
    assert (span.name, span.parent, span.links) == ("GET /api/v1/signing-keys", "", (THEIRS,))
    assert span.trace != THEIRS


def test_trace_of_who_is_trusted_goes_on(collector: Collector, recording: Callable[[Otel], Otel]) -> None:
    otel = recording(otel_of(collector, trusted="127.0.0.0/8"))
    span = asked(otel, "/api/v1/signing-keys", collector, traceparent=ELSEWHERE)
    assert (span.trace, span.parent, span.links) == (THEIRS, "b7ad6b7169203331", ())


@pytest.mark.parametrize("said", ["", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "nonsense", ELSEWHERE[:-2] + "00"])
def test_what_is_no_trace_that_is_kept_is_nothing(
    collector: Collector, recording: Callable[[Otel], Otel], said: str
) -> None:
    span = asked(recording(otel_of(collector, trusted="127.0.0.0/8")), "/login/", collector, traceparent=said)
    assert (span.name, span.parent, span.links) == ("GET /login/", "", ())


def test_error_is_told_by_its_kind_and_not_by_what_it_says(
    collector: Collector, recording: Callable[[Otel], Otel]
) -> None:
    otel = recording(otel_of(collector))
    with (
        pytest.raises(ValueError, match="canary"),
        otel.request(REQUEST, "7"),
    ):
        raise ValueError("canary")
    otel.send()
    (span,) = collector.spans
    assert (span.is_error, span.failure) == (True, "ValueError")
    assert b"canary" not in b"".join(collector.raw)


def test_share_of_nothing_keeps_nothing(
    collector: Collector, recording: Callable[[Otel], Otel], owner: User, lab: Workspace
) -> None:
    otel = recording(otel_of(collector, share=0))
    with otel.request(REQUEST, "7") as span:
        job = submitted(owner, files=(make_file(lab, owner),))
    otel.send()
    assert (span, job.traceparent, collector.spans) == (None, "", [])


def test_jobs_of_one_call_lie_in_its_trace(
    collector: Collector, recording: Callable[[Otel], Otel], owner: User, lab: Workspace
) -> None:
    like = submitted(owner, files=(make_file(lab, owner),))
    assert like.traceparent == ""
    otel = recording(otel_of(collector))
    wanted = request_like(like, list(like.inputs.values_list("pk", flat=True)))
    with otel.request(REQUEST, "7"):
        submit_many(user=owner, requests=[wanted, wanted])
    otel.send()
    (span,) = [one for one in collector.spans if one.name == "submit"]
    assert span.said == {"esteira.jobs": 2}
    kept = set(Job.objects.exclude(pk=like.pk).values_list("traceparent", flat=True))
    assert kept == {f"00-{span.trace}-{span.id}-01"}


def test_bulk_operation_and_all_it_does_is_one_trace(
    collector: Collector, recording: Callable[[Otel], Otel], owner: User, lab: Workspace
) -> None:
    """A worker does it, long after the request is answered."""
    jobs = [submitted(owner, files=(make_file(lab, owner),)) for _ in range(3)]
    otel = recording(otel_of(collector))
    with otel.request(REQUEST, "7"):
        begin_bulk(user=owner, action=BulkAction.RESUBMIT, choice=Choice(ids=tuple(job.pk for job in jobs)))
    work_on_bulk()
    otel.send()
    (whole,) = [one for one in collector.spans if one.name == "bulk operation"]
    acts = [one for one in collector.spans if one.name == "act on jobs"]
    assert whole.said == {"esteira.action": "resubmit", "esteira.jobs": 3}
    assert {one.parent for one in acts} == {whole.id}
    assert sum(one.said["esteira.jobs"] for one in acts) == 3
    made = Job.objects.exclude(pk__in=[job.pk for job in jobs]).values_list("traceparent", flat=True)
    assert len(made) == 3
    assert {parent.split("-")[1] for parent in made} == {whole.trace}
    assert {one.trace for one in collector.spans} == {whole.trace}


def test_collector_that_says_nothing_holds_up_nobody_and_fills_no_memory(recording: Callable[[Otel], Otel]) -> None:
    """It answers when all of this is over; whoever waited for it would never get there."""
    with collecting(holds_s=200) as collector:
        otel = recording(otel_of(collector))
        for number in range(3 * traces.MOST_KEPT):
            with otel.request(REQUEST, str(number)):
                pass
        kept: Any = otel._processor._batch_processor
        assert len(kept._queue) <= traces.MOST_KEPT
        otel.end()


def test_collector_that_is_not_there_breaks_nothing(
    recording: Callable[[Otel], Otel], owner: User, lab: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    otel = recording(otel_of(Collector(url="http://127.0.0.1:9/v1/traces")))
    with otel.request(REQUEST, "7"):
        job = submitted(owner, files=(make_file(lab, owner),))
    otel.send()
    assert job.traceparent
    assert any("export" in one.getMessage().lower() for one in caplog.records), "somebody is told"


def test_log_lines_carry_the_trace(
    collector: Collector, recording: Callable[[Otel], Otel], caplog: pytest.LogCaptureFixture
) -> None:
    otel = recording(otel_of(collector))
    before = logging.getLogRecordFactory()
    traces._bind_log_records()
    try:
        with otel.request(REQUEST, "7"):
            logging.getLogger("tests").warning("inside")
            inside = tracing.trace_id()
        logging.getLogger("tests").warning("outside")
    finally:
        logging.setLogRecordFactory(before)
    said = {one.getMessage(): one.__dict__.get("trace_id") for one in caplog.records if one.name == "tests"}
    assert said == {"inside": inside, "outside": None}


def test_runner_whose_clock_is_off_makes_no_trace_that_runs_backwards(
    collector: Collector, recording: Callable[[Otel], Otel], owner: User, lab: Workspace
) -> None:
    otel = recording(otel_of(collector))
    with otel.request(REQUEST, "7"):
        submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    order = work_order(begin(holder=holder(attempt)))
    phases = [{"name": "inputs", "began": 0.0, "ended": 7.0}, {"name": "command", "began": 5e15, "ended": 1.0}]
    end(attempt, phases=phases)
    otel.send()
    spans = {one.name: one for one in collector.spans}
    whole = spans[f"attempt {attempt.step}"]
    for name in ("inputs", "command"):
        assert whole.began <= spans[name].began <= spans[name].ended <= whole.ended
    assert order["traceparent"] == f"00-{whole.trace}-{spans['command'].id}-01"
    assert spans["job"].parent == spans["submit"].id


def test_job_that_was_canceled_before_it_began_has_its_end_in_the_trace(
    collector: Collector, recording: Callable[[Otel], Otel], owner: User, lab: Workspace
) -> None:
    otel = recording(otel_of(collector))
    with otel.request(REQUEST, "7"):
        job = submitted(owner, files=(make_file(lab, owner),))
    cancel_unstarted(user=owner, jobs=[job])
    otel.send()
    (span,) = [one for one in collector.spans if one.name == "job"]
    assert (span.is_error, span.failure, span.said["esteira.state"]) == (True, "CANCELED", "CANCELED")


def test_order_of_a_job_that_nobody_traces_says_so(owner: User, lab: Workspace) -> None:
    submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    assert work_order(begin(holder=holder(attempt)))["traceparent"] == ""


def test_nobody_loads_what_nobody_uses() -> None:
    code = "import project.asgi, sys; print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    said = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
    assert not tracing.is_on()
    assert RequestLog(asgi.build())._traced({"type": "http"}, "").__class__.__name__ == "nullcontext"


def test_administrators_are_led_to_the_trace(owner: User, lab: Workspace, settings: Settings) -> None:
    job = make_job(owner, lab, traceparent=ELSEWHERE)
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    pages = (f"/jobs/{job.pk}/", f"/admin/orchestration/job/{job.pk}/change/")
    assert all("traces.example" not in root.get(at).content.decode() for at in pages)
    settings.TRACE_URL = "https://traces.example/t/{trace_id}?x=1"
    for at in pages:
        assert f'href="https://traces.example/t/{THEIRS}?x=1"' in root.get(at).content.decode()
    assert "traces.example" not in browser(owner).get(pages[0]).content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ESTEIRA_TRACES", "collector:4318"),
        ("ESTEIRA_TRACES", "https://me:canary@collector/v1/traces"),
        ("ESTEIRA_TRACES_SAMPLED", "101"),
        ("ESTEIRA_TRACES_SAMPLED", "all"),
        ("ESTEIRA_TRACES_HEADERS", "canary"),
        ("ESTEIRA_TRACES_TRUSTED", "everybody"),
    ],
)
def test_bad_setting_ends_the_process(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("ESTEIRA_TRACES", "http://collector:4318/v1/traces")
    monkeypatch.setenv(name, value)
    with pytest.raises(env.BadSetting, match=name) as refused:
        traces_setting.read()
    assert "canary" not in str(refused.value)


def test_settings_that_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_TRACES", "http://collector:4318/v1/traces")
    monkeypatch.setenv("ESTEIRA_TRACES_SAMPLED", "2.5")
    monkeypatch.setenv("ESTEIRA_TRACES_HEADERS", "a=b=c,d=e")
    found = traces_setting.read()
    assert found is not None
    assert (found.share, found.headers) == (0.025, {"a": "b=c", "d": "e"})
    assert "b=c" not in repr(found)
    monkeypatch.setenv("ESTEIRA_TRACE_URL", "https://x/")
    with pytest.raises(env.BadSetting):
        traces_setting.link()
    assert now.TRACES is None
    assert Path(asgi.__file__).exists()
