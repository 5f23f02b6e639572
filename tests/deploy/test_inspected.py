"""A release waits for the registry's own look at its images: with AWS's answers as botocore's model allows them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.stub import Stubber

from deploy.release.faults import ReleaseFault
from deploy.release.inspected import LOOKS, holes, lived_with

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = "esteira-prod/platform"
DIGEST: Final = f"sha256:{'1' * 64}"


class Registry:
    def __init__(self, stubber: Stubber, client: Any) -> None:
        self._stubber, self._client = stubber, client
        self.pauses = 0

    def says(self, status: str, *findings: dict[str, Any], **more: Any) -> None:
        answer = {"imageScanStatus": {"status": status}, "imageScanFindings": {"enhancedFindings": list(findings)}}
        self._stubber.add_response("describe_image_scan_findings", answer | more)

    def knows_nothing(self) -> None:
        self._stubber.add_client_error("describe_image_scan_findings", "ScanNotFoundException")

    def holes(self, *ignored: str) -> list[str]:
        return holes(self._client, REPOSITORY, DIGEST, ignored=frozenset(ignored), pause=self._pause)

    def _pause(self, _: float) -> None:
        self.pauses += 1


@pytest.fixture
def registry() -> Iterator[Registry]:
    client = boto3.client("ecr", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield Registry(stubber, client)
        stubber.assert_no_pending_responses()


def hole(name: str, severity: str, fix: str = "YES") -> dict[str, Any]:
    details = {"vulnerabilityId": name}
    return {"severity": severity, "title": name, "fixAvailable": fix, "packageVulnerabilityDetails": details}


def test_first_look_is_awaited(registry: Registry) -> None:
    registry.knows_nothing()
    registry.says("PENDING")
    registry.says("ACTIVE")
    assert registry.holes() == []
    assert registry.pauses == 2


def test_serious_hole_that_can_be_mended_stops_the_release_on_whatever_page(registry: Registry) -> None:
    registry.says("ACTIVE", hole("CVE-1", "LOW"), hole("CVE-2", "CRITICAL", "NO"), hole("CVE-3", "HIGH"), nextToken="a")
    registry.says("ACTIVE", hole("CVE-4", "CRITICAL", "PARTIAL"), hole("CVE-5", "HIGH"))
    assert registry.holes("CVE-5") == ["CVE-3", "CVE-4"]


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE"])
def test_image_that_nobody_looked_at_is_not_released(registry: Registry, status: str) -> None:
    registry.says(status)
    with pytest.raises(ReleaseFault, match=status):
        registry.holes()


def test_patience_ends(registry: Registry) -> None:
    for _ in range(LOOKS):
        registry.says("PENDING")
    with pytest.raises(ReleaseFault, match="within 20 minutes"):
        registry.holes()


def test_hole_is_lived_with_until_its_date() -> None:
    text = "vulnerabilities: [{id: CVE-1, statement: not reached, expired_at: 2027-01-02}]"
    assert lived_with(text, dt.date(2027, 1, 1)) == {"CVE-1"}
    assert lived_with(text, dt.date(2027, 1, 2)) == frozenset()
