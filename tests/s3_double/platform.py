"""The platform's own aliases on buckets of the double, by the same settings as an administrator would write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import pytest
from django.conf import settings as django_settings

from orchestration.storage.registry import get_storage
from project import object_storage
from tests.s3_double.fixtures import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double

ALIASES: Final = ("uploads", "results", "code")


def environment(s3: S3Double) -> dict[str, str]:
    return {
        "ESTEIRA_STORAGE": "s3",
        "ESTEIRA_S3_BUCKET_UPLOADS": BUCKET,
        "ESTEIRA_S3_BUCKET_RESULTS": BUCKET,
        "ESTEIRA_S3_ENDPOINT": s3.endpoint,
        "ESTEIRA_S3_REGION": s3.credentials.region,
        "ESTEIRA_S3_ADDRESSING": "path",
        "AWS_ACCESS_KEY_ID": s3.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.credentials.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def on_buckets(
    s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch, **more: str
) -> Iterator[S3DirectStorage]:
    """`more` are further settings, such as ESTEIRA_S3_KMS_KEY."""
    for name, value in (environment(s3) | more).items():
        monkeypatch.setenv(name, value)
    settings.STORAGES = {**django_settings.STORAGES, **object_storage.aliases(django_settings.ESTEIRA_HOME)}
    get_storage.cache_clear()
    try:
        yield cast("S3DirectStorage", get_storage("uploads"))
    finally:
        for alias in ALIASES:
            cast("S3DirectStorage", get_storage(alias)).place.client.close()
        get_storage.cache_clear()


@pytest.fixture
def direct(s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3DirectStorage]:
    """Uploads and results lie in buckets; clients send there themselves."""
    with on_buckets(s3, settings, monkeypatch) as storage:
        yield storage
