"""A client of GA4GH's WES that knows nothing of ours, against a platform that runs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
UNFINISHED = {"QUEUED", "INITIALIZING", "RUNNING", "CANCELING"}
SLOW = """\
pipeline: wes-slow
version: 1.0.0
title: Slow
steps:
  - name: sleep
    command: [sleep, "600"]
"""


def ask(platform: Platform, method: str, path: str, **options: Any) -> Any:
    url = path if path.startswith("http") else f"{platform.url}/ga4gh/wes/v1{path}"
    headers = {"Authorization": f"Bearer {platform.token}"}
    answer = httpx.request(method, url, headers=headers, timeout=30, trust_env=False, **options)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.content


def run(platform: Platform, workflow: str, **params: Any) -> str:
    fields = {
        "workflow_url": workflow,
        "workflow_type": "ESTEIRA",
        "workflow_type_version": "1.0",
        "workflow_params": json.dumps(params),
    }
    attached = [("workflow_attachment", ("in/table.csv", b"a,b\n1,2\n", "text/csv"))]
    return str(ask(platform, "POST", "/runs", data=fields, files=attached)["run_id"])


def state_after(platform: Platform, run_id: str, waits: set[str]) -> str:
    deadline = time.monotonic() + 120
    while (state := ask(platform, "GET", f"/runs/{run_id}/status")["state"]) in waits:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return str(state)


def test_run_is_submitted_with_an_attachment_and_followed_to_its_outputs(platform: Platform) -> None:
    info = ask(platform, "GET", "/service-info")
    assert "inspect" in info["tags"]["pipelines"]
    run_id = run(platform, "esteira:inspect", max_entries=100)

    assert state_after(platform, run_id, UNFINISHED) == "COMPLETE"
    said = ask(platform, "GET", f"/runs/{run_id}")
    report = next(one for one in said["outputs"]["files"] if one["name"] == "report.html")
    assert b"table.csv" in ask(platform, "GET", report["url"])
    tasks = ask(platform, "GET", said["task_logs_url"])["task_logs"]
    assert [(task["name"], task["exit_code"]) for task in tasks] == [("inspect[0]", 0), ("report", 0)]
    assert isinstance(ask(platform, "GET", tasks[0]["stdout"]), bytes)


def test_run_is_canceled(platform: Platform) -> None:
    platform.publish(SLOW)
    run_id = run(platform, "wes-slow")
    assert state_after(platform, run_id, {"QUEUED", "INITIALIZING"}) == "RUNNING"
    assert ask(platform, "POST", f"/runs/{run_id}/cancel") == {"run_id": run_id}
    assert state_after(platform, run_id, UNFINISHED) == "CANCELED"
