"""What people call a file: metadata, never a path on our disk (SEC-051)."""

from __future__ import annotations

import unicodedata
from typing import Final

from orchestration.errors import InvalidName

MAX_NAME_BYTES: Final = 1024
# Direction marks and the like would show another name than the one it is.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})


def clean_name(name: str) -> str:
    """Raises InvalidName with what is wrong."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or name in {".", ".."}:
        raise InvalidName("The file has no name. Give one, for example table.csv.")
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        raise InvalidName(f"The file's name is longer than {MAX_NAME_BYTES} bytes.")
    if "/" in name or "\\" in name:
        raise InvalidName("A file's name may not contain / or \\.")
    is_plain = name.isascii() and name.isprintable()  # most are, and need no look at each letter
    if not is_plain and any(unicodedata.category(c) in _UNSEEN for c in name):
        raise InvalidName("The file's name contains control characters.")
    return name


def clean_path(path: str) -> str:
    """The folder a file came from, like `photos/2026`; "" for none. Raises InvalidName."""
    parts = path.replace("\\", "/").strip("/").split("/") if path.strip("/\\") else []
    if any(part.strip() in {"", ".", ".."} for part in parts):
        raise InvalidName("A folder is written like photos/2026, without . and .. and empty names.")
    folder = "/".join(clean_name(part) for part in parts)
    if len(folder.encode()) > MAX_NAME_BYTES:
        raise InvalidName(f"The file's folder is longer than {MAX_NAME_BYTES} bytes.")
    return folder
