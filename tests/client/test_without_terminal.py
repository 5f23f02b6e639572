"""In a pipe, in cron, in CI, in an editor's window: plain lines, whole words, no questions. With real processes."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.client.conftest import Esteira
from tests.client.fake_server import Platform
from tests.client.fake_shapes import END, step

ESCAPE = re.compile(r"\x1b")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HUE = re.compile(r"\x1b\[(?:\d+;)*(?:3[1-7]|9[1-7])")
CURSOR = re.compile(r"\x1b\[\??[0-9;]*[A-HJKSTfhl]|\r(?!\n)")
NAME = "A name that is longer than any window " * 4


def on_terminal(*args: object, width: int = 80, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """What a person sees: stdin, stdout and stderr are one terminal."""
    # The size is the terminal's, unless these say another.
    plain = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "api_app.client", *map(str, args)],
        stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**plain, "TERM": "xterm-256color", **(environment or {})},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(mine, 65536):
            seen += chunk
    except OSError:
        pass  # the last process has closed it
    finally:
        os.close(mine)
    return process.wait(30), seen.decode()


@pytest.fixture
def job(platform: Platform, esteira: Esteira) -> str:
    Path("a.jpg").write_bytes(b"x")
    platform.script = [
        {"state": "RUNNING", "steps": [step(state="RUNNING")]},
        {"state": "SUCCEEDED", "finished_at": END, "steps": [step(state="SUCCEEDED")]},
    ]
    return str(platform.add_job(name=NAME)["id"])


@pytest.mark.parametrize(
    "args", [["jobs"], ["show", "last"], ["run", "inspect", "a.jpg", "--watch"], ["--help"], ["jbos"]]
)
def test_pipe_gets_no_code_of_a_terminal(esteira: Esteira, job: str, args: list[str]) -> None:
    assert job
    done = esteira(*args)
    assert not ESCAPE.search(done.stdout + done.stderr)
    assert not CURSOR.search(done.stdout + done.stderr)


def test_pipe_gets_whole_words(esteira: Esteira, job: str) -> None:
    (_, line) = esteira("jobs").stdout.splitlines()
    assert line.startswith(job)
    assert NAME.strip() in line


def test_progress_is_a_line_for_each_change(esteira: Esteira, job: str) -> None:
    told = esteira("watch", job).stderr.splitlines()
    assert 2 <= len(told) <= 8, told
    assert [line for line in told if "SUCCEEDED" in line]


@pytest.mark.parametrize(
    ("environment", "has_colour", "has_cursor"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)],
)
def test_terminal_gets_what_it_can_show(
    job: str, environment: dict[str, str], *, has_colour: bool, has_cursor: bool
) -> None:
    code, seen = on_terminal("watch", job, environment=environment)
    assert code == 0, seen
    assert bool(HUE.search(seen)) == has_colour, seen
    assert bool(CURSOR.search(seen.replace("\r\n", "\n"))) == has_cursor, seen


@pytest.mark.parametrize("width", [40, 100])
def test_id_is_whole_in_any_window(job: str, width: int) -> None:
    _, seen = on_terminal("jobs", width=width)
    assert job.replace("-", "")[-8:] in seen


@pytest.mark.parametrize("width", [40, 100])
def test_lines_fit_the_terminal(job: str, width: int) -> None:
    assert job
    _, seen = on_terminal("jobs", width=width, environment={"TERM": "dumb"})
    assert max(map(len, seen.splitlines())) <= width


def test_colour_in_a_pipe_has_to_be_asked_for(esteira: Esteira, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CI does, which shows it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert COLOUR.search(esteira("jobs").stdout)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not HUE.search(esteira("show", job).stdout)


@pytest.mark.parametrize(
    ("args", "flag"),
    [
        (["login"], "--user NAME"),
        (["login", "--user", "ana"], "--password-stdin"),
        (["cancel", "LAST", "OTHER"], "--yes"),
        (["bulk", "cancel", "state:open"], "--yes"),
        (["files", "delete", "a.csv"], "--yes"),
    ],
)
def test_question_nobody_can_answer_names_its_flag(
    esteira: Esteira, platform: Platform, job: str, args: list[str], flag: str
) -> None:
    other = platform.add_job()["id"]
    done = esteira(*[{"LAST": job, "OTHER": other}.get(one, one) for one in args])
    assert (done.returncode, flag in done.stderr) == (2, True), done.stderr
    assert {one["state"] for one in platform.jobs.values()} == {"QUEUED"}
