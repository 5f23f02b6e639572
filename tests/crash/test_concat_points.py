"""kill -9 of the web process at every point between durable acts of joining partial uploads; then the client goes on.

Afterwards there is one file with the bytes that were sent, nothing counts twice, and what is left over is what the
sweep of unknown files takes away.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from django.db.models import F

from orchestration import crc64
from orchestration.execution import abandoned, finishing
from orchestration.models import File, Upload
from orchestration.models.usage import reserved_bytes
from orchestration.states import UploadState
from orchestration.storage.local import LocalStorage
from orchestration.storage.local_parts import LocalParts
from tests.api.door import token_of
from tests.asgi.server import Server, serving
from tests.crash.campaign import Sender, at_each
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PIECES = (b"first " * 100_000, b"second " * 100_000)
DATA = b"".join(PIECES)
POINTS = 14
"""Two partial uploads, each kept by two acts; then what joins them. The last test says when there are more."""
SHORT = (5, 13)
DECIDED = 6
"""A test of its own is killed there."""


class Joiner(Sender):
    def __init__(self, server: Server, token: str) -> None:
        super().__init__(server, token, **{"Tus-Resumable": "1.0.0"})

    def _ask(self, method: str, url: str, content: bytes = b"", **headers: str) -> httpx.Response:
        answer = self._http.request(
            method, url, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        assert answer.is_success, answer.text
        return answer

    def begin(self) -> list[str]:
        return [
            self._ask("POST", "/api/v1/tus", upload_length=str(len(piece)), upload_concat="partial").headers["location"]
            for piece in PIECES
        ]

    def finish(self, urls: list[str]) -> None:
        """From whatever is there, as tus-js-client does."""
        for url, piece in zip(urls, PIECES, strict=True):
            offset = self._ask("HEAD", url).headers["upload-offset"]
            if int(offset) < len(piece):
                kind = "application/offset+octet-stream"
                self._ask("PATCH", url, piece[int(offset) :], upload_offset=offset, content_type=kind)
        self._ask("POST", "/api/v1/tus", upload_concat=f"final;{' '.join(urls)}")


def test_joining_goes_on_after_a_kill_at_any_point(tmp_path: Path, campaign: str) -> None:
    at_each(range(1, POINTS + 1) if campaign == "full" else SHORT, tmp_path, _kill_and_go_on)


def _kill_and_go_on(point: int, folder: Path, token: str) -> None:
    home, points = folder / "home", folder / "points"
    points.with_name("points.at").write_text(str(point))
    env = {"ESTEIRA_HOME": str(home), "ESTEIRA_POINTS_FILE": str(points)}
    with serving(**env) as server:
        with Joiner(server, token) as sender:
            urls = sender.begin()
            with pytest.raises(httpx.TransportError):
                sender.finish(urls)
        assert server.process.wait(timeout=10) == -signal.SIGKILL
    with serving(**env) as server, Joiner(server, token) as sender:
        sender.finish(urls)
    file = File.objects.get()
    assert (file.size, file.crc64nvme) == (len(DATA), crc64.to_text(crc64.update(DATA)))
    assert reserved_bytes(file.workspace) == 0
    final, partial = Upload.objects.get(concat__startswith="final;"), Upload.objects.filter(concat="partial")
    assert final.state == UploadState.COMPLETE
    assert set(partial.values_list("pk", "joined_to")) == {(UUID(url.rpartition("/")[2]), final.pk) for url in urls}
    _sweep(home)
    (only,) = [path for path in (home / "storage" / "uploads").rglob("*") if path.is_file()]
    assert only.read_bytes() == DATA


def _sweep(home: Path) -> None:
    """As a day later."""
    storage = LocalStorage(home / "storage" / "uploads")
    abandoned._drop_unknown(storage, tuple(storage.incoming_older_than(timedelta(seconds=-1))))


def test_sweep_finishes_what_nobody_asks_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right after it was decided: the file comes from the sweep."""
    user = make_user()
    join(user, make_workspace())
    points, home = tmp_path / "points", tmp_path / "home"
    points.with_name("points.at").write_text(str(DECIDED))
    env = {"ESTEIRA_HOME": str(home), "ESTEIRA_POINTS_FILE": str(points)}
    with serving(**env) as server, Joiner(server, token_of(user)) as sender:
        with pytest.raises(httpx.TransportError):
            sender.finish(sender.begin())
        assert server.process.wait(timeout=10) == -signal.SIGKILL
    assert points.read_text().split()[-1] == "concat.decided"
    storage = LocalStorage(home / "storage" / "uploads")
    monkeypatch.setattr(finishing, "get_place", lambda _: LocalParts(storage))
    monkeypatch.setattr(finishing, "get_storage", lambda _: storage)
    Upload.objects.update(touched_at=F("touched_at") - abandoned.SILENT * 2)
    abandoned.finish_silent()
    assert File.objects.get().crc64nvme == crc64.to_text(crc64.update(DATA))
    _sweep(home)
    (only,) = [path for path in (home / "storage" / "uploads").rglob("*") if path.is_file()]
    assert only.read_bytes() == DATA


def test_all_points_are_known(tmp_path: Path) -> None:
    user = make_user()
    join(user, make_workspace())
    points = tmp_path / "points"
    with serving(ESTEIRA_POINTS_FILE=str(points)) as server, Joiner(server, token_of(user)) as sender:
        sender.finish(sender.begin())
    assert len(points.read_text().splitlines()) == POINTS, points.read_text()
