"""Processes of the platform by their name, as containers start them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from project import process
from project.children import WEB_ENV


class Became(Exception):
    """Instead of going on as another program."""


def become(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[list[str], dict[str, str]]:
    said: list[tuple[list[str], dict[str, str]]] = []

    def execve(path: str, argv: list[str], env: dict[str, str]) -> None:
        assert path == sys.executable
        said.append((argv[1:], env))
        raise Became

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(Became):
        process.main(list(words))
    return said[0]


def test_web_gets_its_memory_settings_and_says_who_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path / "new" / "home"))
    monkeypatch.delenv("ESTEIRA_PROCESS", raising=False)
    argv, env = become(monkeypatch, "web")
    assert argv == ["-m", "project.serve"]
    assert env["ESTEIRA_PROCESS"] == "web"
    assert env.items() >= WEB_ENV.items()
    assert (tmp_path / "new" / "home").is_dir(), "beat would find no place for its schedule"


def test_words_after_the_name_go_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    argv, env = become(monkeypatch, "worker", "--concurrency", "8")
    assert argv[-2:] == ["--concurrency", "8"]
    assert not env.keys() & (WEB_ENV.keys() - os.environ.keys())
    argv, _ = become(monkeypatch, "manage", "check", "--deploy")
    assert argv == [process.MANAGE, "check", "--deploy"]


def test_name_that_nobody_has_ends_with_the_list_of_those_there_are() -> None:
    command = [sys.executable, "-m", "project.process", "webb"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == process.USAGE
    assert "'webb'" in done.stderr
    assert all(name in done.stderr for name in process.PROCESSES)


def test_every_command_is_one_of_ours() -> None:
    commands = {words[1] for words in process.PROCESSES.values() if words[0] == process.MANAGE and words[1:]}
    there = {path.stem for path in (Path(process.MANAGE).parent / "project" / "management" / "commands").glob("*.py")}
    assert commands == {"local_engine", "consume_events", "exporter", "prepare"}
    assert commands <= there
