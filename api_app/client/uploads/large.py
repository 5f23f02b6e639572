"""One file in parts: hashed, signed a few ahead, sent in parallel; what has arrived before is only hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api_app.client import crc64
from api_app.client.errors import EsteiraError, FileChangedError, ProblemError, UploadEndedError
from api_app.client.uploads.calls import file_of
from api_app.client.uploads.known import is_same
from api_app.client.uploads.outgoing import DiskFile, Outcome, Outgoing
from api_app.client.uploads.parts import Part, ranges

if TYPE_CHECKING:
    from concurrent.futures import Future

    from api_app.client.contract.shapes import File, Upload
    from api_app.client.uploads.crew import Crew

ROUNDS: Final = 3
OVER: Final = frozenset({"expired", "gone"})
"""Nobody's wish: such an upload is begun anew."""


def send_large(crew: Crew, item: Outgoing, file: DiskFile) -> Outcome:
    crew.watch.began(item, file.size)
    fingerprint = crew.own_print(file.fingerprint)
    try:
        known = crew.known.one(fingerprint)
        if known and is_same(known, file.crc(0, file.size)):
            return crew.there(item, known)
        return crew.ended(Outcome(item, send_file(crew, item, file, fingerprint)))
    except EsteiraError as fault:
        return crew.failed(item, fault)


def send_file(crew: Crew, item: Outgoing, file: DiskFile, fingerprint: str) -> File:
    """Raises FileChangedError, UploadEndedError, ProblemError."""
    for _ in range(ROUNDS):
        upload = crew.calls.create(file.wanted(fingerprint=fingerprint))
        try:
            return _File(crew, item, file, upload).send()
        except UploadEndedError as end:
            if end.state not in OVER:
                raise
            last = end
        except FileChangedError:
            crew.calls.abort(upload["id"])
            raise
    raise last


class _File:
    def __init__(self, crew: Crew, item: Outgoing, file: DiskFile, upload: Upload) -> None:
        self._crew, self._file, self._upload = crew, file, upload
        self._meter = crew.meter(item)
        self._parts = [self._part(number) for number in range(1, (upload["part_count"] or 1) + 1)]
        self._sending: set[Future[None]] = set()
        self._signing: list[Part] = []
        self._ahead = 1

    def send(self) -> File:
        upload = self._upload
        if upload["state"] == "open":
            upload = self._until_whole()
        return file_of(self._crew.calls.settled(upload), self._file.path)

    def _part(self, number: int) -> Part:
        size = self._upload["part_size"]
        offset = (number - 1) * size
        length = min(size, self._file.size - offset)
        return Part(self._upload["id"], number, offset, length, self._file, self._file.path, self._meter)

    def _until_whole(self) -> Upload:
        there = ranges(self._upload["received"])
        missing = {part.number for part in self._parts} - there
        for _ in range(ROUNDS):
            self._send_parts(missing)
            try:
                return self._complete()
            except ProblemError as problem:
                if problem.code != "parts_missing":
                    raise
                missing, last = ranges(problem.problem.get("missing")), problem
        raise last

    def _complete(self) -> Upload:
        self._file.require_same()
        crc = crc64.combine((part.crc, part.length) for part in self._parts)
        try:
            return self._crew.calls.complete(self._upload["id"], {"crc64nvme": crc64.to_text(crc)})
        except ProblemError as problem:
            if problem.code == "checksum_mismatch":
                raise FileChangedError(self._file.path) from problem
            raise

    def _send_parts(self, missing: set[int]) -> None:
        try:
            for part in self._parts:
                self._crew.require_running()
                self._raise_failed()
                if part.number in missing:
                    self._prepare(part)
                elif not part.is_read:
                    part.read()
                    self._meter.add("sending", part.length)
            self._sign()
            for sending in self._sending:
                sending.result()
        finally:
            # After a failure the others of this file are in vain.
            for sending in self._sending:
                sending.cancel()
            for _ in self._signing:
                self._crew.free_slot()
            self._signing.clear()
            self._sending.clear()

    def _raise_failed(self) -> None:
        for sending in [one for one in self._sending if one.done()]:
            self._sending.remove(sending)
            sending.result()

    def _prepare(self, part: Part) -> None:
        if not self._crew.take_slot(waits=False):
            # Whoever waits for a slot must not sit on one.
            self._sign()
            self._crew.take_slot(waits=True)
        self._signing.append(part)
        part.read()
        if len(self._signing) >= self._ahead:
            self._sign()

    def _sign(self) -> None:
        """All that were hashed since: first one, so that sending begins at once, then more at a time."""
        if not self._signing:
            return
        calls = self._crew.calls
        signed = calls.sign(self._upload["id"], [part.asked(calls.checksums) for part in self._signing])
        for part, one in zip(self._signing, signed, strict=True):
            part.sign(one)
            self._sending.add(self._crew.send_in_slot(part))
        self._signing.clear()
        self._ahead = min(2 * self._ahead, self._crew.max_parallel)
