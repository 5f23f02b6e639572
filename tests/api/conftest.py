from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from api_app import database, passwords
from api_app.rates import known, layer
from orchestration.services.uploads import limits
from tests.api.direct import PART
from tests.api.door import Door, Visitor
from tests.api.tes_client import Tes
from tests.s3_double.fixtures import BUCKET, boto, s3
from tests.s3_double.platform import direct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User
    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double
    from tests.s3_double.store import Bucket

__all__ = ["boto", "direct", "s3"]


@pytest.fixture
def door(people: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The API's threads use this test's own connection, so that they see its open transaction: 10 ms, not 100."""
    from project.asgi import application

    here = connections["default"]
    here.inc_thread_sharing()

    def share() -> None:
        connections["default"] = here

    # It would close the connection under the test; tests/asgi/test_failover.py watches over the real one.
    monkeypatch.setattr(database, "close_old_connections", lambda: None)
    lanes = (database._db, database._files, database._passwords)
    for lane in lanes:
        monkeypatch.setattr(lane, "_executor", ThreadPoolExecutor(1, initializer=share))
    opened = Door(application)
    yield opened
    opened.close()
    for lane in lanes:
        executor = lane._executor
        if executor is not None:
            executor.shutdown()
    here.dec_thread_sharing()


@pytest.fixture
def ana(door: Door, owner: User) -> Visitor:
    """The owner, in workspace lab."""
    return door.as_(owner)


@pytest.fixture
def bruno(door: Door, teammate: User) -> Visitor:
    return door.as_(teammate)


@pytest.fixture
def eva(door: Door, stranger: User) -> Visitor:
    """A stranger: she may see nothing of lab."""
    return door.as_(stranger)


@pytest.fixture(autouse=True)
def unbraked() -> None:
    passwords.brake._failures.clear()
    layer.buckets.clear()
    known.known.clear()


@pytest.fixture
def small_parts(direct: S3DirectStorage, s3: S3Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads lie in a bucket, and their parts may have 1,000 bytes."""
    monkeypatch.setattr(limits, "LEAST_PART", PART)
    s3.rules.min_part_size = PART


@pytest.fixture
def bucket(s3: S3Double) -> Bucket:
    return s3.store.buckets[BUCKET]


@pytest.fixture
def allowed(settings: Settings) -> None:
    settings.TES_IMAGES = {"debian:13": "", "tools": "/opt/tools"}


@pytest.fixture
def tes(allowed: None, door: Door, manager: User) -> Tes:
    return Tes(door, manager)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(layer, "clock", clock)
    monkeypatch.setattr(known.known, "_clock", clock)
    return clock


@pytest.fixture
def only(settings: Any, clock: Clock) -> Any:
    """No limit but the one that a test sets; and time stands still."""
    settings.RATE_TOKEN = settings.RATE_USER = settings.RATE_WORKSPACE = 0
    return settings
