"""One request to a receiver that does what it likes: within its time, no further than allowed, with little read."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
import trustme

from orchestration.webhooks import sending
from orchestration.webhooks.sending import send
from tests.receiver import Handler, Receiver, allow, receiver

if TYPE_CHECKING:
    from pytest_django import Settings

__all__ = ["receiver"]


def test_answer_is_read_up_to_a_limit_and_kept_up_to_a_smaller_one(receiver: Receiver) -> None:
    receiver.answers.append((200, {}, b"said\x1b[31m\x00 " + b"x" * (1 << 20)))
    reply = send(receiver.url, b"{}", {"content-type": "application/json"})
    assert (reply.status, reply.problem) == (200, "")
    assert reply.answer.startswith("said [31m  xxx")
    assert len(reply.answer) == 500
    assert receiver.received[0].headers["host"] == f"127.0.0.1:{receiver.port}"


def test_endless_answer_is_left_after_the_limit(receiver: Receiver) -> None:
    sent = 0

    def endless(handler: Handler) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:  # until the other end has gone
            sent += handler.wfile.write(b"x" * 65_536)

    receiver.answers.append(endless)
    begun = time.monotonic()
    assert send(receiver.url, b"{}", {}).status == 200
    assert time.monotonic() - begun < 5
    assert sent < 100 << 20


def test_slow_drip_gets_no_more_than_its_time(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.5)

    def drip(handler: Handler) -> None:
        for letter in b"HTTP/1.1 200 OK\r\n" + b"x" * 1_000:
            handler.wfile.write(bytes([letter]))
            receiver.over.wait(0.05)

    receiver.answers.append(drip)
    begun = time.monotonic()
    reply = send(receiver.url, b"{}", {})
    assert (reply.status, reply.problem) == (None, "No whole answer within 0 s.")
    assert time.monotonic() - begun < 2


def test_receiver_that_never_answers_gets_no_more_than_its_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.3)
    receiver.answers.append(receiver.never)
    assert send(receiver.url, b"{}", {}).problem.startswith("No whole answer within")


def test_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, settings: Settings) -> None:
    with Receiver() as inside:
        allow(settings, inside)
        receiver.answers.append((302, {"location": inside.url}, b""))
        assert send(receiver.url, b"{}", {}).status == 302
        assert inside.received == []


def test_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(receiver.url, b"{}", {}).status == 204


@pytest.mark.parametrize(
    "said",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"],
    ids=["nothing", "nonsense", "no status", "huge header"],
)
def test_nonsense_is_a_failed_connection(receiver: Receiver, said: bytes) -> None:
    def speak(handler: Handler) -> None:
        handler.wfile.write(said)

    receiver.answers.append(speak)
    reply = send(receiver.url, b"{}", {})
    assert reply.status is None
    assert reply.problem.startswith("The connection failed: ")


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [(503, "120", 120), (429, "7", 7), (500, "120", 0), (503, "soon", 0), (503, "-5", 0), (503, "9" * 40, 86_400),
     (503, "Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)  # fmt: skip
def test_retry_after_is_read(receiver: Receiver, status: int, said: str, seconds: float) -> None:
    receiver.answers.append((status, {"Retry-After": said}, b""))
    assert send(receiver.url, b"{}", {}).later_s == seconds


def test_retry_after_may_be_a_date(receiver: Receiver) -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    receiver.answers.append((503, {"Retry-After": format_datetime(at, usegmt=True)}, b""))
    assert 590 < send(receiver.url, b"{}", {}).later_s <= 600


@pytest.mark.parametrize(("name", "is_right"), [("127.0.0.1", True), ("other.example", False)])
def test_certificate_must_be_for_the_name_that_was_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, *, is_right: bool
) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Receiver(tls=server) as receiver:
        allow(settings, receiver)
        unknown = send(receiver.url, b"{}", {})
        assert "certificate verify failed" in unknown.problem, "nobody knows this authority"
        monkeypatch.setattr(sending, "tls", lambda: trusting)
        reply = send(receiver.url, b"{}", {})
        assert (reply.status == 204, len(receiver.received)) == (is_right, int(is_right)), reply.problem
