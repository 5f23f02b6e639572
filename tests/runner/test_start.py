"""Starting: one file, any Python from 3.9, and quick, because a runner starts for every attempt."""

from __future__ import annotations

import ast
import io
import os
import resource
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import orchestration.runner
from orchestration.runner.build import build, digest
from orchestration.runner.cli import main
from orchestration.runner.watch import Watch
from tests.runner.fake import TOKEN, Platform, Runner, marked

if TYPE_CHECKING:
    from collections.abc import Callable

    Launch = Callable[..., Runner]

SOURCES = sorted(Path(orchestration.runner.__path__[0]).glob("*.py"))
HEAVY = {"re", "enum", "json", "socket", "signal", "hashlib", "threading", "subprocess", "ssl", "email", "typing"}
HEAVY |= {"argparse", "ctypes", "pathlib", "tempfile", "shutil", "zipfile", "http.client", "urllib.parse", "logging"}
OTHER = "/usr/bin/python3"
other_python = pytest.mark.skipif(not Path(OTHER).exists(), reason="there is no second Python")


def test_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "deep" / "runner.pyz")
    assert digest(again) == digest(pyz)
    assert os.listdir(again.parent) == ["runner.pyz"]  # noqa: PTH208


def test_compiled_modules_are_what_runs(pyz: Path, platform: Platform) -> None:
    broken = platform.folder / "runner.pyz"
    with zipfile.ZipFile(pyz) as whole, zipfile.ZipFile(broken, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name) if name.endswith(".pyc") else b"no Python")
    runner = Runner(broken, platform)
    assert runner.wait() == 0
    runner.end()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_module_keeps_to_the_syntax_of_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_module_imports_nothing_but_the_standard_library(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
        assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


@other_python
def test_runs_on_another_python_from_source(platform: Platform, launch: Launch) -> None:
    platform.add_input("a", b"a")
    platform.order["command"] = [
        "sh",
        "-c",
        "echo ::progress 0.5; cat $ESTEIRA_INPUTS/a > $ESTEIRA_OUTPUTS/b; sleep 0.6",
    ]
    platform.order["heartbeat_s"] = 0.1
    assert launch(python=OTHER).wait() == 0
    assert platform.finish["outcome"] == "succeeded"
    assert {"heartbeat", "log", "outputs"} <= set(platform.names)


def test_no_step_at_all_imports_nothing_slow(pyz: Path, platform: Platform) -> None:
    command = [sys.executable, "-I", "-S", "-X", "importtime", str(pyz), "--server", platform.url]
    command += ["--work", str(platform.folder / "work")]
    done = subprocess.run(command, input=TOKEN.encode(), capture_output=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert "esteira_runner.attempt" in imported
    assert imported & HEAVY == set()


def test_noop_takes_little_cpu(platform: Platform, launch: Launch) -> None:
    """Measured 19 ms on the reference machine; the bound leaves room for a slower one and for its neighbours."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        launch().wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.045 * slowness()


def slowness() -> float:
    """How much slower than the reference machine a bare interpreter starts here."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return max(1.0, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3 / 0.007)


def test_parent_with_the_modules_loaded_may_fork_and_call_main(platform: Platform) -> None:
    platform.order["command"] = ["sh", "-c", "echo hello; exit 65"]
    assert forked(platform) == 0
    assert platform.finish["failure_kind"] == "INPUT"


def test_outputs_and_exit_file_are_on_disk_before_they_are_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = platform.folder / "flushed"
    honest = os.fsync

    def fsync(fd: int) -> None:
        with flushed.open("a") as file:
            file.write(os.readlink(f"/proc/self/fd/{fd}").removeprefix(f"{platform.folder}/") + "\n")  # noqa: PTH115
        honest(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    platform.order["command"] = ["sh", "-c", "cd $ESTEIRA_OUTPUTS; echo x > x; echo y > y; ln y z"]
    assert forked(platform) == 0
    written = flushed.read_text().splitlines()
    assert written[-1] == "work/exit.json.tmp"
    assert written[-2] == "store/out"
    assert "work/outputs/x" in written
    assert len([path for path in written if ".part-" in path]) == 2


def test_step_is_forked_while_there_is_no_other_thread(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that another thread holds at that moment would stay locked in the child."""
    seen = platform.folder / "threads"
    platform.add_blob("slow", b"x" * 100)
    platform.download_s = 0.5
    platform.order["heartbeat_s"] = 0.1

    def fork(honest: Callable[[], int] = os.fork) -> int:
        if os.getpid() != me:
            seen.write_text(str(len(os.listdir("/proc/self/task"))))  # noqa: PTH208
        return honest()

    me = os.getpid()
    monkeypatch.setattr(os, "fork", fork)
    assert forked(platform) == 0
    assert "heartbeat" in platform.names
    assert seen.read_text() == "1"


def forked(platform: Platform) -> int:
    """The exit code of a runner in a fork of this process."""
    argv = ["--server", platform.url, f"--work={platform.folder / 'work'}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest has the platform's thread; the real parent has none
        pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(main(argv, io.BytesIO(TOKEN.encode())))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def test_fault_of_the_runner_is_reported_and_leaves_no_process(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_timeout_ms", lambda _watch: 1 // 0)
    platform.order["command"] = ["sh", "-c", "setsid sleep 60 & sleep 60"]
    assert forked(platform) == 6
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert platform.finish["detail"].startswith("A fault of the runner: ZeroDivisionError")
    assert marked(platform.order["attempt_id"]) == []


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--work", "/tmp/x"],  # noqa: S108
        ["--server", "http://127.0.0.1:1"],
        ["--server", "ftp://127.0.0.1", "--work", "/tmp/x"],  # noqa: S108
        ["--server", "http://u:p@127.0.0.1", "--work", "/tmp/x"],  # noqa: S108
        ["--server", "http://127.0.0.1:1", "--work"],
        ["--server", "http://127.0.0.1:1", "--work", "/proc/x"],
    ],
)
def test_wrong_use_is_told_and_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, io.BytesIO(b"token")) == 2
    assert capsys.readouterr().err.startswith("runner: ")


@pytest.mark.parametrize("token", [b"", b"\n", b"a b", "é".encode(), b"a\x00b"])
def test_token_must_fit_into_a_header(token: bytes, tmp_path: Path) -> None:
    assert main(["--server", "http://127.0.0.1:1", "--work", str(tmp_path)], io.BytesIO(token)) == 2
