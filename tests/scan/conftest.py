from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scan.bucket import ACCOUNT, in_place_of_the_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from tests.scan.bucket import Bucket


@pytest.fixture
def bucket(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Bucket]:
    """Uploads lie in object storage, and GuardDuty looks at them."""
    settings.SCANNER, settings.AWS_ACCOUNT = "guardduty", ACCOUNT
    yield from in_place_of_the_folder(monkeypatch)
