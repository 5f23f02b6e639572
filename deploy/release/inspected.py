"""Amazon's own look at an image that was pushed: waited for, and heeded before anything is deployed.

    python -m deploy.release.inspected esteira-prod/platform sha256:…

As Trivy's in scan.sh: what is serious and can be mended stops the release, but for what trivyignore.yaml names.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import yaml

from deploy.release.faults import ReleaseFault, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERIOUS: Final = frozenset({"CRITICAL", "HIGH"})
LOOKED: Final = frozenset({"ACTIVE", "COMPLETE"})
"""ACTIVE is an enhanced scan's, which goes on looking after its first."""
LOOKING: Final = frozenset({"PENDING", "IN_PROGRESS"})
PAUSE_S: Final = 15.0
LOOKS: Final = 80
IGNORED: Final = Path(__file__).with_name("trivyignore.yaml")


def holes(
    ecr: Any, repository: str, digest: str, *, ignored: frozenset[str], pause: Callable[[float], None] = time.sleep
) -> list[str]:
    """Raises ReleaseFault where no look comes to its end."""
    asked = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    for _ in range(LOOKS):
        try:
            pages = list(ecr.get_paginator("describe_image_scan_findings").paginate(**asked))
        except ecr.exceptions.ScanNotFoundException:
            status = "PENDING"
        else:
            status = pages[0]["imageScanStatus"]["status"]
        if status in LOOKED:
            return sorted({name for page in pages for name in _serious(page.get("imageScanFindings", {}))} - ignored)
        if status not in LOOKING:
            raise ReleaseFault(f"{repository} was not looked at: {status}.")
        pause(PAUSE_S)
    raise ReleaseFault(f"{repository} was not looked at within {LOOKS * PAUSE_S / 60:.0f} minutes.")


def _serious(findings: dict[str, Any]) -> Iterator[str]:
    for one in findings.get("enhancedFindings", []):
        if one["severity"] in SERIOUS and one.get("fixAvailable") != "NO":
            yield one.get("packageVulnerabilityDetails", {}).get("vulnerabilityId", one["title"])
    # A basic scan does not say what can be mended.
    yield from (one["name"] for one in findings.get("findings", []) if one["severity"] in SERIOUS)


def lived_with(text: str, today: date) -> frozenset[str]:
    known = yaml.safe_load(text)["vulnerabilities"]
    return frozenset(one["id"] for one in known if one["expired_at"] > today)


def main(repository: str, digest: str) -> None:
    ignored = lived_with(IGNORED.read_text(encoding="utf-8"), datetime.now(UTC).date())
    with told():
        if found := holes(boto3.client("ecr"), repository, digest, ignored=ignored):
            raise ReleaseFault(f"Amazon Inspector finds in {repository}: {', '.join(found)}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
