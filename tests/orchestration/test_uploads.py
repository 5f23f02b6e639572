from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings

from orchestration.errors import DigestMismatch, Forbidden, Invalid, NotFound, StorageFull, TooLarge, UploadRefused
from orchestration.models import File, Upload, User, Workspace
from orchestration.services.files import delete_file, open_content
from orchestration.services.receiving import Announced, receive
from orchestration.services.uploads.names import clean_name, clean_path
from tests.factories import join, make_file, make_job, make_user

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

DATA = b"name,age\nana,41\n" * 1_000


def everything_stored() -> set[Path]:
    top = Path(django_settings.STORAGES["uploads"]["OPTIONS"]["location"])
    return {path for path in top.rglob("*") if path.is_file()}


def upload(user: User, data: bytes = DATA, **fields: Any) -> File:
    receiving = receive(user=user, announced=Announced("people.csv", **fields))
    try:
        for start in range(0, len(data), 700):
            receiving.write(data[start : start + 700])
        file: File = receiving.commit().file
        return file
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
        receive(user=owner, announced=Announced("a", size=1_001))
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


@pytest.mark.parametrize("path", ["../x", "a/../b", "a//b", "./a", ".."])
def test_folder_that_leads_elsewhere_is_refused_as_a_folder(path: str) -> None:
    with pytest.raises(Invalid, match="A folder is written like photos/2026"):
        clean_path(path)


@pytest.mark.parametrize("name", ["-rf", ".htaccess", "CON", "Größe & Ähnliches.csv", "表.csv", "a" * 255])
def test_odd_but_honest_name_is_kept(owner: User, name: str) -> None:
    assert clean_name(name) == name


def test_viewer_may_not_upload_and_a_stranger_finds_no_workspace(stranger: User, lab: Workspace) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    with pytest.raises(Forbidden):
        receive(user=viewer, announced=Announced("a.csv"))
    with pytest.raises(NotFound):
        receive(user=stranger, announced=Announced("a.csv"), workspace="lab")


def test_input_of_an_unfinished_job_cannot_be_deleted(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    make_job(owner, lab, inputs=[file])
    with pytest.raises(Exception, match="has not finished"):
        delete_file(user=owner, file=file)
    assert File.objects.get(pk=file.pk).deleted_at is None
