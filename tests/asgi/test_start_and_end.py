"""How the process starts, or says why not, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from project.serve import configuration
from tests.api.door import token_of
from tests.asgi.server import ROOT, cookie_of, environment, serving
from tests.live.platform import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.models import Job, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_open_streams_and_sockets_do_not_hold_up_the_end(user: User, job: Job) -> None:
    with serving() as server:
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token_of(user)}"}
        path = f"{server.url}/api/v1/jobs/{job.pk}/events"
        origin, cookie = Origin(f"http://127.0.0.1:{server.port}"), {"Cookie": cookie_of(user, server)}
        socket_path = f"ws://127.0.0.1:{server.port}/ws/jobs/{job.pk}"
        with (
            httpx.stream("GET", path, headers=headers, timeout=20, trust_env=False) as stream,
            connect(socket_path, origin=origin, additional_headers=cookie),
        ):
            lines = stream.iter_lines()  # held: httpx closes a stream whose iterator is dropped
            assert next(lines).startswith("retry")
            took = server.stop()
            assert not [line for line in lines if line.startswith("event:")], "it just ends; the job has not"
        assert took < 2, "a stream held the process until its grace was over"
        said = server.log.read_text()
        assert "Traceback" not in said, said
        print(f"stopped in {took:.2f} s with a stream and a socket open")


def test_server_bounds_messages_before_they_are_in_memory() -> None:
    config = configuration()
    assert (config.ws_max_size, config.ws_per_message_deflate, config.proxy_headers) == (64 << 10, False, False)
    assert config.timeout_graceful_shutdown is not None
    assert config.timeout_graceful_shutdown < 5


def test_taken_port_is_named_with_who_has_it_and_what_to_do(tmp_path: Path) -> None:
    with serving() as server:
        env = environment(server.port, tmp_path)
        command = [sys.executable, "-m", "project.serve"]
        second = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"Port {server.port} is taken by python" in second.stderr
    assert f"pid {server.process.pid}" in second.stderr
    assert f"ESTEIRA_PORT={server.port + 1}" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ESTEIRA_ALLOWED_HOSTS", "*", "ESTEIRA_ALLOWED_HOSTS"),
        ("ESTEIRA_SECRET_KEY", "short", "ESTEIRA_SECRET_KEY"),
        ("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/none", "DATABASE_URL"),
    ],
)
def test_bad_setting_ends_the_process_with_a_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    env = environment(free_port(), tmp_path) | {name: value}
    code = "from project import serve\nimport project.stack.lifespan as l\nl.READY_S = 0.5\nserve.main()"
    if name != "DATABASE_URL":
        code = "from project import serve\nserve.main()"
    started = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert started.returncode != 0
    assert sentence in started.stderr
