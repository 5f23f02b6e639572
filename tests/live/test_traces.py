"""One job is one trace, through the processes of a platform that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.live.platform import running
from tests.telemetry.collector import Collector, Span, collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

PIPELINE = """\
pipeline: traced
version: 1.0.0
title: {en: Traced}
steps:
  - name: say
    for_each: input
    command: [sh, -c, "echo here $TRACEPARENT; test $ESTEIRA_ITEM = 0; code=$?; exit $code"]
    retry: {attempts: 1}
    tolerate: {failed_items: 60%}
"""
SECRET_NAME = "canary-of-a-patient.csv"


@pytest.fixture(scope="module")
def traced() -> Iterator[tuple[Platform, Collector]]:
    with collecting() as collector:
        extra = {
            "ESTEIRA_TRACES": collector.url,
            "ESTEIRA_TRACES_SAMPLED": "100",
            "ESTEIRA_TRACES_HEADERS": "authorization=Bearer-canary-of-a-key",
        }
        with running(extra) as platform:
            platform.publish(PIPELINE)
            yield platform, collector


def below(spans: list[Span], parent: Span) -> dict[str, Span]:
    return {one.name: one for one in spans if one.parent == parent.id}


def test_job_is_one_trace_from_the_request_to_the_signed_result(traced: tuple[Platform, Collector]) -> None:
    platform, collector = traced
    inputs = [platform.upload(f"{n}-{SECRET_NAME}", f"a,{n}\n".encode())["id"] for n in (0, 1)]
    job = platform.submit("traced", inputs, key="traced", name="canary of a name")
    assert platform.wait(job["id"])["state"] == "SUCCEEDED"
    (traceparent,) = platform.sql("SELECT traceparent FROM orchestration_job WHERE id = %s", job["id"])[0]
    trace = traceparent.split("-")[1]

    def is_whole(spans: list[Span]) -> bool:
        names = [one.name for one in spans if one.trace == trace]
        return {"job", "sign the manifest", "hand over", "POST /api/v1/jobs"} <= {*names} and names.count(
            "start of the runner"
        ) == 2

    spans = [one for one in collector.wait(is_whole, timeout_s=60) if one.trace == trace]
    assert len({one.id for one in spans}) == len(spans)

    (door,) = [one for one in spans if not one.parent]
    assert (door.name, door.process, door.said["http.response.status_code"]) == ("POST /api/v1/jobs", "web", 201)
    submitted = below(spans, door)["submit"]
    assert submitted.id == traceparent.split("-")[2]
    whole = below(spans, submitted)["job"]
    assert whole.said["esteira.job_id"] == job["id"]
    of_job = below(spans, whole)
    assert of_job["hand over"].process == "worker"
    assert of_job["sign the manifest"].process == "worker"
    assert "start of the engine" in below(spans, of_job["hand over"])
    attempts = {one.said["esteira.item"]: one for one in spans if one.name == "attempt say"}
    assert {one.parent for one in attempts.values()} == {whole.id}
    for item, attempt in attempts.items():
        of_attempt = below(spans, attempt)
        assert of_attempt["start of the runner"].process == "engine"
        command = of_attempt["command"]
        assert {"wait for a machine", "inputs"} <= {*of_attempt}
        assert attempt.began <= of_attempt["inputs"].began <= command.began <= command.ended <= attempt.ended
        assert whole.began <= attempt.began
        assert attempt.is_error == command.is_error == (item == 1)
        # What the step itself was told: its own spans would lie below its command.
        found = platform.sql(
            "SELECT id FROM orchestration_attempt WHERE job_id = %s AND item_index = %s", job["id"], item
        )
        log = platform.call("GET", f"/attempts/{found[0][0]}/log").text
        assert f"here 00-{trace}-{command.id}-01" in log

    said = b"".join(collector.raw)
    assert b"canary" not in said, "no name of a file, a job or a key leaves"
    assert collector.headers["authorization"] == "Bearer-canary-of-a-key"


def test_log_of_the_request_names_both_ids(traced: tuple[Platform, Collector]) -> None:
    platform, collector = traced
    answer = platform.call("GET", "/pipelines")
    asked = answer.headers["x-request-id"]
    spans = collector.wait(lambda all_: any(one.said.get("esteira.request_id") == asked for one in all_))
    (span,) = [one for one in spans if one.said.get("esteira.request_id") == asked]
    # In one piece of those that are written just now, and none of what a library prints.
    said = (platform.home / "log" / "web.log").read_text().splitlines()
    lines = [json.loads(line) for line in said if line.startswith("{") and line.endswith("}")]
    assert {(one["request_id"], one["trace_id"]) for one in lines if one.get("request_id") == asked} == {
        (asked, span.trace)
    }


def test_who_watches_and_runners_make_no_traces(traced: tuple[Platform, Collector]) -> None:
    _platform, collector = traced
    assert not [one.name for one in collector.spans if "health" in one.name or "runner/v1" in one.name]
