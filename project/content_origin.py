"""ESTEIRA_CONTENT_ORIGIN: where files are shown, on a site of their own, so that no cookie of ours is near them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from project import env

NAME: Final = "ESTEIRA_CONTENT_ORIGIN"
SECOND_LEVELS: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
"""As in example.com.br, whose site is the last three labels."""


def read(public_url: str) -> str:
    """An origin on another site than `public_url`; "" for none."""
    given = env.text(NAME).rstrip("/")
    if not given:
        return ""
    parts, public = urlsplit(given), urlsplit(public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or given != f"{parts.scheme}://{parts.netloc}":
        raise env.BadSetting(NAME, given, "an origin, as in https://esteira-content.net; empty for none")
    if site(parts.hostname) == site(public.hostname or ""):
        raise env.BadSetting(NAME, given, f"a domain that has nothing in common with {public.hostname}: no subdomain")
    return given.lower()


def host(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def site(host: str) -> str:
    """The part that cookies may be set for; an address is its own."""
    labels = host.lower().rstrip(".").split(".")
    if labels[-1].isdigit() or ":" in host:
        return host
    is_country = len(labels[-1]) == 2 and labels[-2:-1] and labels[-2] in SECOND_LEVELS  # noqa: PLR2004  as in br
    return ".".join(labels[-3 if is_country else -2 :])
