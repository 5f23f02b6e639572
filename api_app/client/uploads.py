"""Send a file from disk.

It is read twice: once for its SHA-256, once to send it. The digest has to stand in a header before the first
byte, so that the platform can refuse damaged bytes before it says "stored"; the second reading mostly comes from
memory. A file that somebody changes between the two readings is caught by the same digest.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from api_app.client.errors import DamagedTransferError, LocalFileError
from api_app.client.shapes import File
from api_app.client.transport import Transport

CHUNK = 1024 * 1024

# phase ("reading", "sending", "receiving"), bytes done, bytes in all; a repeated try starts again at 0
type Progress = Callable[[str, int, int], None]


def no_progress(_phase: str, _done: int, _total: int) -> None:
    pass


def upload(
    transport: Transport, path: Path, *, name: str, workspace: str | None, progress: Progress = no_progress
) -> File:
    try:
        with path.open("rb") as source:
            return _send(transport, source, path=path, name=name, workspace=workspace, progress=progress)
    except OSError as fault:
        raise LocalFileError(f"Cannot read {path} ({fault.strerror or fault}).") from fault


def _send(
    transport: Transport,
    source: BinaryIO,
    *,
    path: Path,
    name: str,
    workspace: str | None,
    progress: Progress,
) -> File:
    size = os.fstat(source.fileno()).st_size
    digest = hashlib.sha256()
    for chunk in _chunks(source, path, size, "reading", progress):
        digest.update(chunk)
    quoted = quote(name.encode(errors="replace"), safe="")
    answer = transport.json(
        "POST",
        "uploads",
        body=lambda: _chunks(source, path, size, "sending", progress),
        params={"workspace": workspace} if workspace else None,
        headers={
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quoted}",
            "Repr-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        },
    )
    file = cast("File", answer["file"])
    if file["size"] != size or file["sha256"] not in {None, digest.hexdigest()}:
        raise DamagedTransferError(f"The platform stored something else than {path}. Upload it again.")
    return file


def _chunks(source: BinaryIO, path: Path, size: int, phase: str, progress: Progress) -> Iterator[bytes]:
    """Exactly `size` bytes: what was promised in Content-Length is what is sent, or nothing counts."""
    source.seek(0)
    progress(phase, 0, size)
    done = 0
    while done < size:
        chunk = source.read(min(CHUNK, size - done))
        if not chunk:
            raise LocalFileError(f"{path} became shorter while it was read. Wait until it is complete, then try again.")
        done += len(chunk)
        yield chunk
        progress(phase, done, size)
