"""GuardDuty Malware Protection for S3: it looks by itself and writes its answer on the object as a tag.

The tag of the pinned version is the truth. The event that says the same, `services.scan_results`, only makes us look
sooner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.errors import ScannerUnavailable

if TYPE_CHECKING:
    from orchestration.scanners.base import Subject

FOUND: Final = "GuardDuty found malware in it"
"""All that the tag says. The names come with the event, if it comes."""
UNSUPPORTED: Final = "GuardDuty cannot scan it: encrypted, too large, or packed too deep (UNSUPPORTED)"
"""As a finding: what nobody looked at does not pass, and GuardDuty will not look again."""

NOT_YET: Final = {
    "": "Waiting for the malware scan.",
    "ACCESS_DENIED": "GuardDuty may not read it (ACCESS_DENIED). Its role needs the bucket and the key that"
    " encrypts it; then start a scan of this object again.",
    "FAILED": "GuardDuty's scan broke off (FAILED). Start a scan of this object again.",
}


def found(names: str) -> str:
    return f"GuardDuty found {names}"[:500]


class GuardDutyScan:
    def __init__(self, finding: str) -> None:
        self._finding = finding

    def feed(self, data: bytes) -> None:
        """It has looked already."""

    def verdict(self) -> str:
        return self._finding

    def close(self) -> None:
        """There is nothing to close."""


class GuardDutyScanner:
    def begin(self, subject: Subject) -> GuardDutyScan:
        match subject.tag():
            case "NO_THREATS_FOUND":
                return GuardDutyScan("")
            case "THREATS_FOUND":
                return GuardDutyScan(FOUND)
            case "UNSUPPORTED":
                return GuardDutyScan(UNSUPPORTED)
            case other:
                raise ScannerUnavailable(NOT_YET.get(other, f"GuardDuty said {other[:200]!r}, which is no answer."))
