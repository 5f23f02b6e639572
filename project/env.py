"""Typed readers of the environment. A bad value stops the process with a sentence.

What the environment does not say may be in a file: the one that NAME_FILE names, or NAME in the folder of mounted
secrets, ESTEIRA_SECRETS_DIR.
"""

import os
import re
from collections.abc import Iterator
from email.headerregistry import HeaderRegistry
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

MAIL_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
MAIL_URL: Final = (
    "smtp://user:password@host:port/?security=starttls, or tls, or none (user and password in ASCII); empty for no mail"
)
DATABASE_FORM: Final = (
    "postgresql://user:password@host/name, where % / @ : # ? and spaces in the password are written as in URLs"
    " (%25 for %, %2F for /, %40 for @)"
)
SECRETS_DIR: Final = "ESTEIRA_SECRETS_DIR"
NO_MAIL: Final = "none"
"""For a file that has to be there."""
PROXY_URL: Final = "the address of an egress proxy, as http://host:port; empty for none"
ASKED: Final[dict[str, str]] = {}
"""Every name that was asked for, with its default."""
SHOWN: Final[dict[str, str]] = {}
"""What may be shown to administrators: of kinds that no secret can be of."""


class BadSetting(SystemExit):
    """Ends the process with exit code 1 and the sentence on stderr."""

    def __init__(self, name: str, read: str, allowed: str) -> None:
        super().__init__(f"{name} is {read!r}; allowed: {allowed}.")


def text(name: str, default: str = "") -> str:
    ASKED[name] = default
    given, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if file and given:
        raise BadSetting(f"{name}_FILE", file, f"one of {name} and {name}_FILE, not both: take one away")
    if file:
        if said := _content(f"{name}_FILE", Path(file)):
            return said
        raise BadSetting(f"{name}_FILE", file, "a file that is not empty: put the value into it")
    if given is not None:
        return given
    mounted = _mounted(name)
    return default if mounted is None else mounted


def is_given(name: str) -> bool:
    return bool(text(name))


def _mounted(name: str) -> str | None:
    folder = os.environ.get(SECRETS_DIR)
    if not folder:
        return None
    file = Path(folder, name)
    # A folder that is missing is a mount that failed, which every secret in it would hide.
    if not Path(folder).is_dir():
        raise BadSetting(
            SECRETS_DIR, folder, "a folder that exists, with a file for each secret, named as its variable"
        )
    return _content(SECRETS_DIR, file) if file.exists() else None


def _content(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise BadSetting(name, str(file), f"the path of a readable file ({exc.strerror})") from exc
    except UnicodeDecodeError as exc:
        raise BadSetting(name, str(file), "the path of a file of text in UTF-8") from exc


def flag(name: str, *, default: bool) -> bool:
    read = SHOWN[name] = text(name, "true" if default else "false")
    match read.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise BadSetting(name, read, "true or false")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    read = SHOWN[name] = text(name, str(default))
    if re.fullmatch(r"-?[0-9]{1,18}", read) and least <= int(read) <= most:
        return int(read)
    raise BadSetting(name, read, f"a whole number from {least} to {most}")


def choice(name: str, default: str, *, allowed: tuple[str, ...]) -> str:
    read = SHOWN[name] = text(name, default)
    if read not in allowed:
        raise BadSetting(name, read, " or ".join(allowed))
    return read


def words(name: str, default: str) -> list[str]:
    """A list, separated by commas or, in a file, by lines; without empty entries."""
    return [word.strip() for word in re.split(r"[,\n]", text(name, default)) if word.strip()]


def keys(name: str, least: int) -> list[str]:
    """As `words`, of secrets that are `least` long. None is shown."""
    read = words(name, "")
    if any(len(key) < least for key in read):
        raise BadSetting(name, "***", f"keys of at least {least} characters each, separated by commas or lines")
    return read


def origins(name: str) -> list[str]:
    """Origins, such as https://esteira.example.org, without a path."""
    read = words(name, "")
    for word in read:
        parts = urlsplit(word)
        if parts.scheme not in {"http", "https"} or not parts.hostname or word != f"{parts.scheme}://{parts.netloc}":
            raise BadSetting(name, word, "origins such as https://esteira.example.org, separated by commas, no path")
    return read


def ports(name: str, default: str) -> list[int]:
    """A comma-separated list of TCP ports."""
    read = words(name, default)
    SHOWN[name] = ", ".join(read)
    if all(re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 1 << 16 for port in read):
        return [int(port) for port in read]
    raise BadSetting(name, ",".join(read), "port numbers, separated by commas")


def networks(name: str, *, strict: bool = True) -> list[IPv4Network | IPv6Network]:
    """A comma-separated list of networks, such as 10.0.0.0/8. Not strict: 10.0.0.7/8 is the network that it is in."""

    def read() -> Iterator[IPv4Network | IPv6Network]:
        for word in words(name, ""):
            try:
                yield ip_network(word, strict=strict)
            except ValueError as exc:
                raise BadSetting(name, word, f"networks such as 10.0.0.0/8, separated by commas ({exc})") from exc

    found = list(read())
    SHOWN[name] = ", ".join(map(str, found))
    return found


def proxy(name: str) -> tuple[str, int] | None:
    """Host and port of a proxy that understands CONNECT, written as http://host:port; None: there is none."""
    if not (read := text(name)):
        return None
    try:
        url = urlsplit(read)
        port = url.port
    except ValueError as exc:
        raise BadSetting(name, read, PROXY_URL) from exc
    if url.scheme != "http" or not url.hostname or not port or "@" in url.netloc or url.path not in {"", "/"}:
        raise BadSetting(name, read, PROXY_URL)
    return url.hostname, port


def folder(name: str, default: Path) -> Path:
    """An absolute folder; it need not exist yet, but a file must not be in its place."""
    path = Path(text(name, str(default))).expanduser().absolute()
    SHOWN[name] = str(path)
    if path.exists() and not path.is_dir():
        raise BadSetting(name, str(path), "a folder, or a path where one can be made")
    return path


def database(name: str, url: str) -> dict[str, Any]:
    """The parts of PostgreSQL's address. Neither it nor libpq's words are shown: they may hold the password."""
    refused = BadSetting(name, "***", DATABASE_FORM)
    try:
        parts = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        raise refused from None
    ports = [one for one in str(parts.get("port") or "").split(",") if one]
    # Cut wrongly at a sign in the password, a piece of it would be shown from here on as host or port.
    if "@" in str(parts.get("host") or "")[1:] or not all(one.isascii() and one.isdigit() for one in ports):
        raise refused
    return parts


def mail_server(name: str) -> dict[str, Any] | None:
    """Where mail is handed in, as options of Django's SMTP backend; None: nowhere. STARTTLS unless told otherwise."""
    if (read := text(name)) in {"", NO_MAIL}:
        return None
    refused = BadSetting(name, "***", MAIL_URL)  # the address holds a password
    try:
        url = urlsplit(read)
        port, asked = url.port, parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
    except ValueError:
        raise refused from None
    security = dict([("security", "starttls"), *asked])
    if url.scheme != "smtp" or not url.hostname or url.path not in {"", "/"} or url.fragment or len(security) > 1:
        raise refused
    if security["security"] not in MAIL_PORTS or bool(url.username) != bool(url.password):
        raise refused
    username, password = unquote(url.username or ""), unquote(url.password or "")
    if not (username + password).isascii():
        # smtplib sends no other; its error would look as if the address of every account were wrong.
        raise refused
    return {
        "host": url.hostname,
        "port": port or MAIL_PORTS[security["security"]],
        "username": username,
        "password": password,
        "use_tls": security["security"] == "starttls",
        "use_ssl": security["security"] == "tls",
        "timeout": 10,
    }


def mailbox(name: str) -> str:
    """One mail address, with or without a name before it: `Esteira <esteira@example.org>`."""
    read = text(name)
    if "\n" not in read and "\r" not in read:
        header: Any = HeaderRegistry()("From", read)
        if len(header.addresses) == 1 and not header.defects:
            return read
    raise BadSetting(name, read, "one mail address, such as Esteira <esteira@example.org>")
