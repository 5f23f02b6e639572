"""Where spans go, of how many requests, whose traces go on here, and where people look at them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from project import env

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_ENDPOINT: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~/-]*)?")
_HEADERS: Final = re.compile(r"[A-Za-z0-9-]+=[\x21-\x2b\x2d-\x7e]+(,[A-Za-z0-9-]+=[\x21-\x2b\x2d-\x7e]+)*")
_LINK: Final = re.compile(r"https?://[^\s\"'<>]+")
_PERCENT: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Traces:
    """`share` of the requests, between 0 and 1. `link` has {trace_id} in it; empty: nobody is led there."""

    endpoint: str
    share: float
    trusted: list[IPv4Network | IPv6Network]
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def read() -> Traces | None:
    """None: nothing is traced."""
    endpoint = env.text("ESTEIRA_TRACES")
    share, trusted, headers = _share(), env.networks("ESTEIRA_TRACES_TRUSTED"), _headers()
    if not endpoint:
        return None
    if not _ENDPOINT.fullmatch(endpoint):
        raise env.BadSetting("ESTEIRA_TRACES", "***", "a collector's address, as http://host:4318/v1/traces")
    return Traces(endpoint, share, trusted, headers)


def link() -> str:
    read_ = env.text("ESTEIRA_TRACE_URL")
    if read_ and (not _LINK.fullmatch(read_) or "{trace_id}" not in read_):
        raise env.BadSetting("ESTEIRA_TRACE_URL", read_, "https://… with {trace_id} in it; empty for no link")
    return read_


def _share() -> float:
    percent = env.text("ESTEIRA_TRACES_SAMPLED", "10")
    if not _PERCENT.fullmatch(percent) or float(percent) > WHOLE:
        raise env.BadSetting("ESTEIRA_TRACES_SAMPLED", percent, "percent of the requests, from 0 to 100")
    return float(percent) / WHOLE


def _headers() -> dict[str, str]:
    given = env.text("ESTEIRA_TRACES_HEADERS")
    if given and not _HEADERS.fullmatch(given):
        raise env.BadSetting("ESTEIRA_TRACES_HEADERS", "***", "NAME=VALUE, several of them separated by commas")
    return dict(one.split("=", 1) for one in given.split(",") if one)
