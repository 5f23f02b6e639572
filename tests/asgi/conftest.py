from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.door import Door

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stack() -> Iterator[Door]:
    """The whole application, with connections of its own: nothing of an open test transaction is seen."""
    from project.asgi import application

    opened = Door(application)
    yield opened
    opened.close()
