"""A started double with a versioned bucket. In a conftest: `from tests.s3_double.fixtures import s3  # noqa: F401`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import pytest
from botocore.config import Config

from tests.s3_double.server import S3Double

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_double.signature import Credentials

BUCKET: Final = "esteira-test"
# Each client of ours has a session of its own, which reads megabytes of models again: most of the time of a test.
botocore.session.create_loader = cache(botocore.session.create_loader)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Double]:
    folder = tmp_path / "s3"
    folder.mkdir()
    with S3Double(folder) as double:
        double.add_bucket(BUCKET)
        yield double


@pytest.fixture
def boto(s3: S3Double) -> Iterator[Any]:
    """boto3 as the owner of the bucket, without retries of its own: one call is one call."""
    client = client_for(s3)
    yield client
    client.close()


def client_for(double: S3Double, *, given: Credentials | None = None, **config: Any) -> Any:
    given = given or double.credentials
    options = {
        "retries": {"total_max_attempts": 1},
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
    } | config
    return boto3.client(
        "s3",
        endpoint_url=double.endpoint,
        region_name=given.region,
        aws_access_key_id=given.access_key,
        aws_secret_access_key=given.secret_key,
        aws_session_token=given.token or None,
        config=Config(**options),
    )
