"""The body of a request, read once, in blocks, into a file or into memory, and checked on the way."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from tests.s3_double import checksums
from tests.s3_double.errors import Dropped, Refused

if TYPE_CHECKING:
    from collections.abc import Buffer, Callable, Iterator, Mapping
    from pathlib import Path

BLOCK: Final = 1 << 20
TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Plain(io.RawIOBase):
    """Exactly `length` bytes of the connection."""

    def __init__(self, source: BinaryIO, length: int, body: Body) -> None:
        super().__init__()
        self._source, self._left, self._body = source, length, body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)[: self._left]
        got = self._body.take(view)
        if got == 0 and self._left:
            raise Refused(
                "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
            )
        self._left -= got
        return got


class Chunked(io.RawIOBase):
    """Chunked encoding: HTTP's, and S3's own `aws-chunked`, which has the same form. Trailers go to `trailers`."""

    def __init__(self, source: BinaryIO, trailers: dict[str, str]) -> None:
        super().__init__()
        self._source, self._trailers = source, trailers
        self._left, self._is_over = 0, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if not self._left and not self._is_over:
            self._next()
        view = memoryview(buffer)[: self._left]
        block = self._source.read(len(view))
        if len(block) < len(view):
            raise Refused("IncompleteBody", "The body ended inside of a chunk")
        view[:] = block
        self._left -= len(block)
        if not self._left and not self._is_over:
            self._line()
        return len(block)

    def _next(self) -> None:
        size = self._line().partition(b";")[0]
        try:
            self._left = int(size, 16)
        except ValueError:
            raise Refused("IncompleteBody", f"Not the size of a chunk: {size!r}") from None
        if self._left == 0:
            self._is_over = True
            while line := self._line():
                name, _, value = line.decode("latin-1").partition(":")
                self._trailers[name.strip().lower()] = value.strip()

    def _line(self) -> bytes:
        return self._source.readline(65_536).rstrip(b"\r\n")


@dataclass(frozen=True, slots=True)
class Received:
    size: int
    md5: str
    sums: dict[str, str]


@dataclass
class Body:
    """`cut` is after how many bytes a fault ends the connection."""

    source: BinaryIO
    headers: Mapping[str, str]
    go_on: Callable[[], None] = lambda: None
    cut: int | None = None
    taken: int = 0
    is_read: bool = False
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def is_aws_chunked(self) -> bool:
        return self.headers.get("x-amz-content-sha256") == TRAILER

    @property
    def length(self) -> int:
        """Of the content, as announced."""
        if self.is_aws_chunked:
            text = self.headers.get("x-amz-decoded-content-length", "")
        elif self.is_chunked:
            raise Refused(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented: Transfer-Encoding",
            )
        else:
            text = self.headers.get("content-length", "")
        if not text.isdecimal():
            raise Refused("MissingContentLength", "You must provide the Content-Length HTTP header.")
        return int(text)

    def take(self, view: memoryview) -> int:
        """From the connection into `view`; 0 when it has ended."""
        if self.cut is not None:
            view = view[: max(self.cut - self.taken, 0)]
            if not view:
                raise Dropped
        block = self.source.read(len(view))
        view[: len(block)] = block
        self.taken += len(block)
        return len(block)

    def read(self, *, checked: bool = True) -> bytes:
        """Into memory. Not `checked`: the checksum of these headers is about something else."""
        kept = io.BytesIO()
        self._pass(kept.write, (), checked=checked)
        return kept.getvalue()

    def save(self, path: Path, names: tuple[str, ...], *, with_md5: bool = True) -> Received:
        """Into a file; with the checksums `names`, and those that the request declares, which must be right."""
        with path.open("wb") as file:
            return self._pass(file.write, names, with_md5=with_md5)

    def drain(self) -> None:
        """To the end, so that the next request on this connection begins at its beginning."""
        for _ in self._blocks():
            pass

    def _blocks(self) -> Iterator[bytes]:
        if self.is_read:
            return
        self.is_read = True
        self.go_on()
        stream = self._stream()
        while block := stream.read(BLOCK):
            yield block

    def _stream(self) -> BinaryIO:
        if self.is_chunked:
            # The connection is read line by line here: `taken` counts what came out of HTTP's own chunks.
            stream: BinaryIO = io.BufferedReader(Chunked(self.source, {}), BLOCK)
        else:
            length = self.headers.get("content-length", "0")
            stream = io.BufferedReader(Plain(self.source, int(length), self), BLOCK)
        if self.is_aws_chunked:
            stream = io.BufferedReader(Chunked(stream, self.trailers), BLOCK)
        return stream

    def _pass(
        self, write: Callable[[bytes], int], names: tuple[str, ...], *, with_md5: bool = True, checked: bool = True
    ) -> Received:
        length = self.length
        announced = self.headers.get("x-amz-trailer", "").removeprefix(checksums.HEADER)
        declared = checksums.declared(self.headers) if checked else None
        wanted = {*names, *([declared[0]] if declared else []), *([announced] if announced else [])}
        digests = {name: checksums.ALGORITHMS[name]() for name in wanted}
        payload = self.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        sha256 = hashlib.sha256() if len(payload) == 64 else None
        md5 = hashlib.md5(usedforsecurity=False)
        size = 0
        for block in self._blocks():
            write(block)
            size += len(block)
            if with_md5 or "content-md5" in self.headers:
                md5.update(block)
            for digest in (*digests.values(), *([sha256] if sha256 else [])):
                digest.update(block)
        sums = {name: checksums.text(digest.digest()) for name, digest in digests.items()}
        if size != length:
            raise Refused("IncompleteBody", f"{size} bytes came, {length} were announced")
        if sha256 and sha256.hexdigest() != payload:
            raise Refused(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        self._compare(sums, declared, announced)
        self._compare_md5(md5.digest())
        return Received(size, md5.hexdigest(), sums)

    def _compare(self, sums: dict[str, str], declared: tuple[str, str] | None, announced: str) -> None:
        if announced:
            declared = checksums.declared(self.trailers)
            if declared is None or declared[0] != announced:
                raise Refused(
                    "InvalidRequest", f"The trailer {checksums.HEADER}{announced} was announced and did not come"
                )
        if declared and sums[declared[0]] != declared[1]:
            raise Refused(
                "BadDigest", f"The {declared[0].upper()} you specified did not match the calculated checksum."
            )

    def _compare_md5(self, md5: bytes) -> None:
        given = self.headers.get("content-md5")
        if given is not None and given != checksums.text(md5):
            raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")
