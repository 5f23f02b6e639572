from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws
from storages.backends.s3 import S3Storage

from orchestration.storage.local import LocalStorage
from orchestration.storage.s3 import S3DirectStorage
from orchestration.storage.s3_calls import client_config
from tests.s3_double.fixtures import BUCKET as STRICT
from tests.s3_double.fixtures import s3  # noqa: F401  a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestration.storage.base import Storage
    from tests.s3_double.server import S3Double

BUCKET = "files"
REGION = "eu-central-1"


def backend(**options: Any) -> S3Storage:
    """As project.object_storage makes it."""
    defaults: dict[str, Any] = {
        "bucket_name": BUCKET,
        "location": "here/uploads",
        "region_name": REGION,
        "access_key": "key",
        "secret_key": "secret",
        "client_config": client_config(addressing_style="auto"),
        "object_parameters": {},
    }
    return S3Storage(**(defaults | options))


@dataclass
class Bucket:
    """Moto: believes any checksum, but knows versions. What must be refused is asked of the strict double."""

    storage: S3DirectStorage

    @property
    def client(self) -> Any:
        return self.storage.place.client

    def versions(self) -> list[tuple[str, str]]:
        """Everything that lies there, markers too."""
        page = self.client.list_object_versions(Bucket=BUCKET)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        return sorted((one["Key"], one["VersionId"]) for one in found)

    def put(self, key: str, data: bytes) -> str:
        """Somebody writes past us."""
        done = self.client.put_object(Bucket=BUCKET, Key=self.storage.place.full(key), Body=data)
        return str(done["VersionId"])


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with mock_aws():
        made = Bucket(S3DirectStorage.of(backend()))
        made.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        made.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield made


@pytest.fixture
def direct(s3: S3Double) -> S3DirectStorage:  # noqa: F811  the fixture itself
    """On the strict double, which refuses what S3 refuses."""
    given = s3.credentials
    return S3DirectStorage.of(
        backend(
            bucket_name=STRICT,
            endpoint_url=s3.endpoint,
            region_name=given.region,
            access_key=given.access_key,
            secret_key=given.secret_key,
            client_config=client_config(addressing_style="path"),
        )
    )


@pytest.fixture(params=["local", "moto", "strict"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Each of the adapters, empty."""
    if request.param == "local":
        return LocalStorage(tmp_path / "storage")
    if request.param == "strict":
        strict: S3DirectStorage = request.getfixturevalue("direct")
        return strict
    made: Bucket = request.getfixturevalue("bucket")
    return made.storage
