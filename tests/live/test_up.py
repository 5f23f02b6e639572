"""`manage.py up` as a newcomer meets it: first job, command without login, clear errors, clean stop."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from project.children import WEB_ENV
from project.embedded.throwaway import temporary_root
from tests.live.platform import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder that the database's account can enter too, when root runs the tests."""
    top = Path(tempfile.mkdtemp(prefix="esteira-up-", dir=temporary_root()))
    top.chmod(0o711)
    yield top / "var"
    shutil.rmtree(top, ignore_errors=True)


def environment(home: Path, port: int) -> dict[str, str]:
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    # HOME is empty and unwritable, as for a service account: nothing may depend on it.
    return {**keep, "HOME": "/nonexistent", "ESTEIRA_HOME": str(home), "ESTEIRA_PORT": str(port)}


@contextmanager
def up(home: Path, port: int, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    said = home.parent / f"{home.name}.said"
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", *words],
            env=environment(home, port),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process, said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def until_said(said: Path, words: str, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 120
    while words not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.1)
    return said.read_text()


def esteira(home: Path, port: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api_app.client", *words],
        env=environment(home, port),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def processes_of(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                mine = f"ESTEIRA_HOME={home}".encode() in (entry / "environ").read_bytes() or str(home) in command
            except OSError:
                continue
            if mine:
                found.append(command)
    return found


def environment_of(home: Path, module: str) -> set[str]:
    """Of the process of this home that runs `module`: what its allocator was told at its start."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            found = set((entry / "environ").read_text().split("\0"))
            if f"ESTEIRA_HOME={home}" in found and module in (entry / "cmdline").read_text():
                return found
    raise AssertionError(f"no process runs {module}")


def test_a_newcomers_first_minutes(home: Path, tmp_path: Path) -> None:
    port = free_port()
    with up(home, port) as (process, said):
        text = until_said(said, "Esteira is running", process)
        assert f"http://127.0.0.1:{port}" in text
        assert re.search(r"Password +\S{10,}", text)
        assert "SUCCEEDED" in text
        assert "report.html" in text
        assert {f"{name}={value}" for name, value in WEB_ENV.items()} <= environment_of(home, "project.serve")

        table = tmp_path / "table.csv"
        table.write_text("name,age\nana,41\nbruno,33\n")
        done = esteira(home, port, "run", "tabular-profile", str(table), "--watch", "--json")
        assert done.returncode == 0, done.stderr
        job = json.loads(done.stdout.splitlines()[-1])
        assert job["state"] == "SUCCEEDED"

        broken = tmp_path / "broken.csv"
        broken.write_bytes(b"a,b\n" + b"\x00\xff\xfe" * 100)
        failed = esteira(home, port, "run", "inspect", str(broken), "--watch", "--json")
        assert json.loads(failed.stdout.splitlines()[-1])["state"] == "SUCCEEDED", "inspect takes any bytes"

        down = esteira(home, port, "download", job["id"], "-o", str(tmp_path / "out"))
        assert down.returncode == 0, down.stderr
        assert any(path.name == "report.html" for path in (tmp_path / "out").rglob("*"))

        second = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "up"],
            env=environment(home, port),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode != 0
        assert "already runs" in second.stderr
        assert "Traceback" not in second.stderr

        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "Everything has stopped" in said.read_text()
    assert processes_of(home) == []

    with up(home, port) as (process, said):
        text = until_said(said, "Esteira is running", process)
        assert "Password" not in text, "the password is shown once"
        assert "A first job" not in text
        done = esteira(home, port, "show", job["id"][-8:], "--json")
        assert json.loads(done.stdout.splitlines()[-1])["state"] == "SUCCEEDED"


def test_taken_port_is_named_with_a_way_out(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "up"],
            env=environment(home, port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert f"Port {port}" in done.stderr
    assert f"ESTEIRA_PORT={port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


def test_everything_killed_at_once_comes_back_with_its_data(home: Path) -> None:
    """As after a power cut, but for the page cache."""
    port = free_port()
    with up(home, port) as (process, said):
        until_said(said, "Esteira is running", process)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environ = (entry / "environ").read_bytes()
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if f"ESTEIRA_HOME={home}".encode() in environ or str(home).encode() in command:
                    os.kill(int(entry.name), signal.SIGKILL)
        process.wait(30)
    with up(home, port) as (process, said):
        until_said(said, "Esteira is running", process)
        jobs = esteira(home, port, "jobs", "--json")
        (job,) = json.loads(jobs.stdout.splitlines()[-1])
        assert job["state"] == "SUCCEEDED"
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200
