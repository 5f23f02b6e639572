"""A mail server for tests: real SMTP on a port of this machine, which answers as a test tells it to."""

from __future__ import annotations

import email
import socketserver
import threading
from contextlib import contextmanager
from datetime import timedelta
from email import policy
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from orchestration.models import User
from project import env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    import pytest
    from pytest_django import Settings


class PostOffice(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Counter)
        self.letters: list[EmailMessage] = []
        self.connections = 0
        self.signed_in: list[str] = []
        self.refuses: dict[str, str] = {}
        """Start of a line, such as `RCPT TO:<ANA@` or `DATA`, in capitals, and the answer to it."""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}/?security=none"

    @property
    def subjects(self) -> list[str]:
        return [letter["Subject"] for letter in self.letters]

    @property
    def recipients(self) -> list[str]:
        return [letter["To"] for letter in self.letters]


class _Counter(socketserver.StreamRequestHandler):
    server: PostOffice

    def handle(self) -> None:
        self.server.connections += 1
        self._say("220 post office")
        while line := self.rfile.readline().decode().strip():
            refusal = next(
                (answer for start, answer in self.server.refuses.items() if line.upper().startswith(start)), ""
            )
            self._say(refusal or self._answer(line))
            if line.upper().startswith("QUIT"):
                return

    def _say(self, text: str) -> None:
        self.wfile.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    def _answer(self, line: str) -> str:
        match line.split(maxsplit=1)[0].upper():
            case "EHLO":
                return "250-post office\n250 AUTH PLAIN"
            case "AUTH":
                self.server.signed_in.append(line.split()[2])
                return "235 welcome"
            case "DATA":
                self._say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                message: Any = email.message_from_bytes(b"".join(lines), policy=policy.default)
                if message.is_multipart():
                    # What tests read is the text; the HTML says the same.
                    message.get_content = message.get_body(("plain",)).get_content
                self.server.letters.append(message)
                return "250 taken"
            case "QUIT":
                return "221 bye"
        return "250 ok"


@contextmanager
def post_office() -> Iterator[PostOffice]:
    with PostOffice() as office:
        thread = threading.Thread(target=office.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield office
        office.shutdown()
        thread.join()


def use(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What project/settings.py does at start."""
    monkeypatch.setenv("ESTEIRA_MAIL_URL", url)
    options = env.mail_server("ESTEIRA_MAIL_URL")
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


def addressed(user: User, **fields: Any) -> User:
    User.objects.filter(pk=user.pk).update(email=f"{user.username}@example.org", **fields)
    user.refresh_from_db()
    return user


def pause_is_over(user: User) -> None:
    User.objects.filter(pk=user.pk).update(mail_next_at=timezone.now() - timedelta(seconds=1))
