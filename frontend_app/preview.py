"""What can be looked at in the browser, and under which policy: the bytes are somebody's, never ours."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing

from orchestration.ids import uuid_or_none
from orchestration.services.previews import look_of
from orchestration.services.uploads.redirect import sends_elsewhere
from orchestration.states import ScanState

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import File

# No script runs, nothing is loaded, and the origin is nobody's: a hostile report sees no cookie and no page of ours.
POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors {pages}"
)
IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/svg+xml"})
TEXTS: Final = frozenset(
    {"application/json", "application/jsonl", "application/x-ndjson", "application/xml", "application/yaml"}
)
# A page around what object storage shows, which sends no policy of its own: nothing runs in that frame either.
FRAMED: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-src {origin}; "
    "form-action 'none'; base-uri 'none'; frame-ancestors {pages}"
)
SALT: Final = "esteira.content"
SEAL_LIVES: Final = timedelta(minutes=5)
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


def policy() -> str:
    return POLICY.format(pages=framing())


def framing() -> str:
    """Which pages may have a preview in a frame: ours, also from another origin."""
    if not settings.CONTENT_ORIGIN:
        return "'self'"
    pages = urlsplit(settings.PUBLIC_URL)
    return f"{pages.scheme}://{pages.netloc}"


def content_address(file: File) -> str:
    """Where it is shown on the origin of files: for whoever has the address, for as long as a page takes to load it."""
    return f"{settings.CONTENT_ORIGIN}/content/?seal={signing.dumps(str(file.pk), salt=SALT)}"


def opened(seal: str) -> UUID | None:
    try:
        return uuid_or_none(signing.loads(seal, salt=SALT, max_age=SEAL_LIVES))
    except signing.BadSignature:
        return None
