"""URLs taken apart, for http and for local files. urllib.parse costs 6 ms to import."""

from __future__ import annotations

import os

from .order import PlatformFault

DEFAULT_PORT = {"http": 80, "https": 443}


def split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target of an http(s) URL."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    authority, slash, target = rest.partition("/")
    if "?" in authority:
        authority, _, query = authority.partition("?")
        slash, target = "/", "?" + query
    if scheme not in DEFAULT_PORT or not authority or "@" in authority or not url.isascii():
        raise ValueError(f"{scheme}: not an http or https URL with a host")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("a URL has no spaces and no control characters")
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        port = port.lstrip(":")
    else:
        host, _, port = authority.partition(":")
    return scheme, host, int(port or DEFAULT_PORT[scheme]), (slash or "/") + target


def local_path(url: str) -> str:
    """The path of a file:// URL, which has no host but this one."""
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        if host not in ("", "localhost"):
            raise PlatformFault("The work order has a file on another host.")
    pieces = rest.encode("utf-8", "surrogateescape").split(b"%")
    try:
        path = pieces[0] + b"".join(bytes.fromhex(piece[:2].decode()) + piece[2:] for piece in pieces[1:])
    except ValueError:
        path = b""
    if not path.startswith(b"/") or b"\0" in path:
        raise PlatformFault("The work order has an unusable file URL.")
    return os.fsdecode(path)
