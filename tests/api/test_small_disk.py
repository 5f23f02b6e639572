"""A disk that is really full, or has no inode left: 507, nothing half there, and all is well with room again (F15)."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
from django.conf import settings as of_the_tests

from orchestration.models import File, Upload
from orchestration.models.usage import reserved_bytes, stored_bytes
from orchestration.storage.registry import get_storage
from tests.api.test_uploads import DATA
from tests.api.uploading import begin, complete, content, pieces, put, send, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.models import Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db
MIB: Final = 1 << 20
MOST: Final = 8 * MIB
INODES: Final = 40


@pytest.fixture
def disk(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """Uploads lie on a file system of their own: 8 MiB and 40 inodes."""
    place = tmp_path / "disk"
    place.mkdir()
    options = f"size={MOST},nr_inodes={INODES}"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("only root may mount a small file system here")
    settings.STORAGES = of_the_tests.STORAGES | {
        "uploads": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": place}}
    }
    get_storage.cache_clear()
    try:
        yield place
    finally:
        get_storage.cache_clear()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def files_on(disk: Path) -> set[Path]:
    return {path for path in disk.rglob("*") if path.is_file()}


def fill_bytes(disk: Path) -> Callable[[], None]:
    ballast = disk / "ballast"
    fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        os.posix_fallocate(fd, 0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize)
    finally:
        os.close(fd)
    return ballast.unlink


def fill_inodes(disk: Path) -> Callable[[], None]:
    made: list[Path] = []

    def release() -> None:
        for path in made:
            path.unlink()

    while os.statvfs(disk).f_favail:
        path = disk / f"ballast{len(made)}"
        path.touch()
        made.append(path)
    return release


by_either = pytest.mark.parametrize("fill", [fill_bytes, fill_inodes])


@by_either
def test_file_in_one_request_has_no_room(
    ana: Visitor, disk: Path, lab: Workspace, fill: Callable[[Path], Callable[[], None]]
) -> None:
    release = fill(disk)
    before = files_on(disk)
    answer = ana("POST", "/uploads?name=a.csv", content=DATA)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert files_on(disk) == before
    assert not File.objects.exists()
    assert stored_bytes(lab) + reserved_bytes(lab) == 0, "nobody is charged for it"
    release()
    assert ana("POST", "/uploads?name=a.csv", content=DATA).status_code == 201


@by_either
def test_upload_in_parts_goes_on_when_there_is_room_again(
    ana: Visitor, disk: Path, fill: Callable[[Path], Callable[[], None]]
) -> None:
    data = bytes(range(256)) * (6 * MIB // 256)
    first = begin(ana, data)
    part = pieces(first, data)[2]
    assert put(ana.door, sign(ana, first, 2, part), part).status_code == 200
    release = fill(disk)
    other = pieces(first, data)[1]
    blocked = put(ana.door, sign(ana, first, 1, other), other)
    has_room = blocked.status_code == 200  # a part needs no inode: its file is there already
    assert has_room == (fill is fill_inodes)
    if not has_room:
        assert (blocked.status_code, blocked.json()["code"]) == (507, "storage_full")
    assert complete(ana, first, 507 if has_room else 409)["code"] in {"storage_full", "parts_missing"}
    assert not File.objects.exists()
    release()
    if not has_room:
        send(ana, first, data, numbers=(1,))
    assert content(complete(ana, first)["file"]["id"]) == data
    assert len(files_on(disk)) == 1


@by_either
def test_full_disk_hurts_nothing_else(ana: Visitor, disk: Path, fill: Callable[[Path], Callable[[], None]]) -> None:
    there = ana("POST", "/uploads?name=a.csv", content=DATA).json()["file"]["id"]
    fill(disk)
    assert ana("GET", f"/files/{there}/content").content == DATA
    assert ana("GET", "/jobs").status_code == 200
    assert ana("DELETE", f"/files/{there}").status_code == 204
    assert not Upload.objects.open().exists()
