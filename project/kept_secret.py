"""Secrets of this installation: from the environment, else made once and kept beside the data."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from typing import TYPE_CHECKING, Final

from project import env

if TYPE_CHECKING:
    from pathlib import Path

# RFC 8410: what stands before the 32 bytes of an Ed25519 key in a PKCS#8 file.
_ED25519: Final = bytes.fromhex("302e020100300506032b657004220420")
_SEED_BYTES: Final = 32
_BEGIN: Final = "-----BEGIN PRIVATE KEY-----"
_END: Final = "-----END PRIVATE KEY-----"


def made_once(kept: Path, secret: str) -> str:
    """What the file says; a new file says `secret`."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = kept.with_suffix(f".{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(secret)
        try:
            os.link(made, kept)  # only one of two processes that start together may win
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return kept.read_text(encoding="utf-8")


def signing_key(home: Path) -> str:
    """An Ed25519 private key as `openssl genpkey -algorithm ed25519` writes it."""
    given = env.text("ESTEIRA_SIGNING_KEY")
    if given and not _is_ed25519(given):
        # Said at start: else the first job that ends would be the first to complain.
        raise env.BadSetting("ESTEIRA_SIGNING_KEY", "***", "what `openssl genpkey -algorithm ed25519` writes")
    return given or made_once(home / "signing_key", new_signing_key())


def new_signing_key() -> str:
    return f"{_BEGIN}\n{base64.b64encode(_ED25519 + secrets.token_bytes(_SEED_BYTES)).decode()}\n{_END}\n"


def _is_ed25519(pem: str) -> bool:
    lines = pem.strip().splitlines()
    if len(lines) < 3 or (lines[0].strip(), lines[-1].strip()) != (_BEGIN, _END):  # noqa: PLR2004  two of them frame it
        return False
    try:
        der = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        return False
    return der.startswith(_ED25519) and len(der) == len(_ED25519) + _SEED_BYTES
