"""The upload resource as a client asks for it, where its parts come to this server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration import crc64
from orchestration.models import File
from orchestration.services.files import open_content
from orchestration.services.uploads.limits import MIB

if TYPE_CHECKING:
    from tests.api.door import Door, Visitor

SIZE = 11 * MIB
DATA = bytes(range(256)) * (SIZE // 256)
HINT = 5 * MIB


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


def begin(who: Visitor, data: bytes = DATA, status: int = 201, **fields: Any) -> Any:
    asked = {"name": "a.bin", "size": len(data), "workspace": "lab", "part_size_hint": HINT} | fields
    return who.json("POST", "/uploads", status, json=asked)


def pieces(upload: Any, data: bytes = DATA) -> dict[int, bytes]:
    size = upload["part_size"]
    return {n: data[(n - 1) * size : n * size] for n in range(1, (upload["part_count"] or 1) + 1)}


def sign(who: Visitor, upload: Any, number: int, data: bytes, **more: Any) -> Any:
    body = {"parts": [{"number": number, "crc64nvme": crc(data)} | more]}
    return who.json("POST", f"/uploads/{upload['id']}/parts", json=body)["parts"][0]


def put(door: Door, signed: Any, data: bytes, **headers: str) -> Any:
    return door.send("PUT", signed["url"], content=data, headers=signed["headers"] | headers)


def send(who: Visitor, upload: Any, data: bytes = DATA, numbers: tuple[int, ...] = ()) -> None:
    parts = pieces(upload, data)
    for number in numbers or parts:
        answer = put(who.door, sign(who, upload, number, parts[number]), parts[number])
        assert answer.status_code == 200, answer.text


def complete(who: Visitor, upload: Any, status: int = 200, **body: Any) -> Any:
    return who.json("POST", f"/uploads/{upload['id']}/complete", status, json=body)


def content(file_id: str) -> bytes:
    with open_content(File.objects.get(pk=file_id)) as source:
        return source.read()
