"""The second line against requests that go astray: an egress proxy is the only way out, and knows no way in."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from django.db import connection

from orchestration.webhooks import address, sending
from orchestration.webhooks.sending import send
from project import env
from project.env import BadSetting
from tests import connect_proxy
from tests.receiver import Receiver, allow, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

__all__ = ["receiver"]


class Proxy(NamedTuple):
    process: subprocess.Popen[str]
    address: tuple[str, int]

    def asked_for(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def proxy(host: str = "127.0.0.1", *within: str) -> Iterator[Proxy]:
    command = [*within, sys.executable, str(Path(connect_proxy.__file__)), host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Proxy(process, (host, int(process.stdout.readline())))
        finally:
            process.terminate()


def test_request_goes_through_the_proxy_to_the_address_that_was_judged(receiver: Receiver, settings: Settings) -> None:
    with proxy() as way:
        settings.WEBHOOK_PROXY = way.address
        assert send(receiver.url.replace("127.0.0.1", "localhost"), b"{}", {"content-length": "2"}).status == 204
        assert way.asked_for() == f"127.0.0.1 {receiver.port}", "not the name: the proxy would look it up again"
    assert receiver.received[0].headers["host"] == f"localhost:{receiver.port}"


def test_tls_is_between_sender_and_receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with Receiver(tls=server) as secure, proxy() as way:
        allow(settings, secure)
        settings.WEBHOOK_PROXY = way.address
        assert "certificate verify failed" in send(secure.url, b"{}", {"content-length": "2"}).problem
        authority.configure_trust(trusting)
        monkeypatch.setattr(sending, "tls", lambda: trusting)
        assert send(secure.url, b"{}", {"content-length": "2"}).status == 204


def test_without_the_proxy_nothing_goes_another_way(receiver: Receiver, settings: Settings) -> None:
    with proxy() as way:
        settings.WEBHOOK_PROXY = way.address
    assert "The connection failed" in send(receiver.url, b"{}", {"content-length": "2"}).problem
    assert not receiver.received


def test_refusal_of_the_proxy_is_said(settings: Settings) -> None:
    with Receiver() as closed:
        allow(settings, closed)
    with proxy() as way:
        settings.WEBHOOK_PROXY = way.address
        said = send(closed.url, b"{}", {"content-length": "2"}).problem
    assert said == f"The connection failed: the egress proxy answered 502 for 127.0.0.1:{closed.port}."


NAME, HERE, THERE = "esteira-egress", "10.213.77.1", "10.213.77.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def namespace() -> Iterator[tuple[str, ...]]:
    """A network with the proxy in it and one wire to a receiver: no route to anything else."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root: makes a network namespace")
    name, wire = f"{NAME}-{os.getpid()}", f"est{os.getpid() % 10**7}"
    try:
        ip("netns", "add", name)
        ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name)
    except subprocess.CalledProcessError as exc:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        pytest.skip(f"needs root: and the right to make network namespaces ({exc.stderr.decode().strip()})")
    try:
        ip("addr", "add", f"{HERE}/30", "dev", wire)
        ip("link", "set", wire, "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield "ip", "netns", "exec", name
    finally:
        ip("netns", "del", name)


@pytest.mark.django_db
@pytest.mark.xdist_group("network-namespace")
def test_database_and_metadata_are_out_of_reach_even_where_the_check_of_addresses_has_failed(
    namespace: tuple[str, ...], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("0.0.0.0/0")]
    monkeypatch.setattr(address, "_is_own", lambda _address: False)
    connection.ensure_connection()
    database = connection.connection.info.port
    with Receiver(host="0.0.0.0") as outside, proxy(THERE, *namespace) as way:  # noqa: S104  the wire's end
        settings.WEBHOOK_PORTS = [80, outside.port, database]
        settings.WEBHOOK_PROXY = way.address
        body = {"content-length": "2"}
        assert send(f"http://{HERE}:{outside.port}/", b"{}", body).status == 204, "the one way that there is"
        for url in (f"http://127.0.0.1:{outside.port}/", f"http://127.0.0.1:{database}/", "http://169.254.169.254/"):
            assert "the egress proxy answered 502" in send(url, b"{}", body).problem, url
        settings.WEBHOOK_PROXY = None
        assert send(f"http://127.0.0.1:{outside.port}/", b"{}", body).status == 204, "it is the proxy that keeps it"


@pytest.mark.parametrize(
    "value", ["egress:3128", "https://egress:3128", "http://egress", "http://u:p@egress:1", "http://e:x"]
)
def test_setting_that_names_no_proxy_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ESTEIRA_WEBHOOK_PROXY", value)
    with pytest.raises(BadSetting, match="http://host:port"):
        env.proxy("ESTEIRA_WEBHOOK_PROXY")


def test_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_WEBHOOK_PROXY", "http://egress.internal:3128/")
    assert env.proxy("ESTEIRA_WEBHOOK_PROXY") == ("egress.internal", 3128)
    monkeypatch.setenv("ESTEIRA_WEBHOOK_PROXY", "")
    assert env.proxy("ESTEIRA_WEBHOOK_PROXY") is None
