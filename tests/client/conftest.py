import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_app.client.cli import main
from api_app.client.client import Client
from tests.client.fake_s3 import serve_s3
from tests.client.fake_server import TOKEN, Platform, serve

ROOT = Path(__file__).parents[2]

type Esteira = Callable[..., "subprocess.CompletedProcess[str]"]
type Command = Callable[..., "Outcome"]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login, no platform and no folder of the person who runs the tests may shine through."""
    for name in [name for name in os.environ if name.startswith("ESTEIRA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("api_app.client.trying.BACKOFF_S", 0.02)
    monkeypatch.setattr("api_app.client.uploads.calls.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("api_app.client.uploads.calls.LONGEST_PAUSE_S", 0.2)
    monkeypatch.setattr("api_app.client.home.ROOT", tmp_path / "checkout")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def url(platform: Platform) -> Iterator[str]:
    with serve(platform) as address:
        yield address


@pytest.fixture
def s3(platform: Platform) -> Iterator[str]:
    """The platform keeps files in object storage, and clients send there."""
    with serve_s3(platform) as address:
        yield address


@pytest.fixture(params=["app", "s3"])
def transport(request: pytest.FixtureRequest) -> str:
    """The same client code for both."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    return str(request.param)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, TOKEN, patience_s=3) as one:
        yield one


@pytest.fixture
def command(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`esteira …` in this process, logged in."""
    monkeypatch.setenv("ESTEIRA_URL", url)
    monkeypatch.setenv("ESTEIRA_TOKEN", TOKEN)

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return run


@pytest.fixture
def esteira(url: str, monkeypatch: pytest.MonkeyPatch) -> Esteira:
    """`python -m api_app.client …` as a process of its own, logged in."""
    monkeypatch.setenv("ESTEIRA_URL", url)
    monkeypatch.setenv("ESTEIRA_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*args: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "api_app.client", *map(str, args)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
