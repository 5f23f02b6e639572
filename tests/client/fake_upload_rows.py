"""What the fake platform keeps of uploads, and counts of their PUTs."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestration import crc64
from tests.client.fake_shapes import Json, new_id

MIB = 1 << 20


def crc_text(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


@dataclass
class FakeUpload:
    name: str
    size: int | None
    workspace: str
    path: str
    fingerprint: str
    crc64nvme: str
    part_size: int
    id: str = field(default_factory=new_id)
    state: str = "open"
    parts: dict[int, bytes] = field(default_factory=dict)
    failure: Json | None = None
    file: Json | None = None
    asks_until_complete: int = 0
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def part_count(self) -> int | None:
        return None if self.size is None else max(1, -(-self.size // self.part_size))

    @property
    def mode(self) -> str:
        return "single" if self.part_count == 1 else "parts"

    def length(self, number: int, said: int | None) -> int:
        if self.size is None:
            assert said is not None, "the size of a part is asked for where that of the upload is unknown"
            return said
        return min(self.part_size, self.size - (number - 1) * self.part_size)


class Gauge:
    """How many PUTs are under way at once, and the most there ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


@dataclass
class Uploads:
    part_size: int = 16 * MIB
    max_parallel: int = 8
    # Where bytes go: "" is this server, else the address of the object storage.
    direct: str = ""
    all: dict[str, FakeUpload] = field(default_factory=dict)
    # (upload, part, bytes) of each PUT that arrived whole, kept or not.
    puts: list[tuple[str, int, int]] = field(default_factory=list)
    signed: set[tuple[str, int, int, str]] = field(default_factory=set)
    signed_in_order: list[tuple[str, int, int, str]] = field(default_factory=list)
    sending: Gauge = field(default_factory=Gauge)
    # Addresses given out and not used yet, whenever one was given out.
    ahead: list[int] = field(default_factory=list)
    # Checks parts and keeps only a byte of each: for those too large to keep.
    forgets: bool = False
    # Bytes of one body with many small files, and how many files each had; 0: none are taken.
    bundle_max: int = 0
    bundles: list[int] = field(default_factory=list)
    # Polls that a completion takes before it is done.
    slow_completions: int = 0

    def one(self) -> FakeUpload:
        (only,) = self.all.values()
        return only
