"""What an earlier run of the same command completed: it is not sent again.

Only what is one's own, in this workspace, of the last day, still there, and of the same checksum. Whoever
wants it twice says so.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from api_app.client import crc64

if TYPE_CHECKING:
    from api_app.client.contract.shapes import File, Upload
    from api_app.client.uploads.calls import Calls

RECENT: Final = timedelta(days=1)
FEW: Final = 8
"""Up to here each file is asked about; more are looked up in one list."""
PAGE: Final = 200
MOST_PAGES: Final = 100


class Known:
    def __init__(self, calls: Calls, *, is_asked: bool) -> None:
        self._calls, self._is_asked = calls, is_asked
        self._lock = threading.Lock()
        self._recent: dict[str, File] | None = None

    def one(self, fingerprint: str) -> File | None:
        """Its bytes have still to be compared."""
        if not self._may_be():
            return None
        found = self._calls.completed({"fingerprint": fingerprint, "limit": 1})["items"]
        return _files(found).get(fingerprint)

    def many(self, fingerprints: list[str]) -> dict[str, File]:
        if len(fingerprints) <= FEW:
            found = {fingerprint: self.one(fingerprint) for fingerprint in fingerprints}
            return {fingerprint: file for fingerprint, file in found.items() if file}
        with self._lock:
            if self._recent is None:
                self._recent = self._listed() if self._may_be() else {}
        return self._recent

    def _may_be(self) -> bool:
        """In another workspace it would be no use here."""
        return self._is_asked and bool(self._calls.here)

    def _listed(self) -> dict[str, File]:
        found: dict[str, File] = {}
        asked: dict[str, str | int] = {"limit": PAGE}
        for _ in range(MOST_PAGES):
            page = self._calls.completed(asked)
            # Newest first, and the newest of a fingerprint is the one that counts.
            found = _files(page["items"]) | found
            if page["next_cursor"] is None or not _is_recent(page["items"][-1]["created_at"]):
                break
            asked["cursor"] = page["next_cursor"]
        return found


def is_same(file: File, crc: int) -> bool:
    return file["crc64nvme"] == crc64.to_text(crc)


def _files(uploads: list[Upload]) -> dict[str, File]:
    found: dict[str, File] = {}
    for upload in uploads:
        file = upload["file"]
        if file and upload["fingerprint"] and _is_recent(file["created_at"]):
            found.setdefault(upload["fingerprint"], file)
    return found


def _is_recent(moment: str) -> bool:
    return datetime.fromisoformat(moment) > datetime.now(UTC) - RECENT
