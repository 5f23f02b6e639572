"""ClamAV's daemon, by INSTREAM: chunks with their length before them, an empty one at the end (clamd(8))."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from django.conf import settings

from orchestration.errors import ScannerUnavailable

if TYPE_CHECKING:
    from orchestration.scanners.base import Subject

TIMEOUT_S: Final = 60.0
MOST_ANSWER: Final = 4_096
TOO_LARGE: Final = "Larger-Than-The-Scanner-Takes"
"""As a finding: what nobody looked at does not pass."""


class ClamdScan:
    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = self._connected()
        self._is_refused = False
        self._send(b"zINSTREAM\0")

    def _connected(self) -> socket.socket:
        kind, _, where = self._address.partition(":")
        host, _, port = where.rpartition(":")
        line = None
        try:
            if kind == "tcp":
                return socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S)
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(TIMEOUT_S)
            line.connect(where)
        except OSError as exc:
            if line is not None:
                line.close()
            raise self._unavailable(exc) from exc
        return line

    def _unavailable(self, exc: Exception) -> ScannerUnavailable:
        return ScannerUnavailable(f"The virus scanner at {self._address} does not answer: {exc}.")

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # It says why before it hangs up, when the stream grows beyond its StreamMaxLength.
            self._is_refused = True
        except OSError as exc:
            raise self._unavailable(exc) from exc

    def feed(self, data: bytes) -> None:
        if not self._is_refused and data:
            self._send(len(data).to_bytes(4) + data)

    def verdict(self) -> str:
        if not self._is_refused:
            self._send(bytes(4))
        answer = self._answer()
        if answer.endswith("size limit exceeded. ERROR"):
            return TOO_LARGE
        if answer == "stream: OK":
            return ""
        if answer.startswith("stream: ") and answer.endswith(" FOUND"):
            return answer.removeprefix("stream: ").removesuffix(" FOUND")
        raise ScannerUnavailable(f"The virus scanner at {self._address} said {answer[:200] or 'nothing'!r}.")

    def _answer(self) -> str:
        heard = b""
        try:
            while len(heard) < MOST_ANSWER and not heard.endswith(b"\0"):
                more = self._socket.recv(MOST_ANSWER)
                if not more:
                    break
                heard += more
        except OSError as exc:
            raise self._unavailable(exc) from exc
        return heard.rstrip(b"\0\n").decode(errors="replace")

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()


class ClamdScanner:
    def begin(self, _subject: Subject) -> ClamdScan:
        return ClamdScan(settings.CLAMD)
