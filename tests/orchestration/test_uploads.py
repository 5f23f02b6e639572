from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings

from orchestration.errors import DigestMismatch, Forbidden, Invalid, NotFound, StorageFull, TooLarge, UploadRefused
from orchestration.execution.sweep import sweep_storage
from orchestration.models import File, Upload, User, Workspace
from orchestration.services.files import delete_file, open_content
from orchestration.services.uploads import clean_name, receive
from orchestration.storage.registry import get_storage
from tests.factories import join, make_file, make_job, make_user

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

DATA = b"name,age\nana,41\n" * 1_000


def everything_stored() -> set[Path]:
    top = Path(django_settings.STORAGES["uploads"]["OPTIONS"]["location"])
    return {path for path in top.rglob("*") if path.is_file()}


def upload(user: User, data: bytes = DATA, **fields: Any) -> File:
    receiving = receive(user=user, name="people.csv", **fields)
    try:
        for start in range(0, len(data), 700):
            receiving.write(data[start : start + 700])
        return receiving.commit()
    finally:
        receiving.discard()


def test_bytes_arrive_whole_and_known_by_digest_and_type(owner: User, lab: Workspace) -> None:
    file = upload(owner, size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
    assert (file.size, file.media_type, file.workspace) == (len(DATA), "text/csv", lab)
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()
    with open_content(file) as content:
        assert content.read() == DATA
    assert Upload.objects.get().state == "complete"


def test_empty_file_is_a_file(owner: User) -> None:
    assert upload(owner, b"", size=0).size == 0


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"size": len(DATA) + 1}, UploadRefused),
        ({"size": len(DATA) - 1}, UploadRefused),
        ({"sha256": "0" * 64}, DigestMismatch),
    ],
)
def test_other_bytes_than_announced_leave_no_trace(owner: User, fields: dict[str, Any], error: type[Exception]) -> None:
    before = everything_stored()
    with pytest.raises(error):
        upload(owner, **fields)
    assert not File.objects.exists()
    assert not Upload.objects.exists()
    assert everything_stored() == before


def test_more_than_the_server_takes_is_refused_at_once_and_while_it_comes(owner: User, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000
    with pytest.raises(TooLarge, match="1000"):
        receive(user=owner, name="a", size=1_001)
    with pytest.raises(TooLarge):
        upload(owner)


def test_full_disk_is_said_and_leaves_no_part_behind(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything_stored()

    def full(_fd: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFull, match="no room"):
        upload(owner)
    assert everything_stored() == before


def test_order_is_write_fsync_link_fsync_of_the_folder_then_row(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    acts: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(fd: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file"  # noqa: PTH112
        acts.append(f"fsync {kind}, rows {File.objects.count()}")
        real_fsync(fd)

    def link(source: Path, target: Path) -> None:
        acts.append("link")
        real_link(source, target)

    upload(owner)  # makes the folders
    File.objects.all().delete()
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    upload(owner)
    at = acts.index("link")
    assert acts[at - 1] == "fsync file, rows 0"
    assert acts[at + 1] == "fsync folder, rows 0"
    assert File.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/b", "a\\b", "a\nb", "a\x00b", "\u202egpj.exe", "x" * 1_025])
def test_name_that_could_fool_somebody_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        clean_name(name)


@pytest.mark.parametrize("name", ["-rf", ".htaccess", "CON", "Größe & Ähnliches.csv", "表.csv", "a" * 255])
def test_odd_but_honest_name_is_kept(owner: User, name: str) -> None:
    assert clean_name(name) == name


def test_viewer_may_not_upload_and_a_stranger_finds_no_workspace(stranger: User, lab: Workspace) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    with pytest.raises(Forbidden):
        receive(user=viewer, name="a.csv")
    with pytest.raises(NotFound):
        receive(user=stranger, name="a.csv", workspace="lab")


def test_sweep_removes_old_orphans_and_deleted_files_and_nothing_else(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = make_file(lab, owner, "kept.csv"), make_file(lab, owner, "gone.csv")
    delete_file(user=owner, file=gone)
    orphan = receive(user=owner, name="orphan.csv")
    orphan.write(b"x")
    cut_off = get_storage("results").receive(f"{lab.pk}/{kept.pk}/1-0")
    cut_off.write(b"x")
    cut_off.commit()
    top = Path(django_settings.STORAGES["results"]["OPTIONS"]["location"])
    left = top / str(lab.pk) / str(kept.pk) / "1-0"
    left.rename(left.with_name("1-0.part-4242"))
    # As a step may leave it: the time of the bytes is not the time when they came to lie here.
    os.utime(left.with_name("1-0.part-4242"), (0, 0))
    paths = {f.pk: next(p for p in everything_stored() if p.name == str(f.pk)) for f in (kept, gone)}
    before = everything_stored()

    sweep_storage()
    assert everything_stored() == before, "nothing is old yet"
    assert left.with_name("1-0.part-4242").exists()

    two_days_on = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: two_days_on)
    assert sweep_storage() >= 3
    assert paths[kept.pk].exists()
    assert not paths[gone.pk].exists()
    assert not [p for p in everything_stored() if p.suffix == ".part"]
    assert not left.with_name("1-0.part-4242").exists()
    orphan.discard()


def test_input_of_an_unfinished_job_cannot_be_deleted(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    make_job(owner, lab, inputs=[file])
    with pytest.raises(Exception, match="has not finished"):
        delete_file(user=owner, file=file)
    assert File.objects.get(pk=file.pk).deleted_at is None
