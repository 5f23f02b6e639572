"""The `esteira` command at the door: this process, no socket, every layer of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from api_app.client.cli import main
from api_app.client.trying import for_httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.api.door import Door

type Run = Callable[..., tuple[int, str, str]]


class ThroughDoor(httpx.BaseTransport):
    def __init__(self, door: Door) -> None:
        self._door = door

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._door.send(
            request.method,
            request.url.raw_path.decode(),
            headers={name: value for name, value in request.headers.items() if name != "host"},
            content=request.read(),
        )
        headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(answer.content))


def commanding(door: Door, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def options(url: str) -> dict[str, Any]:
        return for_httpx(url) | {"transport": ThroughDoor(door)}

    monkeypatch.setattr("api_app.client.trying.for_httpx", options)
    monkeypatch.setattr("api_app.client.transport.for_httpx", options)
    monkeypatch.setenv("ESTEIRA_URL", "http://localhost")
    monkeypatch.setenv("ESTEIRA_TOKEN", token)

    def run(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        told = capsys.readouterr()
        # The application logs to the stderr of this process; as a rule it has one of its own.
        lines = [line for line in told.err.splitlines(keepends=True) if '"logger": "' not in line]
        return code, told.out, "".join(lines)

    return run
