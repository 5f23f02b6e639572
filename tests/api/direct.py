"""Plays a client that sends to the bucket itself, the worker that joins, and the meter at the application's door."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from orchestration.execution.examine import examine_due
from orchestration.execution.finishing import finish_later
from orchestration.models import File, Upload
from orchestration.services.files import open_content
from orchestration.states import UploadState
from tests.api import uploading
from tests.api.uploading import crc, sign
from tests.s3_double.signed import PLAIN

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.api.door import Visitor

__all__ = ["crc", "sign"]  # for who imports the rest

PART: Final = 1_000
DATA: Final = random.Random(12).randbytes(2_500)
TRIES: Final = 6
LATER: Final = frozenset({429, 500, 502, 503, 504})


def begin(who: Visitor, data: bytes = DATA, status: int = 201, **fields: Any) -> Any:
    return uploading.begin(who, data, status, **{"part_size_hint": PART} | fields)


def pieces(upload: Any, data: bytes = DATA) -> dict[int, bytes]:
    return uploading.pieces(upload, data)


def put(signed: Any, data: bytes, **headers: str) -> httpx.Response:
    """To the bucket, with exactly the headers that came; a client of its own, which knows nothing of the API."""
    return httpx.put(signed["url"], content=data, headers=signed["headers"] | headers, verify=PLAIN, trust_env=False)


def send(who: Visitor, upload: Any, data: bytes = DATA, numbers: tuple[int, ...] = ()) -> None:
    parts = pieces(upload, data)
    for number in numbers or parts:
        answer = put(sign(who, upload, number, parts[number]), parts[number])
        assert answer.status_code == 200, answer.text


def complete(who: Visitor, upload: Any, status: int = 200, **body: Any) -> Any:
    """As a client does it: it asks until the worker has joined the parts."""
    address = f"/uploads/{upload['id']}/complete"
    answer = who("POST", address, json=body)
    if answer.status_code == 202:
        assert (answer.json()["state"], answer.json()["file"]) == ("completing", None)
        assert answer.headers["retry-after"]
        work()
        answer = who("POST", address, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def work() -> None:
    """What a worker does with the messages of the API."""
    for upload_id in Upload.objects.filter(state=UploadState.COMPLETING).values_list("pk", flat=True):
        finish_later(upload_id)
    examine_due()


def content(file: Any) -> bytes:
    with open_content(File.objects.get(pk=file["id"])) as source:
        return source.read()


def fetch(who: Visitor, file: Any) -> httpx.Response:
    """As a browser follows."""
    answer = who("GET", f"/files/{file['id']}/content")
    assert answer.status_code == 307, answer.text
    return httpx.get(answer.headers["location"], trust_env=False)


@dataclass
class Patient:
    """Follows note 0003: what a client does with an answer that says `later`. Counts its own calls to the bucket."""

    who: Visitor
    calls: int = 0

    def json(self, method: str, path: str, **options: Any) -> Any:
        for _ in range(TRIES):
            answer = self.who(method, path, **options)
            if answer.status_code not in LATER:
                assert answer.status_code < 400, answer.text
                return answer.json()
        raise AssertionError(f"{path} did not come through: {answer.text}")

    def put(self, signed: Any, data: bytes) -> None:
        for _ in range(TRIES):
            self.calls += 1
            try:
                status = put(signed, data).status_code
            except httpx.TransportError:
                continue
            if status in {200, 412}:
                return
            assert status in LATER, status
        raise AssertionError("the bucket never took it")

    def upload(self, data: bytes, **fields: Any) -> Any:
        asked = {"name": "a.bin", "size": len(data), "part_size_hint": PART} | fields
        upload = self.json("POST", "/uploads", json=asked)
        for number, piece in pieces(upload, data).items():
            body = {"parts": [{"number": number, "crc64nvme": crc(piece)}]}
            self.put(self.json("POST", f"/uploads/{upload['id']}/parts", json=body)["parts"][0], piece)
        address = f"/uploads/{upload['id']}/complete"
        for _ in range(TRIES):
            done = self.json("POST", address, json={})
            if done["state"] == "complete":
                return done["file"]
            work()
        raise AssertionError(f"the upload stays {done['state']}")


@dataclass
class Meter:
    """Around the application: every byte of every body, in and out."""

    app: ASGIApp
    bytes_in: int = 0
    bytes_out: int = 0
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted_receive() -> Message:
            message = await receive()
            self.bytes_in += self._seen(message)
            return message

        async def counted_send(message: Message) -> None:
            self.bytes_out += self._seen(message)
            await send(message)

        await self.app(scope, counted_receive, counted_send)

    def _seen(self, message: Message) -> int:
        body: bytes = message.get("body", b"")
        self.bodies.append(body)
        return len(body)

    def saw(self, data: bytes) -> bool:
        """Any 16 bytes of it, at any place."""
        blocks = {data[start : start + 16] for start in range(0, len(data) - 16, 16)}
        everything = b"".join(self.bodies)
        return any(everything[at : at + 16] in blocks for at in range(len(everything)))
