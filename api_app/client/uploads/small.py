"""Small files by the hundred: begun in one call, a PUT each, completed in one call."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from api_app.client import crc64
from api_app.client.errors import EsteiraError, FileChangedError, UploadEndedError
from api_app.client.problems import error_of
from api_app.client.uploads.calls import CHECKSUM, MOVED, file_of
from api_app.client.uploads.known import is_same
from api_app.client.uploads.large import OVER, send_file
from api_app.client.uploads.outgoing import DiskFile, Outcome, Outgoing
from api_app.client.uploads.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from api_app.client.contract.shapes import Upload
    from api_app.client.uploads.crew import Crew

SMALL: Final = 16 << 20
"""Up to here one part is enough."""
MOST_FILES: Final = 500
MOST_BYTES: Final = 128 << 20
MOST_JSON: Final = 512 << 10
_FIELDS: Final = 600

type Pair = tuple[Outgoing, DiskFile]


@dataclass(slots=True, eq=False)
class _One:
    """A file of a group, and how far it is. `is_sent`: its bytes are there, and only the end is missing."""

    item: Outgoing
    file: DiskFile
    fingerprint: str
    crc: int = crc64.EMPTY
    upload: Upload | None = None
    part: Part | None = None
    sending: Future[None] | None = None
    is_sent: bool = False
    outcome: Outcome | None = None


def groups(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """As many as one call takes, and no more than goes out while the addresses are good."""
    group: list[Pair] = []
    size = length = 0
    for item, file in pairs:
        said = len(file.name.encode()) + len(file.folder.encode()) + _FIELDS
        if group and (len(group) == MOST_FILES or size + file.size > MOST_BYTES or length + said > MOST_JSON):
            yield group
            group, size, length = [], 0, 0
        group.append((item, file))
        size, length = size + file.size, length + said
    if group:
        yield group


def send_small(crew: Crew, group: Sequence[Pair]) -> list[Outcome]:
    return _Group(crew, group).send()


class _Group:
    def __init__(self, crew: Crew, group: Sequence[Pair]) -> None:
        self._crew = crew
        self._all = [_One(item, file, crew.own_print(file.fingerprint)) for item, file in group]

    def send(self) -> list[Outcome]:
        for step in (self._read, self._skip, self._begin, self._put, self._complete, self._alone):
            step([one for one in self._all if one.outcome is None])
        return [one.outcome for one in self._all if one.outcome]

    def _read(self, ones: Sequence[_One]) -> None:
        for one in ones:
            self._crew.require_running()
            self._crew.watch.began(one.item, one.file.size)
            with self._told(one):
                one.crc = one.file.crc(0, one.file.size)

    def _skip(self, ones: Sequence[_One]) -> None:
        with self._told(*ones):
            known = self._crew.known.many([one.fingerprint for one in ones])
            for one in ones:
                file = known.get(one.fingerprint)
                if file and is_same(file, one.crc):
                    one.outcome = self._crew.there(one.item, file)

    def _begin(self, ones: Sequence[_One]) -> None:
        wanted = [one.file.wanted(fingerprint=one.fingerprint, crc=one.crc) for one in ones]
        with self._told(*ones):
            for one, result in zip(ones, self._crew.calls.create_many(wanted) if wanted else [], strict=True):
                with self._told(one):
                    one.upload = _upload_of(result)
                    if one.upload["state"] == "complete":
                        self._finish(one, one.upload)

    def _put(self, ones: Sequence[_One]) -> None:
        for one in ones:
            if one.upload:
                one.part = self._part(one, one.upload)
        arrived = self._crew.send_together([one.part for one in ones if one.part])
        for one in ones:
            if one.part and one.part.upload_id in arrived:
                one.is_sent = True
            elif one.part:
                one.sending = self._crew.send(one.part)
        for one in ones:
            with self._told(one):
                if one.sending:
                    one.sending.result()
                    one.is_sent = True

    def _part(self, one: _One, upload: Upload) -> Part | None:
        put = upload["put"]
        if put is None:
            return None  # not as simple as one PUT: it goes alone
        if put["headers"].get(CHECKSUM) != crc64.to_text(one.crc):
            # Begun before with other bytes of the same size and date.
            self._crew.calls.abort(upload["id"])
            return None
        part = Part(upload["id"], 1, 0, one.file.size, one.file, one.file.path, self._crew.meter(one.item))
        part.crc, part.is_bound = one.crc, True
        part.sign(put)
        return part

    def _complete(self, ones: Sequence[_One]) -> None:
        sent = [(one, one.upload["id"]) for one in ones if one.is_sent and one.upload]
        if not sent:
            return
        with self._told(*[one for one, _ in sent]):
            results = self._crew.calls.complete_many([upload_id for _, upload_id in sent])
            for (one, _), result in zip(sent, results, strict=True):
                with self._told(one):
                    if (result.get("problem") or {}).get("status") not in MOVED:
                        self._finish(one, self._crew.calls.settled(_upload_of(result)))

    def _alone(self, ones: Sequence[_One]) -> None:
        """Whatever went another way than the rest: found again by its fingerprint, or begun anew."""
        for one in ones:
            with self._told(one):
                file = send_file(self._crew, one.item, one.file, one.fingerprint)
                one.outcome = self._crew.ended(Outcome(one.item, file))

    def _finish(self, one: _One, upload: Upload) -> None:
        one.outcome = self._crew.ended(Outcome(one.item, file_of(upload, one.file.path)))

    @contextmanager
    def _told(self, *ones: _One) -> Iterator[None]:
        """A fault is the outcome of these files, and of no others."""
        try:
            yield
        except EsteiraError as fault:
            if isinstance(fault, UploadEndedError) and fault.state in OVER:
                return
            for one in ones:
                if isinstance(fault, FileChangedError) and one.upload:
                    self._crew.calls.abort(one.upload["id"])
                one.outcome = one.outcome or self._crew.failed(one.item, fault)


def _upload_of(result: dict[str, Any]) -> Upload:
    if problem := result.get("problem"):
        raise error_of(problem)
    return cast("Upload", result["upload"])
