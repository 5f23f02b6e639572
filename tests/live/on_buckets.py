"""The buckets of the platform that live tests put on the strict object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.s3_double.server import S3Double

UPLOADS = "lab-uploads"
RESULTS = "lab-results"


def on_s3(s3: S3Double) -> dict[str, str]:
    """Settings that put the platform on the strict object store."""
    given = s3.credentials
    return {
        "ESTEIRA_STORAGE": "s3",
        "ESTEIRA_S3_BUCKET_UPLOADS": UPLOADS,
        "ESTEIRA_S3_BUCKET_RESULTS": RESULTS,
        "ESTEIRA_S3_PREFIX": "esteira",
        "ESTEIRA_S3_ENDPOINT": s3.endpoint,
        "ESTEIRA_S3_REGION": given.region,
        "ESTEIRA_S3_ADDRESSING": "path",
        "AWS_ACCESS_KEY_ID": given.access_key,
        "AWS_SECRET_ACCESS_KEY": given.secret_key,
        "NO_PROXY": "127.0.0.1",
    }
