"""Each code from the door: what a script sees when it runs the command."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api_app.client.cli import cli
from api_app.client.exit_codes import ExitCode
from tests.client.conftest import ROOT, Command, Esteira
from tests.client.fake_server import Handler, Platform
from tests.client.fake_shapes import END

SEEN: dict[ExitCode, str] = {
    ExitCode.DONE: "test_job_decides",
    ExitCode.FAILED: "test_job_decides",
    ExitCode.USAGE: "test_typed_wrong",
    ExitCode.CANCELED: "test_job_decides",
    ExitCode.UNREACHABLE: "test_platform_that_is_not_there_or_fails",
    ExitCode.NOT_SIGNED_IN: "test_nobody_is_signed_in",
    ExitCode.NOT_FOUND: "test_not_found",
    ExitCode.REFUSED: "test_refused",
    ExitCode.INTERNAL: "test_mistake_of_ours_is_no_failed_job",
    ExitCode.INTERRUPTED: "test_ctrl_c",
    ExitCode.BROKEN_PIPE: "test_reader_that_leaves",
}


def test_every_code_has_its_test() -> None:
    assert set(SEEN) == set(ExitCode)
    assert set(SEEN.values()) <= set(globals())


def test_page_and_help_have_every_code() -> None:
    page = (ROOT / "docs" / "command.md").read_text()
    for code in ExitCode:
        assert f"| {code:d} | {code.told} |" in page
        assert f"  {code:<5}{code.told[:40]}" in (cli.epilog or "")


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("TIMED_OUT", 1), ("CANCELED", 3)])
def test_job_decides(esteira: Esteira, platform: Platform, state: str, code: int) -> None:
    Path("a.jpg").write_bytes(b"x")
    platform.script = [{"state": state, "finished_at": END}]

    ran = esteira("run", "inspect", "a.jpg", "--watch")
    assert ran.returncode == code, ran.stderr
    assert esteira("watch", "last").returncode == code


def test_typed_wrong(esteira: Esteira, platform: Platform) -> None:
    for args in (
        ["nonsense"],
        ["jobs", "--nonsense"],
        ["run", "inspect", "no.txt"],
        ["show"],
        ["login", "--user", "ana"],
    ):
        assert esteira(*args).returncode == 2, args
    assert platform.requests == []


def test_platform_that_is_not_there_or_fails(command: Command, platform: Platform) -> None:
    assert command("--url", "http://127.0.0.1:1", "--token", "x", "jobs").code == 4

    def broken(handler: Handler) -> bool:
        handler.reply(500, b"{}")
        return True

    platform.fail("GET /jobs", broken)
    done = command("jobs")
    assert (done.code, "This is its fault, not yours" in done.err) == (4, True)


def test_nobody_is_signed_in(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("jobs", "--token", "est_old").code == 5
    monkeypatch.delenv("ESTEIRA_TOKEN")
    assert command("jobs").code == 5


def test_not_found(command: Command) -> None:
    Path("a.jpg").write_bytes(b"x")
    nobody = "0199d5f2-8a3e-7b10-9f4c-2d7e61c0b3aa"

    for args in (
        ["show", nobody], ["show", "abcdef0"], ["show", "last"], ["run", "nothing", "a.jpg"], ["pipelines", "x"],
        ["api", "GET", "nowhere"],
    ):  # fmt: skip
        done = command(*args)
        assert done.code == 6, (args, done.err)


def test_refused(command: Command, platform: Platform) -> None:
    assert command("cancel", platform.add_job(state="FAILED", finished_at=END)["id"]).code == 7

    def forbidden(handler: Handler) -> bool:
        handler.problem(403, "forbidden", "Your token may not do this.")
        return True

    platform.fail("GET /jobs", forbidden)
    done = command("jobs")
    assert (done.code, done.err) == (7, "Error: Your token may not do this.\n")


def test_mistake_of_ours_is_no_failed_job(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("api_app.client.client.Client.me", broken)

    done = command("whoami", "--json")

    assert done.code == 70
    assert "Traceback" in done.err
    assert json.loads(done.err.splitlines()[-1])["code"] == "internal"


def test_ctrl_c(platform: Platform, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    job = platform.add_job(state="RUNNING")
    platform.script = []
    words = [sys.executable, "-m", "api_app.client", "--url", url, "--token", "est_test", "watch", job["id"], "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "RUNNING" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()

    assert process.returncode == 130
    assert json.loads(told.splitlines()[-1])["code"] == "interrupted"


@pytest.mark.parametrize("words", ["jobs -n 500", "api GET jobs --paginate", "--help", "jobs -n 500 --json"])
@pytest.mark.usefixtures("esteira")  # its environment
def test_reader_that_leaves(platform: Platform, words: str) -> None:
    """Quietly, whatever of its output the command has still to write."""
    for number in range(450):
        platform.add_job(name=f"{number} " * 50)
    # The reader has left before the command begins to write.
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "api_app.client", *words.split()],
        stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(write_end)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.usefixtures("esteira")
def test_nobody_reads_what_went_wrong() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    words = [sys.executable, "-m", "api_app.client", "nonsense"]
    code = subprocess.run(words, stdout=write_end, stderr=write_end, timeout=60, check=False).returncode
    os.close(write_end)
    assert code == 141
