"""The drill rings every alarm that there is, and the pages to fill in have a row for each and no number yet."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.infra.test_runbooks import rung
from tests.observability.test_rules import ALERTS, HERE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = (ROOT / "docs/alarm-drill.md").read_text(encoding="utf-8")
REVIEW: Final = (ROOT / "docs/quarterly-review.md").read_text(encoding="utf-8")
ALARMS: Final = ["esteira-staging-alb-latency-p95", "esteira-staging-database-load"]
# Answers as the real one does, and writes down what it was told.
AWS: Final = f"""#!{sys.executable}
import json, os, sys
words = sys.argv[1:]
with open(os.environ["TOLD"], "a") as told:
    told.write(json.dumps(words) + "\\n")
if words[:2] == ["configure", "get"]:
    print("sa-east-1")
elif words[1] == "describe-alarms":
    print(json.dumps({ALARMS[:1]!r} if "us-east-1" in words else {ALARMS[1:]!r}))
elif "esteira-staging-database-load" in words and os.environ.get("REFUSED"):
    sys.exit("AccessDenied")
"""


@pytest.fixture(scope="module")
def drill() -> Any:
    spec = spec_from_file_location("drill", HERE / "drill.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    aws = tmp_path / "aws"
    aws.write_text(AWS)
    aws.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


@pytest.fixture
def alertmanager() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    rang: list[dict[str, Any]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v2/alerts"
            rang.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", rang
        server.shutdown()


def test_every_alert_of_the_rules_rings_once(
    drill: Any, alertmanager: tuple[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, rang = alertmanager
    drill.main(["--alertmanager", url])
    assert [one["labels"]["alertname"] for one in rang] == list(ALERTS)
    for one in rang:
        rule = ALERTS[one["labels"]["alertname"]]
        # By its severity it takes the way that the real one would.
        assert one["labels"]["severity"] == rule["labels"]["severity"]
        assert one["annotations"]["summary"].startswith("Drill: nothing is wrong")
        assert one["annotations"]["runbook_url"] == rule["annotations"]["runbook_url"]
        assert one["startsAt"] < one["endsAt"]
    assert f"{len(ALERTS)} alarms rang" in capsys.readouterr().out


def test_every_alarm_of_the_environment_is_set_in_its_region(drill: Any, told: Path) -> None:
    drill.main(["--cloudwatch", "esteira-staging"])
    words = [json.loads(line) for line in told.read_text().splitlines()]
    set_to = [(w[w.index("--alarm-name") + 1], w[w.index("--region") + 1]) for w in words if w[1] == "set-alarm-state"]
    assert sorted(set_to) == [(ALARMS[0], "us-east-1"), (ALARMS[1], "sa-east-1")]
    assert all(w[w.index("--state-value") + 1] == "ALARM" for w in words if w[1] == "set-alarm-state")
    # `esteira-staging-2` would be another environment's.
    assert all(w[w.index("--alarm-name-prefix") + 1] == "esteira-staging-" for w in words if w[1] == "describe-alarms")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cloudwatch", "esteira-prod"], "say --production"),
        (["--cloudwatch", "esteira-staging", "--only", "no-such"], "nothing was rung"),
    ],
)
def test_what_is_not_rung_is_said(
    drill: Any, told: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        drill.main(words)
    assert said in f"{ended.value}{capsys.readouterr().err}"
    assert not told.exists() or "set-alarm-state" not in told.read_text()


def test_refusal_ends_the_drill(drill: Any, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "1")
    with pytest.raises(SystemExit, match="aws cloudwatch set-alarm-state: AccessDenied"):
        drill.main(["--cloudwatch", "esteira-staging"])


def test_clock_says_what_the_command_says(drill: Any) -> None:
    module = (ROOT / "deploy/terraform/modules/observability/drill.tf").read_text(encoding="utf-8")
    assert f'"{drill.SAID}"' in module


def test_page_has_a_row_for_each_alarm_and_no_other() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted([*ALERTS, *rung()])


@pytest.mark.parametrize("page", [PAGE, REVIEW], ids=["drill", "review"])
def test_what_is_to_be_filled_in_is_empty(page: str) -> None:
    """Numbers that nobody measured would be taken for true."""
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        given = {"alert", "alarm", "notice", "goes to", "objective", "target", "drill", "what"}
        for row in rows:
            for name, cell in zip(head, row, strict=True):
                assert not cell or name in given or name.startswith("where it is"), (name, cell)
