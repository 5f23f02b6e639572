"""Schemathesis finds nothing in the whole contract, whoever is calling: every check, seeded, on a server that runs.

`make fuzz` goes on for longer, with other seeds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from api_app.description import operations
from api_app.main import app
from tests.asgi.server import serving
from tests.fuzz.engine import fuzz
from tests.fuzz.world import CALLERS, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.asgi.server import Server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
NAMES: Final = sorted(one["operationId"] for one in operations(app.openapi()))
SLICES: Final = 4
OPEN_HANDED: Final = {
    "ESTEIRA_RATE_TOKEN": "0",
    "ESTEIRA_RATE_USER": "0",
    "ESTEIRA_RATE_WORKSPACE": "0",
    "ESTEIRA_TES_IMAGES": "debian:13=host",
}


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    """One for all tests here: each makes a world of its own in the database, which is emptied after it."""
    with serving(ESTEIRA_HOME=os.environ["ESTEIRA_HOME"], **OPEN_HANDED) as server:
        yield server


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("part", range(SLICES))
def test_answers_are_those_of_the_document(server: Server, caller: str, part: int) -> None:
    names = NAMES[part::SLICES]
    found = fuzz(make_world(), server.url, caller, operations=names, examples=2, coverage="positive")
    assert found.operations == set(names)
    assert not found.said, found.report()


@pytest.mark.parametrize("caller", CALLERS[:3])
def test_what_follows_from_an_answer_is_as_the_document_says(server: Server, caller: str) -> None:
    found = fuzz(make_world(), server.url, caller, phases=("stateful",), examples=6)
    assert found.requests
    assert not found.said, found.report()


def test_nothing_broke_inside(server: Server) -> None:
    broken = [one for one in server.events() if one["level"] in {"error", "critical"}]
    assert not broken, broken[:3]
