import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console

from api_app.client.screen.live import picture
from api_app.client.screen.neutral import wrapped
from api_app.client.screen.screen import Screen
from api_app.client.screen.summary import submitted
from api_app.client.screen.transfers import Transfers
from tests.client.conftest import ROOT
from tests.client.fake_server import TOKEN, Platform
from tests.client.fake_shapes import job, step

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job


@pytest.mark.parametrize("width", [60, 120])
def test_the_picture_fits_and_keeps_the_numbers(width: int) -> None:
    running = step(
        title="Convert each picture", state="RUNNING", items_total=40, items_succeeded=10, items_failed=2,
        progress=0.3, message="A long message " * 10,
    )  # fmt: skip
    shown = job(state="WAITING", waiting_reason="capacity", steps=[running, step(title="Sheet")])
    out = io.StringIO()

    Console(file=out, width=width).print(picture(cast("Job", shown), time.monotonic()))

    assert max(map(len, out.getvalue().splitlines())) <= width
    assert "━" in out.getvalue()
    assert "30%" in out.getvalue()
    assert "12 of 40 items" in out.getvalue() or width < 80
    assert "Waiting: all machines are busy." in out.getvalue()


def test_estimate_is_said_at_the_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    estimate = {"estimate_usd": "0.031", "actual_usd": None, "unpriced_attempts": 0}
    submitted(Screen(), cast("Job", job(cost=estimate)), "https://esteira.example.org")
    assert "Estimated at $0.0310" in capsys.readouterr().out


def test_sentences_are_wrapped_and_addresses_are_not() -> None:
    address = "https://esteira.example.org/jobs/0199"

    assert wrapped(f"See it at {address}\n  and so on", 16) == f"See it at\n{address}\n  and so on"


def test_the_first_failed_transfer_stops_the_others() -> None:
    transfers = Transfers(Screen(), "Uploading", 10, is_counted=lambda _phase: True)
    stopped: list[int] = []

    def endless(number: int) -> None:
        with transfers.bar("a.txt") as bar:
            try:
                for done in range(10_000):
                    bar("sending", done, 10_000)
                    time.sleep(0.001)
            finally:
                stopped.append(number)

    def broken() -> None:
        time.sleep(0.02)
        raise ValueError("broken")

    began = time.monotonic()
    with transfers, pytest.raises(ValueError, match="broken"):
        transfers.run([lambda: endless(1), broken, lambda: endless(2), *[lambda: endless(3)] * 20])

    assert set(stopped) <= {1, 2, 3}
    assert time.monotonic() - began < 2


def test_ctrl_c_while_watching_leaves_the_job_alone(url: str, platform: Platform, tmp_path: Path) -> None:
    made = platform.add_job(state="RUNNING")
    platform.script = []
    command = [sys.executable, "-m", "api_app.client", "--url", url, "--token", TOKEN, "watch", made["id"]]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert "RUNNING" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()

    assert process.returncode == 130
    assert "the job goes on" in told
    assert f"esteira cancel {made['id'].replace('-', '')[-8:]}" in told
    assert "Traceback" not in told
    assert platform.jobs[made["id"]]["state"] == "RUNNING"
