"""`esteira upload` as a process of its own against the real one: killed, cut off, damaged on the way."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.models import File, Upload
from orchestration.states import UploadState
from tests.api.door import token_of
from tests.asgi.server import ROOT, Server, serving
from tests.client.wire import Wire
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.xdist_group("client_uploads")]
MIB = 1 << 20
PART = 16 * MIB
SIZE = 6 * PART + 12_345
CONNECTIONS = 2
CONTROL = 1 * MIB
"""More than all heads and JSON of a test."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest, home: Path) -> Iterator[Server]:
    with serving(ESTEIRA_HOME=str(home)) as server:
        yield server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server.port) as wire:
        yield wire


@pytest.fixture
def esteira(wire: Wire, tmp_path: Path) -> Any:
    user = make_user()
    join(user, make_workspace())
    own = {name: value for name, value in os.environ.items() if not name.startswith("ESTEIRA_")}
    env = own | {
        "ESTEIRA_URL": wire.url,
        "ESTEIRA_TOKEN": token_of(user),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHONPATH": str(ROOT),
    }

    def start(*args: object, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "api_app.client", *map(str, args)]
        return subprocess.Popen(
            command, env=env, cwd=tmp_path, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=200)
    assert process.returncode == code, err
    return out


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(random.Random(7).randbytes(SIZE))
    return path


def stored(home: Path, file: File) -> Path:
    return home / "storage" / "uploads" / file.key


def digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def test_killed_client_goes_on_and_sends_little_twice(esteira: Any, wire: Wire, home: Path, big: Path) -> None:
    wire.hold_at = SIZE * 6 // 10
    killed = esteira("upload", big, "--jobs", CONNECTIONS)
    assert wire.is_held.wait(100)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wire.let_go()

    done = json.loads(ended(esteira("upload", big, "--jobs", CONNECTIONS, "--json")))

    (file,) = File.objects.all()
    assert done["files"][0]["id"] == str(file.pk)
    assert Upload.objects.get().state == UploadState.COMPLETE
    assert digest(stored(home, file)) == digest(big)
    # What was under way when it died may be lost: one part for each connection, and no more.
    assert SIZE < wire.sent <= SIZE + CONNECTIONS * PART + CONTROL


def test_client_waits_for_a_platform_that_was_killed(esteira: Any, big: Path, tmp_path: Path, wire: Wire) -> None:
    own = tmp_path / "home"
    own.mkdir()
    with serving(ESTEIRA_HOME=str(own)) as first:
        wire.port_behind = first.port
        wire.hold_at = SIZE // 2
        client = esteira("upload", big, "--jobs", CONNECTIONS)
        assert wire.is_held.wait(100)
        first.process.kill()
        first.process.wait()
        wire.let_go()
    with serving(ESTEIRA_HOME=str(own)) as second:
        assert client.poll() is None, "it must not have given up"
        wire.port_behind = second.port
        ended(client)
    file = File.objects.get()
    assert digest(stored(own, file)) == digest(big)
    assert wire.sent <= SIZE + 2 * CONNECTIONS * PART + CONTROL


def test_byte_that_flips_on_the_way_is_found_and_sent_again(esteira: Any, wire: Wire, home: Path, big: Path) -> None:
    wire.flip_at = SIZE // 2

    ended(esteira("upload", big, "--jobs", CONNECTIONS))

    assert wire.was_flipped
    assert digest(stored(home, File.objects.get())) == digest(big)
    assert wire.sent > SIZE + PART


def test_folder_of_small_files(esteira: Any, wire: Wire, home: Path, tmp_path: Path) -> None:
    dice, sent = random.Random(3), {}
    for number in range(300):
        path = tmp_path / "photos" / f"day-{number % 7}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(5000)))
        sent[f"photos/day-{number % 7}/{number}.bin"] = digest(path)

    done = json.loads(ended(esteira("upload", "photos", "--path", "2026", "--json")))

    assert (len(done["files"]), done["failed"]) == (300, [])
    found = {f"{file.path}/{file.name}": digest(stored(home, file)) for file in File.objects.all()}
    assert found == {f"2026/{name}": value for name, value in sent.items()}

    before = wire.sent
    again = json.loads(ended(esteira("upload", "photos", "--path", "2026", "--json")))
    assert [file["id"] for file in again["files"]] == [file["id"] for file in done["files"]]
    assert wire.sent - before < 20_000, "nothing was sent again"


def test_standard_input(esteira: Any, home: Path, big: Path, server: Server) -> None:
    with big.open("rb") as content:
        ended(esteira("upload", "-", "--name", "from a pipe.bin", stdin=content))

    file = File.objects.get()
    assert (file.name, file.size) == ("from a pipe.bin", SIZE)
    assert digest(stored(home, file)) == digest(big)
