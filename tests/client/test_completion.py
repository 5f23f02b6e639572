"""The tab key, in real shells: what somebody types, and what the shell offers."""

import os
import shutil
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from api_app.client.cli import cli
from tests.client.conftest import ROOT
from tests.client.fake_faults import Fault
from tests.client.fake_server import TOKEN, Handler, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

BASH = """
{script}
COMP_WORDS=({words}) COMP_CWORD={at}
_esteira_completion esteira
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -U compinit && compinit -u
eval "$(esteira completion zsh)"
print -r -- $_comps[esteira]
"""


@pytest.fixture
def shell(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody is logged in and has `esteira` on the path."""
    command = tmp_path / "bin" / "esteira"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m api_app.client "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ESTEIRA_URL", url)
    monkeypatch.setenv("ESTEIRA_TOKEN", TOKEN)
    return tmp_path


def answering(status: int, body: bytes) -> Fault:
    def answer(handler: Handler) -> bool:
        handler.reply(status, body)
        return True

    return answer


def run(program: str, script: str) -> "subprocess.CompletedProcess[str]":
    where = shutil.which(program)
    if where is None:
        pytest.skip(f"{program} is not installed here")
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[program]
    return subprocess.run([where, *plain, "-c", script], capture_output=True, text=True, timeout=60, check=False)


@cache
def script_of_bash() -> str:
    return subprocess.run(
        [sys.executable, "-m", "api_app.client", "completion", "bash"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip


def offered(words: str) -> list[str]:
    """By bash, for what stands before the cursor; the last word is being typed."""
    typed = words.split(" ")
    script = BASH.format(script=script_of_bash(), words=" ".join(f'"{one}"' for one in typed), at=len(typed) - 1)
    done = run("bash", script)
    assert done.stderr == "", "an error in the middle of what somebody types"
    return done.stdout.split()


@pytest.mark.usefixtures("shell")
def test_commands_options_and_choices() -> None:
    assert offered("esteira re") == ["retry", "resubmit", "rerun-items"]
    assert offered("esteira tokens ro") == ["rotate"]
    assert offered("esteira jobs --pi") == ["--pipeline"]
    assert offered("esteira jobs --state SUC") == ["succeeded"]
    assert offered("esteira completion ") == ["bash", "zsh", "fish"]


@pytest.mark.usefixtures("shell")
def test_names_that_the_platform_knows(platform: Platform) -> None:
    job = platform.add_job()
    platform.add_file("sales.csv", b"x")
    platform.add_file("two words.csv", b"x")

    assert offered("esteira run tab") == ["tabular-profile"]
    assert offered("esteira show ") == ["last", job["id"].replace("-", "")[-8:]]
    assert "sales.csv" in offered("esteira files show ")
    assert "two" not in offered("esteira files show ")
    assert offered("esteira --token est_old show ") == []


def arguments(command: click.Command = cli) -> "Iterator[tuple[click.Context, click.Argument]]":
    context = click.Context(command)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        below = command.get_command(context, name) if isinstance(command, click.Group) else None
        yield from arguments(below) if below else ()
    yield from ((context, one) for one in command.params if isinstance(one, click.Argument))


@pytest.mark.usefixtures("shell")
def test_jobs_are_offered_wherever_one_is_an_argument(platform: Platform) -> None:
    short = platform.add_job()["id"].replace("-", "")[-8:]
    asked = [(context, one) for context, one in arguments() if "JOB" in one.make_metavar(context)]
    assert len(asked) >= 11
    for context, one in asked:
        found = {item.value: item.help for item in one.shell_complete(context, short[:3]) if item.type == "plain"}
        assert list(found) == [short], context.command.name


@pytest.mark.usefixtures("shell")
def test_paths_are_left_to_the_shell_where_one_may_stand_too() -> None:
    done = run("bash", "_ESTEIRA_COMPLETE=bash_complete COMP_WORDS='esteira verify res' COMP_CWORD=2 esteira")
    assert done.stdout == "file,res\n"


@pytest.mark.usefixtures("shell")
def test_fish_shows_the_name_beside_the_id(platform: Platform) -> None:
    job = platform.add_job()
    done = run("fish", "esteira completion fish | source; complete -C 'esteira cancel '")
    lines = dict(line.split("\t") for line in done.stdout.splitlines())
    assert job["name"] in lines[job["id"].replace("-", "")[-8:]]
    assert done.stderr == ""


def test_second_press_asks_nobody(shell: Path, platform: Platform) -> None:
    assert offered("esteira run tab") == offered("esteira run tab") == ["tabular-profile"]
    assert len(platform.calls("GET", "/pipelines")) == 1
    (kept,) = (shell / "cache" / "esteira").iterdir()
    assert kept.stat().st_mode & 0o077 == 0, "names are nobody else's business"
    assert TOKEN not in kept.name

    kept.write_text("{")
    assert offered("esteira run tab") == ["tabular-profile"]
    os.utime(kept, (0, 0))
    assert offered("esteira run tab") == ["tabular-profile"]
    assert len(platform.calls("GET", "/pipelines")) == 3


@pytest.mark.parametrize(
    "trouble", ["nobody logged in", "not there", "too slow", "fails", "another program", "no cache"]
)
def test_trouble_is_silence(shell: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    answered = threading.Event()
    if trouble == "nobody logged in":
        monkeypatch.delenv("ESTEIRA_TOKEN")
        monkeypatch.setenv("HOME", str(shell))
    elif trouble == "not there":
        monkeypatch.setenv("ESTEIRA_URL", "http://127.0.0.1:1")
    elif trouble == "too slow":
        platform.fail("GET /pipelines", lambda _: answered.wait(60))
    elif trouble == "fails":
        platform.fail("GET /pipelines", answering(500, b"oh"))
    elif trouble == "another program":
        platform.fail("GET /pipelines", answering(200, b"[1]"))
    else:
        (shell / "cache").write_text("a file where a folder should be")

    assert offered("esteira run tab") == []
    assert not answered.is_set(), "it did not wait for the answer"
    answered.set()


def test_mistake_of_ours_is_silence(shell: Path) -> None:
    (shell / "bin" / "esteira").write_text(
        f"#!{sys.executable}\nfrom api_app.client import cli, completing\n"
        "completing._newest = lambda *_: 1 / 0\nraise SystemExit(cli.main())\n"
    )
    assert offered("esteira run tab") == []


@pytest.mark.usefixtures("shell")
def test_unfinished_nonsense_is_silence() -> None:
    assert offered("esteira nonsense ") == []
    assert offered("esteira jobs --nonsense ") == []


@pytest.mark.usefixtures("shell")
def test_zsh_takes_it() -> None:
    done = run("zsh", ZSH)
    assert (done.stdout.strip(), done.stderr) == ("_esteira_completion", "")


@pytest.mark.usefixtures("shell")
def test_fish_takes_it() -> None:
    done = run("fish", "esteira completion fish | source; complete -C 'esteira tokens ro'")
    word, _, about = done.stdout.strip().partition("\t")
    assert (word, done.stderr) == ("rotate", "")
    assert about.startswith("Put a new token"), "fish shows it beside the word"


@pytest.mark.usefixtures("shell")
def test_scripts_are_printed_for_shells_that_are_not_here() -> None:
    for name, word in (
        ("bash", "COMPREPLY"),
        ("zsh", "#compdef esteira"),
        ("fish", "complete --no-files --command esteira"),
    ):
        done = subprocess.run(["esteira", "completion", name], capture_output=True, text=True, timeout=60, check=True)
        assert word in done.stdout
