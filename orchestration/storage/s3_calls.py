"""The client of one bucket: timeouts and tries are ours whatever the environment says, and so are its errors."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from boto3 import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

from orchestration.aws import pinned
from orchestration.errors import StorageGone, StorageRejected, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.credentials import Credentials
    from mypy_boto3_s3.client import S3Client
    from storages.backends.s3 import S3Storage

log = logging.getLogger(__name__)

CONNECT_S: Final = 3
READ_S: Final = 60
"""Between two bytes. Joining many parts takes minutes, but S3 sends blanks meanwhile."""
ATTEMPTS: Final = 3
CONNECTIONS: Final = 32
SERVER_ERROR: Final = 500

GONE: Final = frozenset({"404", "NotFound", "NoSuchKey", "NoSuchUpload", "NoSuchVersion"})
# What an administrator can mend loses nobody's bytes: it counts as "later", and the log says what is wrong.
_MENDABLE: Final = frozenset(
    {
        "401",
        "403",
        "AccessDenied",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoSuchBucket",
        "PermanentRedirect",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_LATER: Final = frozenset(
    {
        "429",
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
_FINAL: Final = GONE | {
    "BadDigest",
    "EntityTooLarge",
    "EntityTooSmall",
    "InvalidArgument",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidRequest",
    "PreconditionFailed",
}
_OF_THE_KEY: Final = "KMS."


def client_config(*, addressing_style: str, accelerate: bool = False) -> Config:
    """For the `client_config` of a django-storages alias."""
    options: Any = {"addressing_style": addressing_style, "use_accelerate_endpoint": accelerate}
    return Config(signature_version="s3v4", s3=options)


_PINNED: Final = pinned(
    connect_s=CONNECT_S,
    read_s=READ_S,
    attempts=ATTEMPTS,
    max_pool_connections=CONNECTIONS,
    # We say which checksum is meant; one that botocore adds by itself is one that compatibles may not know.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket, and the part of its keys that is ours. `encryption` are the arguments of every write."""

    client: S3Client
    credentials: Credentials
    name: str
    prefix: str
    encryption: dict[str, Any]

    def full(self, key: str) -> str:
        return self.prefix + key

    def at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.name, "Key": self.prefix + key}

    def key_of(self, full: str) -> str:
        return full.removeprefix(self.prefix)


def open_bucket(backend: S3Storage) -> Bucket:
    """What the django-storages alias says: bucket, location, client options, encryption."""
    if backend.session_profile:
        session = Session(profile_name=backend.session_profile)
    else:
        keys = (backend.access_key, backend.secret_key, backend.security_token)
        session = Session(*keys)
    prefix = backend.location.strip("/")
    with translated():
        client = session.client(
            "s3",
            region_name=backend.region_name,
            use_ssl=backend.use_ssl,
            endpoint_url=backend.endpoint_url,
            config=backend.client_config.merge(_PINNED),
            verify=backend.verify,
        )
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
    return Bucket(
        client=client,
        credentials=credentials,
        name=backend.bucket_name,
        prefix=f"{prefix}/" if prefix else "",
        encryption=dict(backend.object_parameters),
    )


@contextmanager
def translated() -> Iterator[None]:
    """Whatever the storage answers becomes StorageUnavailable (later) or StorageRejected (never, with `reason`)."""
    try:
        yield
    except ClientError as exc:
        raise translate(exc) from exc
    except (BotoCoreError, HTTPClientError) as exc:
        log.warning("object storage cannot be reached", extra={"error": str(exc)})
        raise StorageUnavailable(f"The object storage cannot be reached: {exc}") from exc


def translate(exc: ClientError) -> StorageUnavailable | StorageRejected:
    code = str(exc.response.get("Error", {}).get("Code", ""))
    status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{exc.operation_name}: {exc.response.get('Error', {}).get('Message') or code}"
    if code in _MENDABLE or code.startswith(_OF_THE_KEY):
        log.error("object storage refuses this server", extra={"operation": exc.operation_name, "error": said})
        return StorageUnavailable(f"The object storage refuses this server. {said} ({code})", reason=code)
    # An error inside of a 200 comes with a status that botocore made up; its code is what counts.
    if code in _LATER or (status >= SERVER_ERROR and code not in _FINAL):
        log.warning("object storage is busy", extra={"operation": exc.operation_name, "error": said})
        return StorageUnavailable(f"The object storage asks to come back later. {said} ({code})", reason=code)
    kind = StorageGone if code in GONE else StorageRejected
    return kind(f"The object storage refused. {said} ({code})", reason=code)
