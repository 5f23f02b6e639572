"""The servers that uploads are held against: nginx with its dav module, and @tus/server. Each where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from project.children import WEB, WEB_ENV
from tests.bench.load import answers, cpu_s
from tests.live.platform import ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

HERE = Path(__file__).parent
NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; client_body_buffer_size 1m; client_body_temp_path {folder}/temp;
  proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; location / {{ dav_methods PUT; create_full_put_path on; }} }}
}}
"""


class Absent(Exception):
    """It is not installed here."""


@dataclass(frozen=True, slots=True)
class Rival:
    name: str
    port: int
    pid: int
    """Of the process that does the work."""
    folder: Path

    def cpu_s(self) -> float:
        """So far."""
        return cpu_s(self.pid)


@contextlib.contextmanager
def nginx(top: Path) -> Iterator[Rival]:
    program = shutil.which("nginx")
    if program is None:
        raise Absent("nginx is not installed")
    folder, port = top / "nginx", free_port()
    (folder / "files").mkdir(parents=True, exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, user=user))
    with _started([program, "-e", str(folder / "error.log"), "-c", str(config)], port) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Rival("nginx dav", port, int(children[0]), folder / "files")


@contextlib.contextmanager
def tus(top: Path) -> Iterator[Rival]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Absent("node and npm are not installed")
    place = ROOT / "build" / "bench" / "tus"
    shutil.copytree(HERE / "tus", place, dirs_exist_ok=True)
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], cwd=place, check=False, capture_output=True
    )
    if installed.returncode:
        raise Absent("npm could not install @tus/server")
    folder, port = top / "tus", free_port()
    folder.mkdir(exist_ok=True)
    with _started([node, str(place / "server.js"), str(port), str(folder)], port) as process:
        yield Rival("@tus/server", port, process.pid, folder)


@contextlib.contextmanager
def stock(platform: Platform) -> Iterator[Rival]:
    """Our own web process without the fast way in, on the same database and files."""
    port = free_port()
    env = WEB_ENV | platform.children.env | {"ESTEIRA_PORT": str(port), "ESTEIRA_RECEIVE": "stock"}
    with _started([sys.executable, *WEB], port, env) as process:
        yield Rival("ours, stock", port, process.pid, platform.home)


@contextlib.contextmanager
def _started(command: list[str], port: int, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, **(env or {})}, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Absent(f"{command[0]} did not come up")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(20)
