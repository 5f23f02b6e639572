"""The runner protocol over HTTP: docs/design/0001, section 4."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from orchestration.engines.local import leases
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File, Job
from orchestration.services.runner import MAX_LOG_CHUNK, issue_token
from tests.factories import make_file
from tests.orchestration.play import lease, submitted

if TYPE_CHECKING:
    import httpx

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (leased,) = lease()
    return leased


class Runner:
    def __init__(self, door: Door, attempt: Attempt) -> None:
        self._door = door
        self.token = issue_token(attempt.pk, attempt.fence)

    def __call__(self, call: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return self._door.send("POST", f"/api/runner/v1/{call}", self.token, **options)


@pytest.fixture
def runner(door: Door, attempt: Attempt) -> Runner:
    return Runner(door, attempt)


START = {"runner": "1", "host": "here", "pid": 7}
END = {"outcome": "succeeded", "exit_code": 0, "signal": None, "failure_kind": None, "detail": "", "retry": False,
       "outputs": [], "usage": {"wall_s": 1.2, "cpu_s": 0.9, "max_rss_bytes": 1}}  # fmt: skip


def test_whole_life_of_an_attempt(runner: Runner, attempt: Attempt, ana: Visitor) -> None:
    order = runner("start", START).json()
    assert (order["attempt_id"], order["step"], order["cancel"]) == (str(attempt.pk), "nothing", False)
    assert runner("start", START).json() == order, "any call may be repeated"
    assert runner("heartbeat", {"progress": 0.5, "message": "Half\0way", "memory_bytes": 1}).json() == {"cancel": False}
    assert runner("log?offset=0", content=b"hello\n").json() == {"end": 6}
    data = b"<p>report"
    output = {"path": "report.html", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    slot = runner("outputs", {"files": [output]}).json()["slots"][0]
    assert (slot["path"], slot["method"]) == ("report.html", "LINK")
    Path(unquote(urlsplit(slot["url"]).path)).write_bytes(data)
    end = END | {"outputs": [output | {"media_type": "text/html"}]}
    assert [runner("finish", end).json() for _ in range(2)] == [{}, {}]
    job = ana.json("GET", f"/jobs/{attempt.job_id}")
    assert (job["state"], [f["name"] for f in job["results"]]) == ("SUCCEEDED", ["report.html"])
    fetched = ana("GET", f"/files/{job['results'][0]['id']}/content")
    assert (fetched.content, fetched.headers["content-type"]) == (data, "application/octet-stream")


def test_gap_in_the_log_is_refused_with_where_it_ends(runner: Runner) -> None:
    runner("start", START)
    runner("log?offset=0", content=b"hello")
    answer = runner("log?offset=50", content=b"late")
    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["end"]) == ("log_offset", 5)
    assert runner("log?offset=5", content=b" you").json() == {"end": 9}


def test_log_chunk_has_its_limit(runner: Runner) -> None:
    runner("start", START)
    assert runner("log?offset=0", content=b"x" * MAX_LOG_CHUNK).json() == {"end": MAX_LOG_CHUNK}
    assert runner("log?offset=0", content=b"x" * (MAX_LOG_CHUNK + 1)).status_code == 422
    assert runner("log?offset=0", content=b"x" * (300 << 10)).status_code == 413
    assert runner("log", content=b"x").status_code == 422


def test_old_fence_is_refused_everywhere(runner: Runner, attempt: Attempt) -> None:
    assert leases.give_back(attempt)
    lease()
    calls = [
        runner("start", START),
        runner("heartbeat", {"progress": 0.1}),
        runner("log?offset=0", content=b"x"),
        runner("outputs", {"files": []}),
        runner("finish", END),
    ]
    assert {(c.status_code, c.json()["code"]) for c in calls} == {(409, "attempt_fenced")}
    assert Job.objects.get().state != "SUCCEEDED"


def test_forged_token_is_refused_and_none_too(runner: Runner, door: Door, ana: Visitor) -> None:
    forged = door.send("POST", "/api/runner/v1/start", runner.token[:-1] + "_", json=START)
    assert (forged.status_code, forged.json()["code"]) == (403, "forbidden")
    assert door.send("POST", "/api/runner/v1/start", json=START).status_code == 401
    assert door.send("POST", "/api/runner/v1/start", ana.token, json=START).status_code == 403
    assert door.send("GET", "/api/v1/me", runner.token).status_code == 401, "a runner is no user"


def test_cancel_reaches_the_runner_with_its_heartbeat(runner: Runner, attempt: Attempt, ana: Visitor) -> None:
    runner("start", START)
    ana.json("POST", f"/jobs/{attempt.job_id}/cancel", 202)
    assert runner("heartbeat", {"progress": None, "message": None, "memory_bytes": 1}).json() == {"cancel": True}
    assert runner("finish", END | {"outcome": "canceled"}).json() == {}
    assert ana.json("GET", f"/jobs/{attempt.job_id}")["state"] == "CANCELED"


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b", "a//b", "a\\b", "a\nb", ".", "a/", "x" * 1025])
def test_output_name_that_leads_elsewhere_is_refused(runner: Runner, path: str) -> None:
    runner("start", START)
    output = {"path": path, "size": 1, "sha256": "0" * 64}
    assert runner("outputs", {"files": [output]}).status_code == 422
    finished = runner("finish", END | {"outputs": [output | {"media_type": "text/plain"}]})
    assert finished.status_code == 422
    assert not File.objects.filter(job__isnull=False).exists()


@pytest.mark.parametrize(
    "change",
    [{"outcome": "great"}, {"failure_kind": "MOOD"}, {"exit_code": 1 << 40},
     {"outputs": [{"path": "a", "size": -1, "sha256": "0" * 64, "media_type": "a/b"}]},
     {"outputs": [{"path": "a", "size": 1, "sha256": "0" * 64, "media_type": "text/html\r\nX: y"}]}],
)  # fmt: skip
def test_finish_is_checked_like_anybodys_word(runner: Runner, change: dict[str, Any]) -> None:
    runner("start", START)
    assert runner("finish", END | change).status_code == 422
    assert Attempt.objects.get().state == "RUNNING"


def test_words_that_cannot_be_stored_do_not_end_the_step(runner: Runner) -> None:
    runner("start", START)
    assert runner("heartbeat", {"progress": 0.2, "message": "\ud800 \0"}).status_code == 200
    end = END | {"outcome": "failed", "exit_code": 1, "failure_kind": "USER_CODE", "detail": "\0\ud800" + "x" * 5000}
    assert runner("finish", end).status_code == 200
    assert Job.objects.get().state == "FAILED"


def test_slots_asked_for_in_several_calls_are_different_places(runner: Runner) -> None:
    runner("start", START)
    files = [{"path": f"{n}.txt", "size": 1, "sha256": "0" * 64} for n in range(4)]
    first = runner("outputs", {"files": files[:2], "first": 0}).json()["slots"]
    second = runner("outputs", {"files": files[2:], "first": 2}).json()["slots"]
    assert len({slot["url"] for slot in first + second}) == 4
