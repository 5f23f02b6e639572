"""A platform to run the runner against: a real HTTP server that does what it is told, and the runner as a process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, override
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-canary-4711"
FENCED: tuple[int, dict[str, Any]] = (409, {"code": "attempt_fenced"})
DROP: tuple[int, dict[str, Any]] = (0, {})


class Call:
    def __init__(self, name: str, body: Any) -> None:
        self.name = name
        self.body = body
        self.at = time.monotonic()


class Platform(ThreadingHTTPServer):
    """`script[call]` holds answers to give before the honest ones begin; a callable decides for itself."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        self.calls: list[Call] = []
        self.script: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.headers: dict[str, str] = {}
        self.log = bytearray()
        self.blobs: dict[str, bytes] = {}
        self.puts: dict[str, bytes] = {}
        self.method = "LINK"
        self.cancel = False
        self.down = False
        self.fenced = False
        self.delay_s = 0.0
        self.download_s = 0.0
        self.order = order(["true"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A runner that was killed breaks its connections; that is no news."""

    def named(self, name: str) -> list[Call]:
        return [call for call in list(self.calls) if call.name == name]

    @property
    def names(self) -> list[str]:
        return [call.name for call in list(self.calls)]

    @property
    def finish(self) -> dict[str, Any]:
        """What the (last) finish said."""
        body: dict[str, Any] = self.named("finish")[-1].body
        return body

    def wait_for(self, name: str, seconds: float = 15) -> Call:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.named(name):
                return found[0]
            time.sleep(0.01)
        raise AssertionError(f"no call to {name}, but {self.names}")

    def wait_for_log(self, text: bytes, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < end, f"the log is {bytes(self.log)!r}"
            time.sleep(0.01)

    def add_input(self, name: str, content: bytes, *, mode: int = 0o444) -> Path:
        path = self.store / f"in-{len(self.order['inputs'])}"
        path.write_bytes(content)
        path.chmod(mode)
        self.order["inputs"].append(source(name, path.as_uri(), content))
        return path

    def add_blob(self, name: str, content: bytes) -> None:
        self.blobs[f"/blobs/{name}"] = content
        self.order["inputs"].append(source(name, f"{self.url}/blobs/{name}", content))

    def answer(self, name: str, query: str, body: Any) -> tuple[int, dict[str, Any]]:
        if scripted := self.script.get(name):
            return scripted.pop(0)
        if self.down:
            return DROP
        if self.fenced:
            return FENCED
        return 200, getattr(self, f"on_{name}")(query, body)

    def on_start(self, _query: str, _body: Any) -> dict[str, Any]:
        return self.order

    def on_heartbeat(self, _query: str, _body: Any) -> dict[str, Any]:
        return {"cancel": self.cancel}

    def on_log(self, query: str, body: bytes) -> dict[str, Any]:
        offset = int(parse_qs(query)["offset"][0])
        if offset > len(self.log):
            raise AssertionError(f"a hole in the log: {offset} after {len(self.log)}")
        self.log[offset:] = body
        return {"end": len(self.log)}

    def on_outputs(self, _query: str, body: Any) -> dict[str, Any]:
        slots = []
        for number, file in enumerate(body["files"]):
            place = self.store / "out" / str(number)
            url = place.as_uri() if self.method == "LINK" else f"{self.url}/puts/{number}"
            slots.append({"path": file["path"], "url": url, "method": self.method, "headers": {"X-Slot": "yes"}})
        return {"slots": slots}

    def on_finish(self, _query: str, _body: Any) -> dict[str, Any]:
        return {}


class Handler(BaseHTTPRequestHandler):
    server: Platform
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one segment, or the client waits 40 ms for the second
    timeout = 30

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        name = url.path.removeprefix("/api/runner/v1/")
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw) if self.headers["Content-Type"] == "application/json" else raw
        time.sleep(self.server.delay_s)
        self.server.calls.append(Call(name, body))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.reply(401, b"{}")
            return
        status, answer = self.server.answer(name, url.query, body)
        self.reply(status, json.dumps(answer).encode())

    def do_GET(self) -> None:
        if scripted := self.server.script.get("GET"):
            self.reply(scripted.pop(0)[0], b"")
        elif (content := self.server.blobs.get(self.path)) is not None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            middle = len(content) // 2
            for part in (content[:middle], content[middle:]):
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(self.server.download_s)
        else:
            self.reply(404, b"")

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if scripted := self.server.script.get("PUT"):
            self.reply(scripted.pop(0)[0], b"")
        else:
            self.server.puts[self.path] = content
            self.reply(200 if self.headers["X-Slot"] == "yes" else 400, b"")

    def reply(self, status: int, content: bytes) -> None:
        if status == DROP[0]:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def serving(platform: Platform) -> Any:
    thread = threading.Thread(target=platform.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        platform.shutdown()
        platform.server_close()
        thread.join()


def source(name: str, url: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    index = {"path": name, "name": name.rpartition("/")[2], "size": len(content), "sha256": digest}
    return {"path": name, "url": url, "size": len(content), "sha256": digest, "index": index}


def bundle(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def with_code(platform: Platform, content: bytes) -> None:
    path = platform.folder / "code bundle%.zip"
    path.write_bytes(content)
    platform.order["code"] = source("code", path.as_uri(), content)


def order(command: list[str]) -> dict[str, Any]:
    return {
        "attempt_id": str(uuid.uuid4()),
        "job_id": "0199d2f0-0000-7000-8000-000000000002",
        "step": "convert",
        "item": 3,
        "number": 1,
        "run": 1,
        "command": command,
        "env": {},
        "params": {"sample_rows": 7},
        "code": None,
        "inputs": [],
        "failed_items": [],
        "python": sys.executable,
        "limits": {
            "wall_s": 60,
            "memory_bytes": 2 << 30,
            "processes": 512,
            "file_size_bytes": 1 << 30,
            "output_files": 100,
            "output_bytes": 1 << 30,
            "log_bytes": 64 << 20,
            "stop_grace_s": 30,
            "cancel_grace_s": 0.5,
        },
        "isolation": "none",
        "network": False,
        "heartbeat_s": 5,
        "patience_s": 30,
        "cancel": False,
    }


class Runner:
    """One runner process."""

    def __init__(
        self, pyz: Path, platform: Platform, *more: str, python: str = sys.executable, user: int | None = None
    ) -> None:
        self.work = platform.folder / "work"
        self.pyz = pyz
        self.attempt_id: str = platform.order["attempt_id"]
        command = [python, "-I", "-S", "-W", "error", str(pyz), "--server", platform.url, "--work", str(self.work)]
        command += ["--probe-cache", str(pyz.parent / "probe"), *more]
        # What a careless supervisor would leave to it: an open file, and secrets in the environment.
        with open(os.devnull) as inherited:  # noqa: PTH123
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                user=user,
                pass_fds=[inherited.fileno()],
                env={"SECRET_KEY": "environment-canary", "DATABASE_URL": "environment-canary"},
            )
        assert self.process.stdin is not None
        self.process.stdin.write(TOKEN.encode() + b"\n")
        self.process.stdin.close()
        self.process.stdin = None

    def wait(self, seconds: float = 30) -> int:
        _, stderr = self.process.communicate(timeout=seconds)
        assert stderr == b"", stderr.decode()
        return self.process.returncode

    @property
    def exit(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.work / "exit.json").read_text())
        return content

    def sweep(self) -> int:
        """What a supervisor does after a runner that was killed."""
        command = [sys.executable, "-I", "-S", str(self.pyz), "--sweep", self.attempt_id]
        return subprocess.run(command, check=False).returncode

    def leftovers(self) -> list[int]:
        return marked(self.attempt_id)

    def gone(self, seconds: float = 10) -> bool:
        """Whether nothing of the step is left, or soon."""
        end = time.monotonic() + seconds
        while self.leftovers():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def end(self) -> None:
        """After a test, whatever has become of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        for pid in self.leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def marked(attempt_id: str) -> list[int]:
    """The processes of a step that are still there."""
    mark = f"ESTEIRA_ATTEMPT_ID={attempt_id}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def progress_of(platform: Platform) -> list[float]:
    return [call.body["progress"] for call in platform.named("heartbeat")]


def without_notes(log: bytes) -> bytes:
    return re.sub(rb"(?m)^\[esteira\] .*\n", b"", log)
