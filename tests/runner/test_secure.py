"""The same calls over TLS, with a certificate that is checked."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestration.runner import wire
from orchestration.runner.protocol import Again, Fenced
from orchestration.runner.protocol import Platform as Calls
from tests.runner.fake import FENCED, TOKEN, Platform, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def secured(certificate: Path, tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    platform.socket = context.wrap_socket(platform.socket, server_side=True)
    with serving(platform):
        yield platform


@pytest.fixture
def url(secured: Platform, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    trusting = functools.partial(ssl.create_default_context, cafile=str(certificate / "cert.pem"))
    monkeypatch.setattr("orchestration.runner.secure.ssl.create_default_context", trusting)
    return f"https://localhost:{secured.server_port}"


def test_calls_mean_the_same(secured: Platform, url: str) -> None:
    calls = Calls(url, TOKEN, 1)
    assert calls.once("heartbeat", {}) == {"cancel": False}
    secured.script["heartbeat"] = [FENCED, (503, {}), (0, {})]
    with pytest.raises(Fenced):
        calls.once("heartbeat", {})
    for _ in range(2):
        with pytest.raises(Again):
            calls.once("heartbeat", {})
    assert calls.once("heartbeat", {}) == {"cancel": False}
    calls.close()


def test_files_go_both_ways(secured: Platform, url: str, tmp_path: Path) -> None:
    content = b"0123456789" * 100_000
    secured.blobs["/blobs/x"] = content
    got: list[bytes] = []
    connection = wire.connect(url)
    assert connection.exchange("GET", "/blobs/x", {}, b"", got.append).status == 200
    assert b"".join(got) == content
    path = tmp_path / "body"
    path.write_bytes(content)
    with path.open("rb") as file:
        body = wire.FileBody(file.fileno(), len(content), lambda: None)
        assert connection.exchange("PUT", "/puts/x", {"X-Slot": "yes"}, body).status == 200
    assert secured.puts["/puts/x"] == content
    connection.close()


def test_unknown_certificate_is_not_talked_to(secured: Platform) -> None:
    connection = wire.connect(f"https://localhost:{secured.server_port}")
    with pytest.raises(wire.Broken, match="certificate"):
        connection.exchange("POST", "/api/runner/v1/start", {}, b"")
    connection.close()
    assert secured.calls == []
