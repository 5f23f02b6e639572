import threading
import time
from itertools import islice

import pytest

from api_app.client import Client, UnreachableError
from api_app.client.feed import ServerSent
from tests.client.fake_faults import answer, hang_up
from tests.client.fake_server import TOKEN, Handler, Platform
from tests.client.fake_shapes import END


def event(number: int, job_id: str) -> dict[str, object]:
    return {"id": number, "job": job_id, "kind": "job", "old": "QUEUED", "new": "RUNNING"}


def test_events_come_once_over_broken_connections(client: Client, platform: Platform) -> None:
    job = platform.add_job()
    platform.events[job["id"]] = [event(number, job["id"]) for number in range(1, 7)]
    path = f"/jobs/{job['id']}/events"
    platform.fail(f"GET {path}", lambda _: False, answer(503))

    found = [one["id"] for one in islice(client.events(job["id"]), 6)]

    assert found == [1, 2, 3, 4, 5, 6]
    assert [one.get("last-event-id") for one in platform.calls("GET", path)] == [None, "2", "2", "4"]


def test_a_server_that_repeats_itself_is_heard_once(client: Client, platform: Platform) -> None:
    job = platform.add_job()
    platform.events[job["id"]] = [event(number, job["id"]) for number in range(1, 4)]

    def forget(handler: Handler) -> bool:
        del handler.headers["Last-Event-ID"]
        return False

    platform.fail(f"GET /jobs/{job['id']}/events", forget, forget, lambda _: False)

    assert [one["id"] for one in islice(client.events(job["id"]), 3)] == [1, 2, 3]


def test_events_end_with_the_job(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="SUCCEEDED", finished_at=END)
    platform.events[job["id"]] = [event(number, job["id"]) for number in range(1, 4)]

    assert [one["id"] for one in client.events(job["id"])] == [1, 2, 3]


def test_events_of_a_platform_that_is_gone_end_with_a_sentence(url: str, platform: Platform) -> None:
    job = platform.add_job()
    platform.fail(f"GET /jobs/{job['id']}/events", *[hang_up()] * 100)

    with Client(url, TOKEN, patience_s=0.3) as client, pytest.raises(UnreachableError):
        next(client.events(job["id"]))


def test_events_begin_after_the_one_that_is_known(client: Client, platform: Platform) -> None:
    job = platform.add_job()
    platform.events[job["id"]] = [event(number, job["id"]) for number in range(1, 5)]

    assert next(client.events(job["id"], after=3))["id"] == 4


def test_watch_hears_of_the_end_through_the_stream(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="RUNNING")
    platform.script = []

    def finish() -> None:
        job.update(state="SUCCEEDED", finished_at=END)
        platform.events[job["id"]].append(event(1, job["id"]))

    timer = threading.Timer(0.5, finish)
    timer.start()
    began = time.monotonic()
    states = [one["state"] for one in client.watch(job["id"])]
    timer.join()

    assert states[-1] == "SUCCEEDED"
    assert time.monotonic() - began < 0.9  # polling alone would ask at 1.0 s and later


def test_watch_polls_when_there_is_no_stream(
    client: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_app.client.feed.POLL_S", 0.1)
    job = platform.add_job(state="RUNNING")
    platform.fail(f"GET /jobs/{job['id']}/events", answer(404))
    platform.script = [{}, {"progress": 0.5}, {"state": "FAILED", "finished_at": END}]

    assert client.wait(job["id"])["state"] == "FAILED"
    assert len(platform.calls("GET", f"/jobs/{job['id']}/events")) == 1


def test_watch_outlives_a_restart_of_the_platform(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="RUNNING")
    platform.fail(f"GET /jobs/{job['id']}", lambda _: False, answer(503), answer(502))

    assert client.wait(job["id"])["state"] == "SUCCEEDED"


def test_wait_has_an_end(client: Client, platform: Platform) -> None:
    job = platform.add_job(state="RUNNING")
    platform.script = []

    began = time.monotonic()

    with pytest.raises(TimeoutError, match="It goes on"):
        client.wait(job["id"], timeout_s=0.4)

    assert time.monotonic() - began < 1


def test_stream_is_read_by_lines_of_lf_only() -> None:
    chunks = [b": hi\n\nid: 1\nda", "ta: a\u2028b\r\ndata: c\n".encode(), b"\n", b"event: end\ndata: d\n\nid: 3\n"]

    reader = ServerSent()

    assert [one for chunk in chunks for one in reader.read(chunk)] == [(1, "", "a\u2028b\nc"), (None, "end", "d")]


def test_a_stream_that_came_too_often_waits_as_long_as_it_is_told(client: Client, platform: Platform) -> None:
    job = platform.add_job()
    platform.events[job["id"]] = [event(1, job["id"])]
    platform.fail(f"GET /jobs/{job['id']}/events", answer(429, "rate_limited", Retry_After="1"))
    began = time.monotonic()

    next(client.events(job["id"]))

    assert time.monotonic() - began >= 1
