"""Secrets at rest: encrypted with a key of the endpoint, which is made of the server's own and stored nowhere."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from orchestration.errors import WebhookSecretLost

if TYPE_CHECKING:
    from uuid import UUID

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
KEY_BYTES: Final = 32


def new_secret() -> str:
    """In the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def seal(secret: str, endpoint_id: UUID) -> str:
    return _box(endpoint_id).encrypt(secret.encode()).decode()


def unseal(sealed: str, endpoint_id: UUID) -> str:
    """Also what was sealed under one of SECRET_KEY_FALLBACKS. Raises WebhookSecretLost."""
    try:
        return _box(endpoint_id).decrypt(sealed).decode()
    except InvalidToken as exc:
        raise WebhookSecretLost from exc


def _box(endpoint_id: UUID) -> MultiFernet:
    """Of this endpoint alone: a row that is copied to another endpoint cannot be read there."""
    return MultiFernet([_key(master, endpoint_id) for master in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(master: str, endpoint_id: UUID) -> Fernet:
    derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"esteira.webhook." + endpoint_id.bytes).derive(master.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
