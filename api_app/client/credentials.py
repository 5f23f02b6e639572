"""Where the address of the platform and the token come from, and where `esteira login` keeps them."""

import json
import os
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from api_app.client.errors import LocalFileError, NotLoggedInError, RequestError
from api_app.client.home import default_home

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Credentials:
    url: str
    token: str
    source: str
    token_id: str = ""
    user: str = ""


def find(url: str | None = None, token: str | None = None) -> Credentials:
    """The options win, then the environment, then `esteira login`, then what `esteira up` started here."""
    source = "the option --token"
    place = os.environ.get("ESTEIRA_URL") or None
    if token is None and (url is None or place is None or same_place(url, place)):
        token, source = os.environ.get("ESTEIRA_TOKEN") or None, "ESTEIRA_TOKEN"
    url = url or place
    token = _clean(token, source)
    if url and token:
        return Credentials(normal_url(url), token, source)
    known = _kept(url)
    if token:
        return Credentials(known.url if known else DEFAULT_URL, token, source)
    if known is None:
        raise NotLoggedInError(_unknown(url))
    return known


def _clean(token: str | None, source: str) -> str | None:
    # A token pasted with its line end, or something that is no token at all and cannot stand in a header.
    token = token.strip() if token else None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise NotLoggedInError(f"What {source} holds is not a token. Copy it again, or log in: esteira login")
    return token


def _unknown(url: str | None) -> str:
    if url:
        return f"No token for {normal_url(url)} is known here. Log in first: esteira login --url {url}"
    return (
        "No platform is known here. Start one on this machine with `esteira up`, "
        "or log in to one that runs elsewhere: esteira login --url https://…"
    )


def _kept(url: str | None) -> Credentials | None:
    # A token goes to the platform that gave it and to no other.
    for path in (config_path(), *_local_places()):
        found = _read(path)
        if found and (url is None or same_place(url, found.url)):
            return found
    return None


def _local_places() -> list[Path]:
    home = os.environ.get("ESTEIRA_HOME")
    folders = [Path(home)] if home else [Path("var"), default_home()]
    return [folder / "cli.json" for folder in folders]


def config_path() -> Path:
    return Path(click.get_app_dir("esteira")) / "config.json"


def load_login() -> Credentials | None:
    return _read(config_path())


def known_url() -> str:
    known = _kept(None)
    return os.environ.get("ESTEIRA_URL") or (known.url if known else DEFAULT_URL)


def _read(path: Path) -> Credentials | None:
    try:
        content = path.read_text(encoding="utf-8")
        _refuse_strangers_file(path)
        kept = json.loads(content)
        return Credentials(
            url=normal_url(kept["url"]),
            token=str(kept["token"]),
            source=str(path),
            token_id=str(kept.get("token_id", "")),
            user=str(kept.get("user", "")),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise LocalFileError(f"Cannot read {path} ({fault.strerror}).") from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise LocalFileError(f"{path} is damaged. Delete it and log in again: esteira login") from fault


def _refuse_strangers_file(path: Path) -> None:
    # `./var/cli.json` in a folder of somebody else would send our files to an address of their choice.
    if hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid():
        raise LocalFileError(
            f"{path} belongs to another user and is not used. Say which platform you mean: esteira login --url …"
        )


def save(login: Credentials) -> Path:
    path = config_path()
    kept = {"url": login.url, "token": login.token, "token_id": login.token_id, "user": login.user}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600 from its first moment; the rename leaves no half-written login behind.
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        Path(temporary).replace(path)
    except OSError as fault:
        raise LocalFileError(f"Cannot keep the login in {path} ({fault.strerror}).") from fault
    return path


def forget() -> None:
    config_path().unlink(missing_ok=True)


def normal_url(text: str) -> str:
    """`example.org/` and `https://example.org` are one place; on this machine there is no TLS to expect."""
    text = text.strip()
    if "://" not in text:
        text = f"{'http' if is_loopback(f'http://{text}') else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna").decode("idna")  # what no name server can be asked for
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment:
        raise RequestError(f"{text} is not the address of a platform. It looks like https://esteira.example.org")
    return text.rstrip("/").removesuffix("/api/v1")


def same_place(one: str | None, other: str | None) -> bool:
    return bool(one and other) and normal_url(one or "") == normal_url(other or "")


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
