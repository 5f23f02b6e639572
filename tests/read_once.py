"""What each client would read and parse anew is read once in a run: the services that AWS has, and whom TLS trusts."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.loaders
import botocore.session
import httpx._config
import httpx._transports.default

if TYPE_CHECKING:
    import ssl


def read_once() -> None:
    botocore.session.create_loader = cache(botocore.loaders.create_loader)
    vars(httpx._transports.default)["create_ssl_context"] = _context


def _context(verify: Any = True, cert: Any = None, *, trust_env: bool = True) -> ssl.SSLContext:  # noqa: FBT002
    if verify is not True or cert is not None:
        return httpx._config.create_ssl_context(verify, cert, trust_env)
    return _usual(trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _usual(trust_env: bool, *_: str | None) -> ssl.SSLContext:  # noqa: FBT001
    return httpx._config.create_ssl_context(trust_env=trust_env)
