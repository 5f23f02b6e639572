"""Where people may sign in by OpenID Connect: read from `ESTEIRA_OIDC`, JSON, and checked as a whole."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

from project import env
from project.env import BadSetting

NAME: Final = "ESTEIRA_OIDC"
NEEDED: Final = frozenset({"id", "name", "issuer", "client_id", "client_secret"})
OPTIONAL: Final = frozenset({"workspace", "role", "domains", "scopes"})
ROLES: Final = ("viewer", "submitter", "manager")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
SCOPES: Final = ["openid", "profile", "email"]


def providers() -> list[dict[str, Any]]:
    """In the form that django-allauth wants; a secret is never part of what is said of a mistake."""
    read = env.text(NAME)
    if not read:
        return []
    try:
        listed = json.loads(read)
    except ValueError:
        raise _wrong("***", "a JSON list of providers") from None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _wrong("***", "a JSON list of providers")
    found = [_provider(one) for one in listed]
    if len({one["provider_id"] for one in found}) != len(found):
        raise _wrong("two providers with one id", "a different `id` for each")
    return found


def origins(found: list[dict[str, Any]]) -> list[str]:
    """Pages may send people there."""
    parts = [urlsplit(one["settings"]["server_url"]) for one in found]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})


def _provider(given: dict[str, Any]) -> dict[str, Any]:
    if missing := NEEDED - given.keys():
        raise _wrong(f"a provider without {', '.join(sorted(missing))}", f"{', '.join(sorted(NEEDED))} in each")
    if unknown := given.keys() - NEEDED - OPTIONAL:
        raise _wrong(
            f"a provider with {', '.join(sorted(unknown))}", f"besides those also {', '.join(sorted(OPTIONAL))}"
        )
    if not re.fullmatch(r"[a-z0-9-]{1,30}", str(given["id"])):
        raise _wrong(f"the id {given['id']!r}", "1 to 30 of a-z, 0-9 and -")
    if (role := given.get("role", "viewer")) not in ROLES:
        raise _wrong(f"the role {role!r}", ", ".join(ROLES))
    domains = given.get("domains", [])
    if not isinstance(domains, list) or not all(isinstance(one, str) and one for one in domains):
        raise _wrong("`domains` that are no list of names", 'such as ["example.org"]')
    return {
        "provider_id": given["id"],
        "name": str(given["name"])[:40],
        "client_id": str(given["client_id"]),
        "secret": str(given["client_secret"]),
        "settings": {
            "server_url": _issuer(str(given["issuer"])),
            "oauth_pkce_enabled": True,
            "scope": given.get("scopes", SCOPES),
            "workspace": str(given.get("workspace", "")),
            "role": role,
            "domains": [one.casefold() for one in domains],
        },
    }


def _issuer(url: str) -> str:
    """Its keys are fetched from there: whoever sits on an unencrypted way would be everybody."""
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise _wrong(f"the issuer {url!r}", "an address with https")
    return url.rstrip("/")


def _wrong(read: str, allowed: str) -> BadSetting:
    return BadSetting(NAME, read, allowed)
