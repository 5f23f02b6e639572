"""The release's smoke test against a platform that runs: it passes where all is well, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.release.faults import ReleaseFault
from deploy.release.smoke import smoke

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_smoke_test_passes_and_its_job_can_be_found(platform: Platform) -> None:
    job = platform.job(smoke(platform.url, platform.token, patience_s=120))
    assert (job["state"], job["pipeline"], job["labels"]) == ("SUCCEEDED", "tabular-profile", {"smoke": "true"})


def test_smoke_test_waits_no_longer_than_it_may(platform: Platform) -> None:
    with pytest.raises(ReleaseFault, match="is still"):
        smoke(platform.url, platform.token, patience_s=0)


def test_a_stranger_is_told_so(platform: Platform) -> None:
    with pytest.raises(ReleaseFault, match="token"):
        smoke(platform.url, "esteira_nobody", patience_s=5)
