"""The storage port. Adapters are looked up by alias (`uploads`, `results`, `logs`) in `registry`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import BinaryIO, Protocol


class PutChecksum(StrEnum):
    """What an object storage checks of the bytes of a PUT, best first."""

    CRC64NVME = "crc64nvme"
    SHA256 = "sha256"
    MD5 = "md5"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a runner puts one output: `LINK` to a file URL, or `PUT` to an object storage URL with `headers`."""

    url: str
    method: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is there: bytes `size`, CRC64NVME as an integer, None where the storage checks another checksum.

    `etag` is how object storage calls it, `sha256` in base64 what it listed where that is what it checks.
    """

    number: int
    size: int
    crc64nvme: int | None
    etag: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class SignedPut:
    """A capability to PUT exactly these bytes: `headers` must be sent as they are."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished object. `crc64nvme` is None where the storage keeps none; `version` is "" where it has none."""

    size: int
    crc64nvme: int | None
    version: str


class Incoming(Protocol):
    """Bytes on their way in. Nothing is visible under the key before `commit` has returned."""

    def write(self, data: bytes | memoryview) -> None: ...

    def commit(self) -> None:
        """Make the bytes durable and visible. Raises FileExistsError rather than overwrite."""

    def discard(self) -> None:
        """Leave no trace. May be called at any time, also after `commit` failed."""


class Storage(Protocol):
    def receive(self, key: str) -> Incoming: ...

    def open(self, key: str, version: str = "") -> BinaryIO: ...

    def size(self, key: str) -> int | None:
        """Bytes stored under the key, None when there are none."""

    def append(self, key: str, offset: int, data: bytes) -> int:
        """Write at `offset`, which must not lie beyond the end; the new end. Repeats are harmless."""

    def read_url(self, key: str, version: str = "") -> str:
        """Where a runner reads the object."""

    def slot(self, key: str, *, size: int, sha256: str) -> Slot:
        """For exactly these bytes; `sha256` in hex. Raises StorageRejected for what it cannot take in one piece."""

    def delete(self, key: str) -> None:
        """With all its versions: a receipt says that the bytes are destroyed. Absent is as good as deleted."""

    def keys_older_than(self, age: timedelta) -> Iterator[str]:
        """Keys last written longer ago than `age`, unfinished transfers among them."""


class DirectStorage(Storage, Protocol):
    """A storage that clients send to themselves, by signed URLs: no byte passes through the application.

    Every method raises StorageUnavailable (later) or StorageRejected (never) for what the storage answers.
    """

    bucket: str
    """Its name, as the storage's events call it."""

    checksum: PutChecksum
    """What it checks of every PUT. Where that is not CRC64NVME, the whole is compared when it is examined."""

    def begin(self, key: str, *, content_type: str) -> str:
        """Begin a multipart upload with a FULL_OBJECT CRC64NVME; its id."""

    def sign_part(
        self, key: str, multipart_id: str, *, number: int, size: int, digest: str, lives: timedelta
    ) -> SignedPut:
        """`digest` is `checksum` of the part, in base64."""

    def sign_put(self, key: str, *, size: int, digest: str, content_type: str, lives: timedelta) -> SignedPut:
        """A whole object in one PUT (≤ 5 GiB), never over an existing one."""

    def sign_redirect(self, key: str, *, size: int, sent: Mapping[str, str], lives: timedelta) -> str:
        """A URL to PUT a whole object to, for a client that says its headers `sent` again and can say no others.

        Bound to its length, and to its checksum where it brought one. It may be used twice: who completes the upload
        settles which version counts. Raises Invalid naming the headers that this storage needs and that are not there.
        """

    def sign_get(self, key: str, version: str = "", *, name: str, media_type: str, lives: timedelta) -> str:
        """A URL to read the object as an attachment called `name`, served as `media_type` whatever is stored."""

    def sign_view(self, key: str, version: str = "", *, media_type: str, lives: timedelta) -> str:
        """A URL to show the object inside of one of our pages, which says what it may do there."""

    @property
    def origin(self) -> str:
        """Scheme and host of every signed URL, for the policies that browsers are given."""

    def parts(self, key: str, multipart_id: str) -> Iterator[Part]:
        """What arrived, in order of number. Raises StorageRejected when the multipart upload is gone."""

    def finish(self, key: str, multipart_id: str, parts: Iterable[Part], *, size: int, crc64nvme: int) -> str:
        """Join the parts; the version. Called again after an answer was lost it finds the object and says the same."""

    def known(self, crc: int) -> set[int | None]:
        """What `stat` may say of an object with this CRC64NVME: nothing, where the storage keeps another checksum."""

    def abort(self, key: str, multipart_id: str) -> None:
        """Gone is as good as aborted."""

    def stat(self, key: str) -> Stored | None: ...

    def key_of(self, object_key: str) -> str:
        """Our key of an object that an event of the storage names."""

    def scan_tag(self, key: str, version: str = "") -> str:
        """What the storage's own malware scanner wrote on this version, "" while it has written nothing."""

    def listed(self, prefix: str) -> Iterator[tuple[str, Stored]]:
        """Every object below `prefix`, with its version; checksums are not listed."""

    def unfinished(self, age: timedelta) -> Iterator[tuple[str, str]]:
        """Key and id of every multipart upload begun longer ago than `age`."""
