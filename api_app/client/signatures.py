"""Whether a manifest was signed by a key of the platform: DSSE with Ed25519, checked here and not by the platform."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api_app.client.errors import EsteiraError
from api_app.client.exit_codes import ExitCode

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PEM = "-----BEGIN PUBLIC KEY-----"


class NotCheckableError(EsteiraError):
    """This cannot be checked."""

    code = "not_checkable"


class BadSignatureError(EsteiraError):
    """The signature does not hold."""

    code = "bad_signature"
    exit_code = ExitCode.FAILED


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    raw: bytes
    revoked: str = ""
    """When and why; what it signed counts no more."""


def read_keys(text: str) -> list[Key]:
    """A JSON Web Key Set, as `/api/v1/signing-keys` answers, or one public key in PEM."""
    try:
        if text.lstrip().startswith(PEM):
            return [_from_pem(text)]
        return [_from_jwk(one) for one in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise NotCheckableError(
            "These are no keys: a JSON Web Key Set or a public key in PEM is needed (see /api/v1/signing-keys)."
        ) from fault


def _from_jwk(key: Mapping[str, Any]) -> Key:
    raw = base64.urlsafe_b64decode(key["x"] + "==")
    when, why = key.get("revoked_at"), key.get("revoked_reason")
    return Key(_id_of(raw), raw, f"{str(when)[:10]}: {why or 'no reason is given'}" if when else "")


def _from_pem(text: str) -> Key:
    der = base64.b64decode("".join(text.strip().splitlines()[1:-1]), validate=True)
    raw = der[-32:]
    if der != _der(raw):
        raise ValueError("no Ed25519 key")
    return Key(_id_of(raw), raw)


def _der(raw: bytes) -> bytes:
    # RFC 8410: what stands before the 32 bytes of an Ed25519 public key.
    return bytes.fromhex("302a300506032b6570032100") + raw


def _id_of(raw: bytes) -> str:
    return hashlib.sha256(_der(raw)).hexdigest()


def opened(envelope: bytes, keys: Sequence[Key]) -> tuple[dict[str, Any], Key]:
    """The statement and the key that signed it. Raises BadSignatureError or NotCheckableError, with what is wrong."""
    try:
        read = json.loads(envelope)
        kind, payload = read["payloadType"], base64.b64decode(read["payload"], validate=True)
        signatures = [(str(one.get("keyid", "")), base64.b64decode(one["sig"])) for one in read["signatures"]]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as fault:
        raise NotCheckableError("This is no manifest: not a DSSE envelope.") from fault
    key = _signer(_pre_authentication(str(kind), payload), signatures, keys)
    if key.revoked:
        raise BadSignatureError(f"The key that signed this was revoked on {key.revoked}. Nothing it signed counts.")
    return _statement(str(kind), payload), key


def _statement(kind: str, payload: bytes) -> dict[str, Any]:
    """Only after its signature was found good."""
    statement = json.loads(payload) if kind == PAYLOAD_TYPE else {}
    if statement.get("_type") != STATEMENT:
        raise NotCheckableError(f"What is signed is no in-toto statement but {kind!r}.")
    found: dict[str, Any] = statement
    return found


def _pre_authentication(kind: str, payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _signer(said: bytes, signatures: Sequence[tuple[str, bytes]], keys: Sequence[Key]) -> Key:
    # Imported where it is used: of all commands one needs it.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    for _, signature in signatures:
        for key in keys:
            try:
                Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, said)
            except (InvalidSignature, ValueError):
                continue
            return key
    named = {key_id for key_id, _ in signatures}
    if named & {key.id for key in keys}:
        raise BadSignatureError("The signature does not fit: the manifest was changed after it was signed.")
    told = ", ".join(sorted(one[:16] for one in named)) or "nobody"
    raise BadSignatureError(f"The manifest is signed by {told}, which is no key of this platform.")
