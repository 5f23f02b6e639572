from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.orchestration.post_office import PostOffice, addressed, post_office, use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User


@pytest.fixture(scope="session")
def one_office() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture
def office(one_office: PostOffice, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    """The mail server that the platform uses in this test."""
    one_office.letters, one_office.refuses, one_office.connections = [], {}, 0
    use(one_office.url, settings, monkeypatch)
    settings.PUBLIC_URL = "https://esteira.example"
    settings.DEFAULT_FROM_EMAIL = "Esteira <esteira@example.org>"
    return one_office


@pytest.fixture
def ana(owner: User) -> User:
    """The owner, with a mail address."""
    return addressed(owner)
