"""The JSON of manifests and of the keys that signed them; names are those of DSSE and of JSON Web Keys."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class SignatureOut(BaseModel):
    keyid: str
    sig: str


class EnvelopeOut(BaseModel):
    payloadType: str  # noqa: N815  DSSE calls it so
    payload: str
    """Base64 of the statement."""
    signatures: list[SignatureOut]


class SigningKeyOut(BaseModel):
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str
    """SHA-256 of the public key in DER."""
    x: str
    pem: str
    created_at: datetime
    retired_at: datetime | None
    """Another key signs since; what this one signed still counts."""
    revoked_at: datetime | None
    """Nothing that this one signed counts."""
    revoked_reason: str | None


class SigningKeysOut(BaseModel):
    keys: list[SigningKeyOut]
