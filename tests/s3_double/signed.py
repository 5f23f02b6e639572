"""What these tests send: presigned URLs by boto3, sent by plain httpx, and by hand where httpx is too polite."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from orchestration import crc64
from tests.s3_double import documents
from tests.s3_double.fixtures import BUCKET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.s3_double.server import S3Double

# Nothing here speaks TLS, and to read the certificates of the world for each call takes longer than the call.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
DATA = b"the quick brown fox" * 100


@dataclass
class Signed:
    """A presigned PUT of `data`, every header of it signed."""

    url: str
    headers: dict[str, str]
    data: bytes = DATA

    def send(self, data: bytes | None = None, headers: Mapping[str, str | None] | None = None) -> httpx.Response:
        """`headers` change or, with None, leave out what was signed."""
        changed: dict[str, str | None] = {**self.headers, **(headers or {})}
        sent = {name: value for name, value in changed.items() if value is not None}
        content = self.data if data is None else data
        return httpx.put(self.url, content=content, headers=sent, verify=PLAIN, trust_env=False)


def sum_of(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


def signed_put(boto: Any, key: str = "k", data: bytes = DATA, *, expires_s: int = 900, **more: Any) -> Signed:
    params: dict[str, Any] = {
        "Bucket": BUCKET,
        "Key": key,
        "ContentLength": len(data),
        "ChecksumCRC64NVME": sum_of(data),
        "ContentType": "text/csv",
        "IfNoneMatch": "*",
    } | more
    url = boto.generate_presigned_url("put_object", Params=params, ExpiresIn=expires_s)
    headers = {
        "content-length": str(params["ContentLength"]),
        "x-amz-checksum-crc64nvme": params["ChecksumCRC64NVME"],
        "content-type": params["ContentType"],
        "if-none-match": "*",
    }
    return Signed(url, headers, data)


def signed_part(boto: Any, where: dict[str, str], number: int, data: bytes) -> Signed:
    params = where | {"PartNumber": number, "ContentLength": len(data), "ChecksumCRC64NVME": sum_of(data)}
    url = boto.generate_presigned_url("upload_part", Params=params)
    return Signed(url, {"content-length": str(len(data)), "x-amz-checksum-crc64nvme": sum_of(data)}, data)


def begin(boto: Any, key: str = "k", **more: Any) -> dict[str, str]:
    options = {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"} | more
    return {
        "Bucket": BUCKET,
        "Key": key,
        "UploadId": boto.create_multipart_upload(Bucket=BUCKET, Key=key, **options)["UploadId"],
    }


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, documents.read(answer.content).findtext("Code", "")


def talk(s3: S3Double, signed: Signed, *pieces: bytes, headers: dict[str, str] | None = None) -> bytes:
    """By hand: the head, `pieces`, an end of what is sent; all that came back."""
    target = urlsplit(signed.url)
    lines = [f"PUT {target.path}?{target.query} HTTP/1.1", f"host: {target.netloc}"]
    lines += [f"{name}: {value}" for name, value in (signed.headers | (headers or {})).items()]
    with socket.create_connection((target.hostname or "", target.port or 0), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))
