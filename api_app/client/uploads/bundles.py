"""Small files that share a request, which costs more than they do. One try: what does not arrive so goes alone."""

import threading
from collections.abc import Iterator, Sequence
from typing import Final

import httpx

from api_app.client.errors import EsteiraError, StoppedError
from api_app.client.problems import json_body
from api_app.client.uploads.calls import Calls
from api_app.client.uploads.parts import Part

MOST_FILES: Final = 250
MOST_BYTES: Final = 4 << 20
"""Lost, when a connection breaks; less than that, and each file pays for more of a request."""
MOST_OF_ONE: Final = 256 << 10
PATH: Final = "/api/v1/uploads:put"


def bundles(parts: Sequence[Part], most: int) -> Iterator[list[Part]]:
    """Those of `parts` that gain by it, in groups of at least two. `most`: bytes of a body; 0: not offered."""
    group: list[Part] = []
    size = 0
    for part in parts:
        if part.signed is None or part.length > MOST_OF_ONE:
            continue
        length = len(_line(part)) + part.length
        if len(group) == MOST_FILES or size + length > min(most, MOST_BYTES):
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(part)
        size += length
    if len(group) > 1 and size <= most:
        yield group


def send_bundle(calls: Calls, parts: Sequence[Part]) -> set[str]:
    """The uploads whose bytes arrived. What is wrong with the others is found when they go alone."""
    body = _Body(calls.stopped, parts)
    headers = {"content-length": str(body.length), "content-type": "application/octet-stream"}
    try:
        response = calls.lines.send("POST", PATH, headers, body)
        results = json_body(response, calls.transport.login)["results"] if response.is_success else []
    except (httpx.TransportError, EsteiraError):
        results = []
    arrived = {part.upload_id for part, one in zip(parts, results, strict=False) if one["problem"] is None}
    body.take_back(arrived)
    return arrived


def _line(part: Part) -> bytes:
    return f"{part.length} {part.signed['url'] if part.signed else ''}\n".encode()


class _Body:
    """For each file the line that says how long it is and by what right it comes, and its bytes."""

    def __init__(self, stopped: threading.Event, parts: Sequence[Part]) -> None:
        self._stopped, self._parts = stopped, parts
        self._sent: list[Part] = []
        self.length = sum(len(_line(part)) + part.length for part in parts)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if self._stopped.is_set():
                raise StoppedError
            yield b"".join([_line(part), *part.content.blocks(part.offset, part.length)])
            self._sent.append(part)
            part.meter.add("sending", part.length)

    def take_back(self, arrived: set[str]) -> None:
        for part in self._sent:
            if part.upload_id not in arrived:
                part.meter.add("sending", -part.length)
