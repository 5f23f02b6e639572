"""What must be so where ESTEIRA_PRODUCTION is true. All that is wrong is said at once, each with how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.http.request import validate_host
from psycopg.conninfo import conninfo_to_dict

from project import env

# As Django's own check of a key, security.W009.
LEAST_KEY: Final = 50
LEAST_DIFFERENT: Final = 5
NEAR: Final = frozenset({"localhost", "127.0.0.1", "::1"})
VERIFIED: Final = "verify-full"


class NotForProduction(SystemExit):
    """Ends the process with exit code 1 and the sentences on stderr."""

    def __init__(self, faults: list[str]) -> None:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(f"ESTEIRA_PRODUCTION is true, and this is not as it must be there:{listed}")


@dataclass(slots=True)
class _Faults:
    found: list[str] = field(default_factory=list)

    def unless(self, is_so: object, name: str, wrong: str, mend: str) -> None:
        if not is_so:
            self.found.append(f"{name} {wrong}. {mend}.")


def check(
    *,
    database_url: str,
    public_url: str,
    content_origin: str,
    allowed_hosts: list[str],
    origins: list[str],
    proxies: list[str],
    secret_keys: list[str],
    debug: bool,
    https: bool,
    engine: str,
    uses_buckets: bool,
) -> None:
    """Raises NotForProduction."""
    faults = _Faults()
    _secrets(faults, secret_keys)
    _database(faults, database_url)
    faults.unless(not debug, "ESTEIRA_DEBUG", "is true: strangers would read the program's insides", "Take it away")
    faults.unless(https, "ESTEIRA_HTTPS", "is not true: cookies would go over http", "Set ESTEIRA_HTTPS=true")
    _addresses(faults, public_url, allowed_hosts, [*origins, *filter(None, [content_origin])])
    _proxies(faults, proxies)
    broker = env.text("ESTEIRA_BROKER_URL")
    faults.unless(not broker.startswith("memory"), "ESTEIRA_BROKER_URL", "is memory of one process", "Take it away")
    faults.unless(
        engine != "aws" or uses_buckets, "ESTEIRA_STORAGE",
        "is local while ESTEIRA_ENGINE is aws: steps run on machines that see no folder of this one",
        "Set ESTEIRA_STORAGE=s3, with ESTEIRA_S3_BUCKET_UPLOADS and ESTEIRA_S3_BUCKET_RESULTS",
    )  # fmt: skip
    if faults.found:
        raise NotForProduction(faults.found)


def _secrets(faults: _Faults, keys: list[str]) -> None:
    for name, makes in (
        ("ESTEIRA_SECRET_KEY", "openssl rand -base64 48"),
        ("ESTEIRA_SIGNING_KEY", "openssl genpkey -algorithm ed25519"),
    ):
        mend = f"Give all processes the same one, as {name}, {name}_FILE or a file in {env.SECRETS_DIR}: `{makes}`"
        faults.unless(env.is_given(name), name, "is not given: each machine would make one of its own", mend)
    is_strong = len(keys[0]) >= LEAST_KEY and len(set(keys[0])) >= LEAST_DIFFERENT
    faults.unless(
        is_strong, "ESTEIRA_SECRET_KEY", f"has fewer than {LEAST_KEY} characters, or few different ones",
        "Make one: `openssl rand -base64 48`, and keep the old one in ESTEIRA_SECRET_KEY_FALLBACKS",
    )  # fmt: skip
    faults.unless(
        len(set(keys)) == len(keys), "ESTEIRA_SECRET_KEY_FALLBACKS", "names a key twice, or the one in use",
        "It is for earlier keys alone",
    )  # fmt: skip


def _database(faults: _Faults, url: str) -> None:
    name = "DATABASE_URL"
    if not env.is_given(name):
        faults.unless(
            False, name, "is not given", f"Set {name}=postgresql://user:password@host/name?sslmode={VERIFIED}"
        )
        return
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    near = NEAR | set(env.words("ESTEIRA_DB_NEAR_HOSTS", ""))
    far = [host for host in parts.get("host", "").split(",") if host not in near and not host.startswith("/")]
    if not parts.get("host") or not far:
        return
    faults.unless(
        parts.get("sslmode") == VERIFIED, name, f"goes to {', '.join(far)} without looking at its certificate",
        f"Add sslmode={VERIFIED} and sslrootcert=/path/of/ca.pem (or sslrootcert=system); only for a server that is "
        "reached by no network but this machine's own, name it in ESTEIRA_DB_NEAR_HOSTS",
    )  # fmt: skip
    root = parts.get("sslrootcert", "system")
    is_there = root == "system" or Path(root).is_file()
    faults.unless(is_there, name, f"names sslrootcert={root}, which is no file", "Mount the certificates there")


def _addresses(faults: _Faults, public_url: str, allowed_hosts: list[str], origins: list[str]) -> None:
    public = urlsplit(public_url)
    faults.unless(
        public.scheme == "https", "ESTEIRA_PUBLIC_URL", f"is {public_url!r}, not https",
        "Set the address that people see: https://esteira.example.org",
    )  # fmt: skip
    faults.unless(
        validate_host(public.hostname or "", allowed_hosts), "ESTEIRA_ALLOWED_HOSTS",
        f"has no {public.hostname}, the host of ESTEIRA_PUBLIC_URL", f"Set ESTEIRA_ALLOWED_HOSTS={public.hostname}",
    )  # fmt: skip
    for origin in origins:
        name = (
            "ESTEIRA_TRUSTED_ORIGINS"
            if origin in env.words("ESTEIRA_TRUSTED_ORIGINS", "")
            else "ESTEIRA_CONTENT_ORIGIN"
        )
        faults.unless(origin.startswith("https://"), name, f"has {origin}, which is http", "Write https://")


def _proxies(faults: _Faults, proxies: list[str]) -> None:
    name = "ESTEIRA_TRUSTED_PROXIES"
    faults.unless(
        proxies, name, "is not given: no request would count as https, and everybody as the proxy",
        "Name the addresses of what has the certificate, such as 10.0.0.0/16",
    )  # fmt: skip
    for proxy in proxies:
        faults.unless(
            ip_network(proxy).prefixlen,
            name,
            f"has {proxy}: everybody could say who they are",
            "Name the proxy's network",
        )
