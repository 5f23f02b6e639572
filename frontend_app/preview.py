"""What can be looked at in the browser, and under which policy: the bytes are somebody's, never ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.services.previews import look_of
from orchestration.services.uploads.redirect import sends_elsewhere
from orchestration.states import ScanState

if TYPE_CHECKING:
    from orchestration.models import File

# No script runs, nothing is loaded, and the origin is nobody's: a hostile report sees no cookie and no page of ours.
POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/svg+xml"})
TEXTS: Final = frozenset(
    {"application/json", "application/jsonl", "application/x-ndjson", "application/xml", "application/yaml"}
)
# A page around what object storage shows, which sends no policy of its own: nothing runs in that frame either.
FRAMED: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-src {origin}; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
MAX_IMAGE: Final = 32 << 20
TEXT_SHOWN: Final = 64 << 10
WHOLE_TEXT: Final = 1 << 20
"""Object storage sends a text whole or not at all."""


def preview_kind(file: File) -> str:
    """`image`, `page`, `inside`, `text`, or "" for what is only downloaded."""
    bare = file.media_type.partition(";")[0].strip().lower()
    if file.scan_state != ScanState.CLEAN:
        return ""
    if bare in IMAGES:
        return "image" if file.size <= MAX_IMAGE else ""
    if bare == "text/html":
        return "page"
    if look_of(file):
        return "inside"
    is_text = bare.startswith("text/") or bare in TEXTS
    return "text" if is_text and (file.size <= WHOLE_TEXT or not sends_elsewhere(file.storage)) else ""
