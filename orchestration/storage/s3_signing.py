"""Presigned URLs by Signature Version 4: the same bytes as boto3's, at a tenth of the time.

A batch of a thousand small files has a thousand of them in one answer, which must not hold up everybody else's.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from orchestration.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import ReadOnlyCredentials

    from orchestration.storage.s3_calls import Bucket

LONGEST: Final = timedelta(minutes=15)
MARGIN: Final = timedelta(seconds=60)
"""Before the credentials end: a URL outlives them in no case, and clocks differ."""
LEAST: Final = timedelta(seconds=30)
ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-._~"


@dataclass(frozen=True, slots=True)
class Signed:
    url: str
    expires_at: datetime


class Signer:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._region = bucket.client.meta.region_name or "us-east-1"
        # Whatever addressing style, endpoint, region and acceleration make of it.
        url = bucket.client.generate_presigned_url("get_object", Params={"Bucket": bucket.name, "Key": "key"})
        parts = urlsplit(url)
        self._path = parts.path.removesuffix("key")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._derived: tuple[tuple[str | None, str], bytes] = ((None, ""), b"")

    def sign(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        lives: timedelta,
        now: datetime | None = None,
    ) -> Signed:
        """`headers` (lower-case names) must be sent as they are; host is signed too. Lives 15 minutes at most."""
        credentials, until = self._credentials()
        now = now or datetime.now(UTC)
        seconds = self._seconds(min(lives, LONGEST), now, until)
        path = self._path + quote(self._bucket.full(key), safe="/-._~")
        signed = {"host": self._host, **headers}
        names = ";".join(sorted(signed))
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        said = self._query(query, credentials, scope=scope, stamp=stamp, seconds=seconds, names=names)
        request = "\n".join(
            [
                method,
                path,
                "&".join(sorted(said)),
                *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
                "",
                names,
                "UNSIGNED-PAYLOAD",
            ]
        )
        to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self._key(credentials, stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        url = f"{self.origin}{path}?{'&'.join(said)}&X-Amz-Signature={signature}"
        return Signed(url, now.replace(microsecond=0) + timedelta(seconds=seconds))

    @staticmethod
    def _query(
        query: Mapping[str, str],
        credentials: ReadOnlyCredentials,
        *,
        scope: str,
        stamp: str,
        seconds: int,
        names: str,
    ) -> list[str]:
        pairs = {
            **query,
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-SignedHeaders": names,
            "X-Amz-Expires": str(seconds),
        }
        if credentials.token:
            pairs["X-Amz-Security-Token"] = credentials.token
        return [f"{quote(name, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for name, value in pairs.items()]

    def _credentials(self) -> tuple[ReadOnlyCredentials, datetime | None]:
        """Both of the same moment, although another thread may renew them."""
        holder: Any = self._bucket.credentials
        while True:
            found = holder.get_frozen_credentials()
            # Only credentials that end have one, and nothing else says when.
            until: datetime | None = getattr(holder, "_expiry_time", None)
            if holder.get_frozen_credentials() == found:
                return found, until

    @staticmethod
    def _seconds(lives: timedelta, now: datetime, until: datetime | None) -> int:
        if until is not None:
            lives = min(lives, until - now - MARGIN)
        if lives < LEAST:
            raise StorageUnavailable("This server's credentials for the object storage are about to end. Try again.")
        return int(lives.total_seconds())

    def _key(self, credentials: ReadOnlyCredentials, day: str) -> bytes:
        """Derived once a day for each secret."""
        known, derived = self._derived
        if known != (credentials.secret_key, day):
            derived = f"AWS4{credentials.secret_key}".encode()
            for piece in (day, self._region, "s3", "aws4_request"):
                derived = hmac.digest(derived, piece.encode(), "sha256")
            self._derived = ((credentials.secret_key, day), derived)
        return derived
