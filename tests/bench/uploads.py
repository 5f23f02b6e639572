"""Uploads, held against nginx and @tus/server with one client for all of them (docs/design/0003).

Rounds are interleaved and medians taken: what else the machine does meets everybody alike.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import httpx

from api_app.client.uploads.calls import BRIEFLY
from orchestration import crc64
from tests.bench import rivals
from tests.bench.load import percentile
from tests.bench.rows import Row
from tests.live.platform import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.rivals import Rival
    from tests.live.platform import Platform

PART = 16 << 20
SMALL = 10 << 10
LANES = 16
BATCH = 500
BUNDLED = 250
GROUPS = 4
WARM = 1
"""Rounds that do not count: whoever has just started is slow."""
TUS_HEAD = (
    "POST /files HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nContent-Length: 0\r\nUpload-Length: {size}\r\n"
)
TUS_PATCH = (
    "PATCH {{location}} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
    "Content-Type: application/offset+octet-stream\r\nContent-Length: {size}\r\n"
)
type Requests = list[dict[str, Any]]


class Round(NamedTuple):
    seconds: float
    cpu_s: float


class Us:
    """The API on the control path. The bytes go by the same client as everybody's."""

    def __init__(self, platform: Platform) -> None:
        headers = {"Authorization": f"Bearer {platform.token}"}
        self._http = httpx.Client(base_url=f"{platform.url}/api/v1", headers=headers, timeout=120, trust_env=False)
        self.port = int(platform.url.rpartition(":")[2])

    def call(self, path: str, body: Any = None) -> Any:
        answer = self._http.post(path, json=body, headers=BRIEFLY)
        answer.raise_for_status()
        return answer.json()

    def abort(self, upload: str) -> None:
        """Its bytes go before they reach the disk, as those of the others do."""
        self._http.delete(f"/uploads/{upload}").raise_for_status()

    def parts(self, size: int, crcs: Sequence[str], part: int = PART) -> tuple[str, Requests]:
        """An upload, and the PUTs that send it."""
        upload = self.call("/uploads", {"name": "big.bin", "size": size, "part_size_hint": part})
        wanted = [{"number": number, "crc64nvme": crc} for number, crc in enumerate(crcs, 1)]
        signed = self.call(f"/uploads/{upload['id']}/parts", {"parts": wanted})["parts"]
        return upload["id"], [_put(one, (one["number"] - 1) * part) for one in signed]


def _put(signed: dict[str, Any], offset: int) -> dict[str, Any]:
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed["headers"].items())
    head = f"PUT {signed['url']} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}"
    return {"head": head, "offset": offset, "length": int(signed["headers"]["content-length"])}


def _bundle(pieces: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    """Many small files in one request."""
    length = sum(len(line) + size for line, _, size in pieces)
    head = f"POST /api/v1/uploads:put HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
    return {"head": head, "pieces": pieces}


class Sender:
    """A process that sends when it is told to: its own start is nobody's work."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bench.sender"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        if self._line() != "ready":
            raise RuntimeError("the sender did not start")

    def send(self, port: int, file: Path, lanes: Sequence[Requests]) -> float:
        """Seconds."""
        said, _ = self._process.communicate(json.dumps({"port": port, "file": str(file), "lanes": list(lanes)}))
        done = json.loads(said)
        if self._process.returncode or done["failed"]:
            raise RuntimeError(f"{done['failed']} requests were refused")
        seconds: float = done["seconds"]
        return seconds

    def _line(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ""


def send(port: int, file: Path, lanes: Sequence[Requests]) -> float:
    """Seconds."""
    return Sender().send(port, file, lanes)


def measured[**P](rival: Rival, work: Callable[P, float], *args: P.args, **kwargs: P.kwargs) -> Round:
    before = rival.cpu_s()
    return Round(work(*args, **kwargs), rival.cpu_s() - before)


def upload_rows(platform: Platform, _file: str, scale: int) -> list[Row]:
    data = platform.home / "bench.bin"
    size = (1 << 30) // scale // PART * PART
    with data.open("wb") as out:
        for _ in range(size // PART):
            out.write(os.urandom(PART))
    us = Us(platform)
    web = rivals.Rival("ours", us.port, platform.pid("web"), platform.home)
    try:
        rows = _large(us, web, platform, data, size, 5 if scale == 1 else 1)
        rows += _beside(us, web, data, size)
        rows += _small(us, web, platform, data, 2_000 // scale, 5 if scale == 1 else 1)
        rows += _control(us, web, platform)
    finally:
        data.unlink()
    return rows


def _large(us: Us, web: Rival, platform: Platform, data: Path, size: int, rounds: int) -> list[Row]:
    crcs = _crcs(data)
    whole = [crc64.to_text(crc64.combine((crc64.from_text(crc), PART) for crc in crcs))]
    took: dict[str, list[Round]] = {}
    with ExitStack() as stack:
        others, absent = _others(stack, platform, rivals.nginx, rivals.tus)
        slow = stack.enter_context(rivals.stock(platform))
        for _ in range(rounds + WARM):
            for name, rival, part in (("ours", web, size), ("ours, stock", slow, size), ("ours, in parts", web, PART)):
                upload, requests = us.parts(size, crcs if part == PART else whole, part)
                took.setdefault(name, []).append(measured(rival, send, rival.port, data, [requests]))
                us.abort(upload)
            for rival in others:
                requests = _tus(1, size) if rival.name == "@tus/server" else _dav(size)
                took.setdefault(rival.name, []).append(measured(rival, send, rival.port, data, [requests]))
                for left in rival.folder.iterdir():
                    left.unlink()
    took = {name: rounds[WARM:] for name, rounds in took.items()}
    rows = [_speed(name, rounds, size) for name, rounds in took.items()]
    rows += _against(took, "ours", "nginx dav", 0.85) + _against(took, "ours, stock", "nginx dav", 0.35)
    return [*rows, *_against(took, "ours", "@tus/server", 1.5), *absent]


def _others(stack: ExitStack, platform: Platform, *starts: Any) -> tuple[list[Rival], list[Row]]:
    found, absent = [], []
    for start in starts:
        try:
            found.append(stack.enter_context(start(platform.home)))
        except rivals.Absent as exc:
            absent.append(Row("  not compared", str(exc), "", True))
    return found, absent


def _crcs(data: Path) -> list[str]:
    with data.open("rb") as file:
        return [crc64.to_text(crc64.update(part)) for part in iter(lambda: file.read(PART), b"")]


def _dav(size: int) -> Requests:
    head = f"PUT /{uuid4().hex} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
    return [{"head": head, "offset": 0, "length": size}]


def _tus(count: int, size: int) -> Requests:
    then = {"head": TUS_PATCH.format(size=size), "offset": 0, "length": size}
    return [{"head": TUS_HEAD.format(size=size), "offset": 0, "length": 0, "then": then} for _ in range(count)]


def _speed(name: str, rounds: list[Round], size: int) -> Row:
    speed = size / 2**20 / median(one.seconds for one in rounds)
    cpu = median(one.cpu_s for one in rounds) * 2**30 / size
    return Row(
        f"{size >> 20:,} MiB to {name}, {len(rounds)} rounds", f"{speed:,.0f} MiB/s, {cpu:.2f} CPU-s/GiB", "", True
    )


def _against(took: dict[str, list[Round]], ours: str, theirs: str, least: float) -> list[Row]:
    if theirs not in took:
        return []
    ratio = median(r.seconds for r in took[theirs]) / median(r.seconds for r in took[ours])
    return [Row(f"  {ours} against {theirs}", f"{ratio:.2f} ×", f"≥ {least} ×", ratio >= least)]


def _beside(us: Us, web: Rival, data: Path, size: int) -> list[Row]:
    """A small GET, and the memory of the process, while four uploads run."""
    crcs = _crcs(data)
    uploads = [us.parts(size, crcs) for _ in range(4)]
    lanes = [requests for _, requests in uploads]
    status = Path(f"/proc/{web.pid}/status")

    def memory(field: str) -> float:
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith(field))) / 1024

    send(us.port, data, [lane[:1] for lane in lanes])
    rest = memory("VmRSS")
    Path(f"/proc/{web.pid}/clear_refs").write_text("5")
    sender = threading.Thread(target=send, args=(us.port, data, [lane[1:] for lane in lanes]))
    sender.start()
    took = []
    with httpx.Client(trust_env=False) as client:
        while sender.is_alive():
            begin = time.perf_counter()
            client.get(f"http://127.0.0.1:{us.port}/health/live").raise_for_status()
            took.append(time.perf_counter() - begin)
            time.sleep(0.002)
    sender.join()
    for upload, _ in uploads:
        us.abort(upload)
    p99, grown = percentile(took, 0.99) * 1000, (memory("VmHWM") - rest) / 4
    return [
        Row(f"small GET while four uploads run, p99 of {len(took)}", f"{p99:.0f} ms", "≤ 50 ms", p99 <= 50),
        Row("  memory of the web process, for each upload", f"+{grown:.1f} MiB", "≤ +2 MiB", grown <= 2),
    ]


def _small(us: Us, web: Rival, platform: Platform, data: Path, count: int, rounds: int) -> list[Row]:
    ours: list[Round] = []
    theirs: list[Round] = []
    with ExitStack() as stack:
        others, absent = _others(stack, platform, rivals.tus)
        for round_ in range(rounds + WARM):
            ours.append(measured(web, _batches, us, data, count, round_))
            for rival in others:
                lanes = [_tus(count // LANES, SMALL) for _ in range(LANES)]
                theirs.append(measured(rival, send, rival.port, data, lanes))
    ours, theirs = ours[WARM:], theirs[WARM:]
    sent = {"ours": (ours, count), "@tus/server": (theirs, count // LANES * LANES)}
    rates = {name: number / median(r.seconds for r in took) for name, (took, number) in sent.items() if took}
    cpu = {name: median(r.cpu_s for r in took) / number * 1000 for name, (took, number) in sent.items() if took}
    what = f"{count:,} × 10 KiB"
    rows = [
        Row(f"{what} to {name}, {rounds} rounds", f"{rates[name]:,.0f} files/s, {cpu[name]:.2f} CPU-ms", "", True)
        for name in rates
    ]
    if theirs:
        ratio = rates["ours"] / rates["@tus/server"]
        rows.append(Row("  ours against @tus/server, POST and PATCH", f"{ratio:.2f} ×", "≥ 2 ×", ratio >= 2))
    return [*rows, *absent]


def _batches(us: Us, data: Path, count: int, round_: int) -> float:
    """Begun, sent, completed, in the database; as many at a time and so many groups at once as our own client takes.

    Every file has bytes of its own, whose checksums are made before the clock starts.
    """
    size = min(BATCH, count)
    groups: list[tuple[Sender, Sequence[int], Sequence[str]]] = []
    for first in range(round_ * count, (round_ + 1) * count, size):
        offsets = [number * SMALL for number in range(first, first + size)]
        groups.append((Sender(), offsets, _small_crcs(data, offsets)))
    begin = time.perf_counter()
    with ThreadPoolExecutor(GROUPS) as pool:
        list(pool.map(lambda group: _batch(us, data, *group), groups))
    return time.perf_counter() - begin


def _batch(us: Us, data: Path, sender: Sender, offsets: Sequence[int], crcs: Sequence[str]) -> None:
    wanted = [{"name": f"{n}.bin", "size": SMALL, "crc64nvme": crc} for n, crc in enumerate(crcs)]
    made = [result["upload"] for result in us.call("/uploads:batch", {"uploads": wanted})["results"]]
    lines = [f"{SMALL} {upload['put']['url']}\n" for upload in made]
    pieces = list(zip(lines, offsets, itertools.repeat(SMALL)))
    sender.send(us.port, data, [[_bundle(some)] for some in itertools.batched(pieces, BUNDLED, strict=False)])
    done = us.call("/uploads:complete", {"ids": [upload["id"] for upload in made]})["results"]
    if not all(result["upload"]["state"] == "complete" for result in done):
        raise RuntimeError("not every file was completed")


def _small_crcs(data: Path, offsets: Sequence[int]) -> list[str]:
    with data.open("rb") as file:
        return [crc64.to_text(crc64.update(os.pread(file.fileno(), SMALL, offset))) for offset in offsets]


def _control(us: Us, web: Rival, platform: Platform) -> list[Row]:
    size = 5 << 20
    crc = crc64.to_text(crc64.update(bytes(size)))
    upload = us.call("/uploads", {"name": "sparse.bin", "size": size * 10_000, "part_size_hint": size})["id"]
    wanted = {"parts": [{"number": number, "crc64nvme": crc} for number in range(1, 101)]}
    took = []
    for _ in range(20):
        begin = time.perf_counter()
        us.call(f"/uploads/{upload}/parts", wanted)
        took.append((time.perf_counter() - begin) * 1000)
    # Ten thousand parts of zeros: a hole in a file, and the rows that say they came.
    part = platform.home / "storage" / "uploads" / "incoming" / f"{upload}.part"
    with part.open("wb") as file:
        file.truncate(size * 10_000)
    platform.sql(
        "INSERT INTO orchestration_uploadpart (upload_id, number, size, crc64nvme)"
        " SELECT %s, n, %s, %s FROM generate_series(1, 10000) n RETURNING number",
        upload, size, crc,
    )  # fmt: skip
    before = web.cpu_s()
    us.call(f"/uploads/{upload}/complete")
    cpu = (web.cpu_s() - before) * 1000
    signing = median(took)
    return [
        Row("100 parts signed, median of 20", f"{signing:.1f} ms", "≤ 10 ms", signing <= 10),
        Row("10,000 parts completed", f"{cpu:.0f} CPU-ms", "≤ 200 CPU-ms", cpu <= 200),
    ]
