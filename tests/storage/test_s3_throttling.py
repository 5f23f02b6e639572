"""A bucket that asks to slow down gets fewer calls and not more: tries have a quota, and no two wait alike (F18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from orchestration.errors import StorageUnavailable
from orchestration.storage.s3_calls import ATTEMPTS

if TYPE_CHECKING:
    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double

ASKED: Final = 150
QUOTA: Final = 100
"""Tries beyond the first that a client may have in store; calls that succeed give them back."""
LONGEST_S: Final = 2


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each try would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waited.append)
    return waited


def test_outage_is_not_answered_by_a_storm(direct: S3DirectStorage, s3: S3Double, waits: list[float]) -> None:
    direct.receive("k").commit()
    s3.ledger.clear()
    s3.faults.throttle(share=1.0)
    for _ in range(ASKED):
        with pytest.raises(StorageUnavailable):
            direct.size("k")
    assert 0 < len(waits) <= QUOTA
    assert s3.ledger.count() == ASKED + len(waits)
    s3.ledger.clear()
    with pytest.raises(StorageUnavailable):
        direct.size("k")
    assert s3.ledger.count() == 1, "the quota is used up: one call is one call"

    s3.faults.clear()
    for _ in range(20):
        assert direct.size("k") == 0
    s3.faults.throttle(calls=1)
    assert direct.size("k") == 0, "what succeeded has given tries back"


def test_no_two_tries_wait_alike(direct: S3DirectStorage, s3: S3Double, waits: list[float]) -> None:
    for _ in range(10):
        s3.faults.throttle(calls=ATTEMPTS - 1)
        assert direct.size("k") is None
    assert len(set(waits)) == len(waits) == 20, "callers that were refused together do not come back together"
    assert all(0 <= wait <= LONGEST_S for wait in waits), "an upload waits for it"
