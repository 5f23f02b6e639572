"""The django-storages aliases: folders of this machine, or buckets where ESTEIRA_STORAGE is s3.

Logs grow at their end, which no object does, and stay on this machine. The code of pipelines lies beside the results:
steps that run elsewhere fetch it as they fetch their inputs, and it is kept for good.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from project import env

if TYPE_CHECKING:
    from pathlib import Path

IN_BUCKETS: Final = ("uploads", "results", "code")
_BUCKET_OF: Final = {
    "uploads": "ESTEIRA_S3_BUCKET_UPLOADS",
    "results": "ESTEIRA_S3_BUCKET_RESULTS",
    "code": "ESTEIRA_S3_BUCKET_RESULTS",
}
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)?")


def aliases(home: Path) -> dict[str, Any]:
    """What Django's STORAGES says of our four. Stops the process with a sentence where something is missing."""
    local = {alias: _folder(home / "storage" / alias) for alias in ("uploads", "results", "logs", "code")}
    if not uses_buckets():
        return local
    return local | {alias: _bucket(alias) for alias in IN_BUCKETS}


def uses_buckets() -> bool:
    return env.choice("ESTEIRA_STORAGE", "local", allowed=("local", "s3")) == "s3"


def _folder(location: Path) -> dict[str, Any]:
    return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": location}}


def _bucket(alias: str) -> dict[str, Any]:
    # Imported where it is used: a laptop without object storage need not wait for boto3.
    from orchestration.storage.s3_calls import client_config  # noqa: PLC0415

    region = env.text("ESTEIRA_S3_REGION") or env.text("AWS_REGION") or env.text("AWS_DEFAULT_REGION")
    if not region:
        raise env.BadSetting("ESTEIRA_S3_REGION", "", "the region of the buckets, such as eu-central-1")
    style = env.choice("ESTEIRA_S3_ADDRESSING", "auto", allowed=("auto", "path", "virtual"))
    accelerate = env.flag("ESTEIRA_S3_ACCELERATE", default=False)
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _bucket_name(_BUCKET_OF[alias]),
            "location": _prefix(alias),
            "region_name": region,
            "endpoint_url": _endpoint(),
            "client_config": client_config(addressing_style=style, accelerate=accelerate),
            "object_parameters": _encryption(),
        },
    }


def _bucket_name(name: str) -> str:
    read = env.text(name)
    if not _BUCKET.fullmatch(read):
        raise env.BadSetting(name, read, "the name of a bucket that exists: 3 to 63 of a-z, 0-9, - and .")
    return read


def _prefix(alias: str) -> str:
    """Below which our keys lie. Aliases share a bucket, so each has a folder of its own."""
    read = env.text("ESTEIRA_S3_PREFIX").strip("/")
    if not _PREFIX.fullmatch(read):
        raise env.BadSetting("ESTEIRA_S3_PREFIX", read, "a folder such as esteira or teams/lab; empty for none")
    return f"{read}/{alias}" if read else alias


def _endpoint() -> str | None:
    """Of another object storage than Amazon's."""
    read = env.text("ESTEIRA_S3_ENDPOINT").rstrip("/")
    if read and not re.fullmatch(
        r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?", read
    ):
        raise env.BadSetting("ESTEIRA_S3_ENDPOINT", read, "https://host or https://host:port; empty for Amazon S3")
    return read or None


def _encryption() -> dict[str, str]:
    """With a key of the customer's own where one is named; otherwise as the bucket's default says."""
    key = env.text("ESTEIRA_S3_KMS_KEY")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
