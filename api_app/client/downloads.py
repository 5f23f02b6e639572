"""Fetch files to disk: names planned first, `.part` files that resume, a name only after its digest fits."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

import httpx

from api_app.client.errors import DamagedTransferError, LocalFileError, ProblemError, RequestError
from api_app.client.names import safe_parts, with_suffix
from api_app.client.progress import CHUNK, Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Buffer, Sequence

    from api_app.client.contract.shapes import File
    from api_app.client.transport import Transport


@dataclass(frozen=True, slots=True)
class Place:
    file: File
    path: Path
    is_present: bool


def plan(files: Sequence[File], folder: Path) -> list[Place]:
    """A place below `folder` for every file. What is there already and the same is not fetched again."""
    taken, folders = set[str](), set[str]()
    try:
        return [_place(file, folder, taken, folders) for file in files]
    except OSError as fault:
        raise LocalFileError(f"Cannot look into {folder} ({fault.strerror or fault}).") from fault


def _place(file: File, folder: Path, taken: set[str], folders: set[str]) -> Place:
    parts = safe_parts(file["name"])
    if any(_key(parent) in taken or (folder / parent).is_file() for parent in Path(*parts).parents):
        parts = ["_".join(parts)]
    for number in count(1):
        below = with_suffix(parts, number)
        path = folder / below
        if _key(below) in taken | folders:
            continue
        is_present = _is_same(path, file)
        if is_present or not os.path.lexists(path):
            taken.add(_key(below))
            folders.update(_key(parent) for parent in below.parents)
            return Place(file, path, is_present)
    raise AssertionError("count() never ends")


def _key(path: Path) -> str:
    # Folded, because Report.html and report.html are one file on some disks.
    return str(path).casefold()


def _is_same(path: Path, file: File) -> bool:
    if not file["sha256"] or path.is_symlink() or not path.is_file() or path.stat().st_size != file["size"]:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file["sha256"]


def fetch(transport: Transport, place: Place, folder: Path, progress: Progress = no_progress) -> Path:
    if place.is_present:
        return place.path
    try:
        _make_folder(place.path.parent, folder)
        part = place.path.with_name(f".{quote(place.file['id'], safe='')}.part")
        _fetch_part(transport, place.file, part, progress)
        part.replace(place.path)
    except OSError as fault:
        raise LocalFileError(f"Cannot write {place.path} ({fault.strerror or fault}).") from fault
    return place.path


def fetch_all(
    transport: Transport, files: Sequence[File], folder: Path, progress: Progress = no_progress
) -> list[Path]:
    return [fetch(transport, place, folder, progress) for place in plan(files, folder)]


def _make_folder(parent: Path, folder: Path) -> None:
    parent.mkdir(parents=True, exist_ok=True)
    # A link that lies in the folder already could lead anywhere.
    if not parent.resolve().is_relative_to(folder.resolve()):
        raise LocalFileError(
            f"{parent} leads out of {folder}; nothing was written there. Choose another folder: -o DIR"
        )


class _Body(io.RawIOBase):
    """An answer's body as a file."""

    def __init__(self, response: httpx.Response) -> None:
        self._response, self._chunks, self._rest = response, response.iter_raw(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        self._rest = self._rest or next(self._chunks, b"")
        piece, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._response.close()
        super().close()


def opened(transport: Transport, file_id: str) -> BinaryIO:
    """The bytes of a file as they come; a connection that breaks is a TransportError of the reader."""
    headers = {"Accept-Encoding": "identity"}
    return cast("BinaryIO", io.BufferedReader(_Body(transport.fetch(f"files/{file_id}/content", headers))))


def _fetch_part(transport: Transport, file: File, part: Path, progress: Progress) -> None:
    patience, size_before, is_second_chance = transport.patience(), -1, False
    while True:
        try:
            with _opened(part) as target:
                _receive(transport, file, target, progress)
        except httpx.TransportError as fault:
            # Only a connection that brings nothing at all uses patience up.
            patience = transport.patience() if part.stat().st_size > size_before else patience
            size_before = part.stat().st_size
            transport.wait_or_raise(fault, patience)
        except DamagedTransferError:
            part.unlink(missing_ok=True)
            if is_second_chance:
                raise
            is_second_chance = True
        else:
            return


def _opened(part: Path) -> BinaryIO:
    # O_NOFOLLOW: somebody else may write in the same folder.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(part, flags, 0o666), "r+b")


def _receive(transport: Transport, file: File, target: BinaryIO, progress: Progress) -> None:
    digest = hashlib.sha256()
    done = 0
    while chunk := target.read(CHUNK):
        digest.update(chunk)
        done += len(chunk)
    if done == file["size"] and digest.hexdigest() == file["sha256"]:
        return
    response = _ask(transport, file, done if done < file["size"] else 0)
    with closing(response):
        if response.status_code != httpx.codes.PARTIAL_CONTENT or not _starts_at(response, done):
            done, digest = 0, hashlib.sha256()
        target.seek(done)
        target.truncate()
        for chunk in response.iter_raw():
            target.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress("receiving", done, file["size"])
    _check(file, done, digest.hexdigest(), response)


def _ask(transport: Transport, file: File, done: int) -> httpx.Response:
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        response = transport.fetch(f"files/{file['id']}/content", headers)
    except ProblemError as problem:
        if problem.status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise DamagedTransferError(f"{file['name']} could not be resumed.") from problem
        if problem.status == httpx.codes.NOT_FOUND:
            raise RequestError(f"{file['name']} is not kept any more (deleted or expired).") from problem
        raise
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        response.close()
        raise DamagedTransferError(f"{file['name']} could not be resumed.")
    return response


def _starts_at(response: httpx.Response, done: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return found is not None and int(found[1]) == done


def _check(file: File, size: int, sha256: str, response: httpx.Response) -> None:
    promised = {_repr_digest(response) or sha256, file["sha256"] or sha256}
    if size != file["size"] or promised != {sha256}:
        raise DamagedTransferError(
            f"{file['name']} arrived damaged, twice, and was thrown away. "
            "Something between here and the platform changes the bytes; try another network."
        )


def _repr_digest(response: httpx.Response) -> str | None:
    found = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", response.headers.get("repr-digest", ""))
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else None
    except binascii.Error:
        return None
