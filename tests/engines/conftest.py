from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines.cloud import Cloud
from tests.engines.cloud import cloud as opened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with opened() as made:
        yield made
