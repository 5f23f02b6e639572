"""kill -9 of the web process at every point between durable acts of an upload in parts; then the client goes on.

Afterwards there is one file with the bytes that were sent, and nothing else: neither rows nor bytes.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from orchestration import crc64
from orchestration.models import File, Upload, UploadPart
from orchestration.states import UploadState
from tests.api.door import token_of
from tests.asgi.server import serving
from tests.crash.campaign import Sender, at_each
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PART = 5 << 20
DATA = bytes(range(256)) * (2 * PART // 256) + b"the end"
POINTS = 11
"""Three parts, then what completes them. The last test says when there are more."""
SHORT = (2, 9)


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


class Client(Sender):
    """It goes on from what the platform says it has."""

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, f"/api/v1{path}", **options)
        assert answer.is_success, answer.text
        return answer.json()

    def send(self) -> Any:
        body = {"name": "a.bin", "size": len(DATA), "fingerprint": "f", "resume": True, "part_size_hint": PART}
        upload = self._ask("POST", "/uploads", json=body)
        return self.finish(upload)

    def finish(self, upload: Any) -> Any:
        where = f"/uploads/{upload['id']}"
        there = {n for part in filter(None, upload["received"].split(",")) for n in span(part)}
        for number in sorted({1, 2, 3} - there) if upload["state"] == "open" else ():
            data = DATA[(number - 1) * PART : number * PART]
            wanted = {"number": number, "crc64nvme": crc(data)}
            signed = self._ask("POST", f"{where}/parts", json={"parts": [wanted]})["parts"][0]
            answer = self._http.put(signed["url"], content=data, headers=signed["headers"])
            assert answer.is_success, answer.text
        return self._ask("POST", f"{where}/complete", json={"crc64nvme": crc(DATA)})

    def show(self, upload_id: Any) -> Any:
        return self._ask("GET", f"/uploads/{upload_id}")


def span(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def stored(home: Path) -> list[Path]:
    return [path for path in (home / "storage" / "uploads").rglob("*") if path.is_file()]


def test_upload_goes_on_after_a_kill_at_any_point(tmp_path: Path, campaign: str) -> None:
    at_each(range(1, POINTS + 1) if campaign == "full" else SHORT, tmp_path, _kill_and_go_on)


def _kill_and_go_on(point: int, folder: Path, token: str) -> None:
    home, points = folder / "home", folder / "points"
    points.with_name("points.at").write_text(str(point))
    with serving(ESTEIRA_HOME=str(home), ESTEIRA_POINTS_FILE=str(points)) as server:
        with Client(server, token) as sender, pytest.raises(httpx.TransportError):
            sender.send()
        assert server.process.wait(timeout=10) == -signal.SIGKILL
    again = serving(ESTEIRA_HOME=str(home), ESTEIRA_POINTS_FILE=str(points))
    with again as server, Client(server, token) as sender:
        upload = sender.show(Upload.objects.get().pk)
        done = upload if upload["state"] == "complete" else sender.finish(upload)
    assert done["state"] == "complete"
    file = File.objects.get()
    assert (file.size, file.crc64nvme) == (len(DATA), crc(DATA))
    assert Upload.objects.get().state == UploadState.COMPLETE
    assert not UploadPart.objects.exists()
    (only,) = stored(home)
    assert only.read_bytes() == DATA


def test_all_points_are_known(tmp_path: Path) -> None:
    user = make_user()
    join(user, make_workspace())
    points = tmp_path / "points"
    with serving(ESTEIRA_POINTS_FILE=str(points)) as server, Client(server, token_of(user)) as sender:
        sender.send()
    assert len(points.read_text().splitlines()) == POINTS, points.read_text()
