"""What a token looks like: `est_<kind>_` + 43 base62 characters (256 bits) + 6 base62 characters of CRC32.

The checksum lets scanners and us tell a mistyped token without looking it up; it covers the kind too. Tokens made
before there were kinds have neither kind nor second `_`, and stay good.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

from orchestration.states import TokenKind

PREFIX: Final = "est_"
SECRET_LENGTH: Final = 43
CHECK_LENGTH: Final = 6
PUBLIC_LENGTH: Final = 12
TYPO: Final = "This token is mistyped or cut off: its last characters do not fit the others. Copy it once more, whole."
_DIGITS: Final = string.digits + string.ascii_letters
_FORM: Final = re.compile(
    rf"({PREFIX}(?:(?:{'|'.join(TokenKind)})_)?)([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{CHECK_LENGTH}}})"
)


def new_token(kind: TokenKind) -> str:
    prefix = f"{PREFIX}{kind}_"
    body = "".join(secrets.choice(_DIGITS) for _ in range(SECRET_LENGTH))
    return f"{prefix}{body}{checksum(prefix, body)}"


def checksum(prefix: str, body: str) -> str:
    # Old tokens were summed without their prefix.
    number = zlib.crc32((body if prefix == PREFIX else prefix + body).encode())
    digits = ""
    for _ in range(CHECK_LENGTH):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return digits


def is_well_formed(token: str) -> bool:
    found = _FORM.fullmatch(token)
    return found is not None and found[3] == checksum(found[1], found[2])


def public_part(token: str) -> str:
    """Finds the row; it is no secret."""
    return token[-SECRET_LENGTH - CHECK_LENGTH :][:PUBLIC_LENGTH]


def digest(token: str) -> bytes:
    """All that is kept. The entropy is far above 112 bits, so no slow hash is needed (ASVS 5.0 6.5.2)."""
    return hashlib.sha256(token.encode()).digest()
