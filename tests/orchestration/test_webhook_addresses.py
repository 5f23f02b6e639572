"""Where a webhook may lead to: the public internet by https, and nowhere else unless the operator says so."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.errors import AddressRefused, Invalid
from orchestration.webhooks.address import look_up, read_url
from orchestration.webhooks.sending import send

if TYPE_CHECKING:
    from pytest_django import Settings

REFUSED = [
    "http://hooks.example/",
    "ftp://hooks.example/",
    "file:///etc/passwd",
    "gopher://hooks.example/",
    "//hooks.example/",
    "hooks.example",
    "",
    "https://",
    "https:///path",
    "https://hooks.example:22/",
    "https://hooks.example:5432/",
    "https://hooks.example:0/",
    "https://hooks.example:99999/",
    "https://hooks.example:x/",
    "https://user@hooks.example/",
    "https://user:password@hooks.example/",
    "https://good.example@127.0.0.1/",
    "https://@hooks.example/",
    "https://hooks.example#@127.0.0.1/",
    "https://hooks.example/#part",
    "https://hooks.example\\@127.0.0.1/",
    "https:\\\\127.0.0.1/",
    "https://hooks.example /",
    "https://hooks.example/\n",
    "https://hooks.example/\r\nX: y",
    "https://hooks\x00.example/",
    "https://ｈooks.example/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://localhost.127/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[4000::1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[ff0e::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/",
    "https://168.63.129.16/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://-bad.example/",
    "https://a..example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    "https://hooks.example/" + "a" * 2_000,
]


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_address_that_leads_elsewhere_is_refused_when_it_is_entered(url: str) -> None:
    with pytest.raises(Invalid):
        read_url(url)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://hooks.example", "https://hooks.example/"),
        ("https://hooks.example:443/a?b=c&d=%20", "https://hooks.example/a?b=c&d=%20"),
        ("https://HOOKS.Example:8443/A", "https://hooks.example:8443/A"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700:4700::1111]:8443/", "https://[2606:4700:4700::1111]:8443/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://my_hooks.example/", "https://my_hooks.example/"),
    ],
)
def test_public_address_is_taken(url: str, meant: str) -> None:
    assert read_url(url).url == meant


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """A resolver that knows every name; the list grows by a name for each look-up."""
    asked: list[str] = []

    def resolved(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        asked.append(host)
        if host in addresses:  # of an address, by whoever connects
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "169.254.170.2", "10.1.2.3", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe",
     "fe80::1%2", "168.63.129.16", "0.0.0.0", "fd00:ec2::254", "ff0e::1"],  # noqa: S104  nothing binds
)  # fmt: skip
def test_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    answering(monkeypatch, "1.1.1.1", address)
    with pytest.raises(AddressRefused, match="which is not an address of the public internet"):
        look_up(read_url("https://metadata.google.internal/"))


def test_name_that_is_not_known_is_a_problem_and_no_crash() -> None:
    assert "could not be looked up" in send("https://nowhere.invalid/", b"", {}).problem


def test_name_is_looked_up_once_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a second look-up would be answered with 127.0.0.1."""
    asked = answering(monkeypatch, "1.1.1.1")
    connected: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "create_connection", connect)
    reply = send("https://rebinding.example/", b"{}", {})
    assert reply.problem == "The connection failed: not in a test."
    assert asked == ["rebinding.example"]
    assert connected == [("1.1.1.1", 443)]


def test_next_of_its_addresses_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "1.1.1.1", "1.0.0.1")
    connected: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address[0])
        raise OSError("down")

    monkeypatch.setattr(socket, "create_connection", connect)
    send("https://two.example/", b"", {})
    assert connected == ["1.1.1.1", "1.0.0.1"]


def test_operator_may_allow_a_network_and_then_http_goes_there_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("10.0.0.0/8")]
    settings.WEBHOOK_PORTS = [80, 443]
    assert [str(one) for one in look_up(read_url("http://10.1.2.3/"))] == ["10.1.2.3"]
    for url in ("http://192.168.0.1/", "http://127.0.0.1/"):
        with pytest.raises(Invalid, match="ESTEIRA_WEBHOOK_NETWORKS"):
            read_url(url)
    with pytest.raises(Invalid, match="by https only"):
        read_url("http://1.1.1.1/")
    answering(monkeypatch, "1.1.1.1")
    with pytest.raises(AddressRefused, match="by https only"):
        look_up(read_url("http://public.example/"))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"]
)
def test_metadata_is_refused_whatever_the_operator_allows(settings: Settings, url: str) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    settings.WEBHOOK_PORTS = [80]
    with pytest.raises(Invalid, match="not an address of the public internet"):
        read_url(url)
