"""Names that a server sent, made safe to create below a folder of ours."""

import re
import unicodedata
from pathlib import Path

LONGEST_BYTES = 200
# Control and direction characters, and what Windows refuses in a name.
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>:"|?*\ud800-\udfff]')
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


def safe_parts(name: str) -> list[str]:
    """`../../etc/passwd` becomes etc/passwd; there is always at least one part."""
    parts = [part for part in re.split(r"[/\\]", name) if part.strip(" .")]
    return [_safe_part(part) for part in parts] or ["file"]


def _safe_part(part: str) -> str:
    part = FORBIDDEN.sub("_", unicodedata.normalize("NFC", part)).strip(" ").rstrip(". ")
    # No hidden files: `.git/hooks/…` or `.envrc` in the folder where somebody works would be run, not read.
    part = re.sub(r"^\.+", "_", part)
    if RESERVED.match(part):
        part = f"_{part}"
    return _shortened(part)


def _shortened(part: str) -> str:
    if len(part.encode()) <= LONGEST_BYTES:
        return part
    stem, dot, ending = part.rpartition(".")
    ending = f"{dot}{ending}" if stem and len(ending.encode()) <= 16 else ""  # noqa: PLR2004 - longer is no ending
    room = LONGEST_BYTES - len(ending.encode())
    return part.encode()[:room].decode(errors="ignore") + ending


def with_suffix(parts: list[str], number: int) -> Path:
    """Number 1 is the name itself, number 2 is `report-2.html`."""
    folder, last = parts[:-1], parts[-1]
    if number > 1:
        stem, dot, ending = last.rpartition(".")
        last = f"{stem}-{number}{dot}{ending}" if stem else f"{last}-{number}"
    return Path(*folder, last)
