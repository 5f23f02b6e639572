from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One platform for all live tests of a run; each makes its own jobs."""
    with running() as platform:
        yield platform
