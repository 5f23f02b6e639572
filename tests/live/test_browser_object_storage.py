"""The same page where files go to object storage: no byte passes the web process, and a kill loses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.browsing import LANES_DIRECT, MIB
from tests.live.kills_of_browsers import sent_over_a_kill

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Playwright

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONTROL = 8 * MIB
"""More than pages, scripts and calls of one test."""


@pytest.mark.parametrize("what", ["tab", "browser", "server"])
def test_upload_to_a_bucket_goes_on_after_a_kill(
    tools: Playwright, direct: Platform, tmp_path: Path, campaign: str, what: str
) -> None:
    assert direct.relay is not None
    before = len(direct.relay.seen_in)
    size = 5 << 30 if campaign == "full" else 128 * MIB
    puts = sent_over_a_kill(tools, direct, tmp_path, size, what)
    assert puts.repeated <= LANES_DIRECT
    assert len(direct.relay.seen_in) - before < CONTROL
