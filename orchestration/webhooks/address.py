"""Which addresses may be sent to: the public internet by https, and the networks that the operator names.

A name is looked up once, every address of it is judged, and the request goes to one of those (`sending`): a second
look-up could be answered with another one.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from orchestration.errors import AddressRefused, Invalid

type Address = IPv4Address | IPv6Address

PORTS: Final = {"https": 443, "http": 80}
MOST_LETTERS: Final = 2_000
_PLAIN: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
"""No space, no control character and no backslash: parsers differ in what they make of them."""
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?!0x|[0-9]+$){_LABEL}")
"""The last label is no number: `127.1`, `0x7f000001` and `2130706433` are addresses to some programs."""
# Never, whatever is allowed: machines learn their own credentials there.
_OWN: Final = [
    *map(ip_network, ("0.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32")),
    *map(ip_network, ("::/128", "fe80::/10", "fd00:ec2::/32")),
]


class Target(NamedTuple):
    scheme: str
    host: str
    """As TLS and the Host header want it; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_url(text: str) -> Target:
    """Raises Invalid, with what is wrong and what would do."""
    if len(text) > MOST_LETTERS or not _PLAIN.fullmatch(text):
        raise Invalid(
            f"The address has spaces, backslashes, letters beyond ASCII, or more than {MOST_LETTERS:,} letters."
            " Write it as a browser shows it: https://name/path"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise Invalid(f"The address cannot be read: {exc}.") from exc
    if parts.scheme not in _schemes():
        raise Invalid(f"The address must begin with {' or '.join(f'{one}://' for one in _schemes())}.")
    if "@" in parts.netloc:
        raise Invalid("The address must not hold a user or a password; the signature says who sends.")
    if "#" in text:
        raise Invalid("The address must not have a fragment (#…): nothing of it would be sent.")
    port = PORTS[parts.scheme] if port is None else port
    if port not in settings.WEBHOOK_PORTS:
        allowed = ", ".join(map(str, settings.WEBHOOK_PORTS))
        raise Invalid(f"Port {port} is none of those that webhooks may use here: {allowed} (ESTEIRA_WEBHOOK_PORTS).")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, _host(parts.hostname or ""), port, path)
    if literal := _literal(target.host):
        _judge(target, literal)
    return target


def look_up(target: Target) -> list[Address]:
    """Addresses that may be connected to. Raises AddressRefused if one of them may not, or there is none."""
    if literal := _literal(target.host):
        found: list[Address] = [literal]
    else:
        try:
            rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            why = getattr(exc, "strerror", None) or exc  # without the resolver's number
            raise AddressRefused(f"The name {target.host} could not be looked up: {why}.") from exc
        found = list(dict.fromkeys(ip_address(row[4][0]) for row in rows))
    for address in found:
        try:
            _judge(target, address)
        except Invalid as exc:
            raise AddressRefused(str(exc)) from exc
    return found


def _schemes() -> list[str]:
    return ["https", "http"] if settings.WEBHOOK_NETWORKS else ["https"]


def _host(name: str) -> str:
    """A name, or an address in the one form that everybody reads alike."""
    if _literal(name) or (len(name) <= 253 and _NAME.fullmatch(name)):  # noqa: PLR2004  RFC 1035
        return name
    raise Invalid(f"{name or 'Nothing'} is neither a host name nor an address in its usual form.")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _judge(target: Target, address: Address) -> None:
    plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
    is_named = any(plain in network for network in settings.WEBHOOK_NETWORKS)
    if _is_own(plain) or not (is_named or _is_public(plain)):
        raise Invalid(
            f"{target.host} leads to {address}, which is not an address of the public internet."
            + ("" if _is_own(plain) else " An operator can allow its network: ESTEIRA_WEBHOOK_NETWORKS.")
        )
    if target.scheme == "http" and not is_named:
        raise Invalid(f"{target.host} is on the public internet, where webhooks go by https only.")


def _is_own(address: Address) -> bool:
    return address.is_multicast or any(address in network for network in _OWN)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address.is_site_local or address.scope_id):
        return False
    # Reserved is also what holds an IPv4 address that need not be public, such as NAT64's, global by the tables.
    return address.is_global and not address.is_reserved
