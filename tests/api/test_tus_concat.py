"""tus: concatenation. Several uploads become one file, once, whoever asks how often."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db.models import F

from orchestration import crc64
from orchestration.errors import QuotaExceeded, StorageFull
from orchestration.execution import abandoned
from orchestration.models import File, Upload, Workspace
from orchestration.models.usage import usage_of
from orchestration.states import UploadState
from orchestration.storage.local_parts import WHOLE, LocalParts
from orchestration.storage.registry import get_place
from tests.api.tus import OFFSETS, TUS, content, create, encoded, head, patch
from tests.factories import join as add_member

if TYPE_CHECKING:
    import httpx

    from orchestration.models import User
    from tests.api.door import Visitor
    from tests.conftest import People

pytestmark = pytest.mark.django_db
PARTIAL = {"Upload-Concat": "partial"}
HELLO = (b"he", b"", b"llo")


def partial(who: Visitor, data: bytes, *, size: int | None = None, **headers: str) -> str:
    made = create(who, len(data) if size is None else size, data, **PARTIAL, **OFFSETS, **headers)
    assert made.status_code == 201, made.text
    assert made.headers["upload-concat"] == "partial"
    return str(made.headers["location"])


def join(who: Visitor, *urls: str, **headers: str) -> httpx.Response:
    names = {"Upload-Metadata": f"filename {encoded('a.txt')},workspace {encoded('lab')}"}
    return who("POST", "/tus", headers=TUS | names | {"Upload-Concat": f"final;{' '.join(urls)}"} | headers)


class Incoming:
    """The files of uploads under way that a test has made."""

    def __init__(self) -> None:
        self._folder = Path(settings.ESTEIRA_HOME) / "storage" / "uploads" / "incoming"
        self._before = self._now()

    def _now(self) -> set[str]:
        return {path.name for path in self._folder.glob("*.part")}

    @property
    def names(self) -> set[str]:
        return self._now() - self._before


@pytest.fixture
def incoming() -> Incoming:
    return Incoming()


def of(*urls: str) -> set[str]:
    return {f"{url.rpartition('/')[2]}.part" for url in urls}


def test_partial_uploads_become_one_file_in_the_order_asked(ana: Visitor, incoming: Incoming) -> None:
    later, first = partial(ana, b"llo"), partial(ana, b"he")
    assert not File.objects.exists(), "a partial upload is no file"
    made = join(ana, first, f"http://localhost{later}")
    assert made.status_code == 201
    file = File.objects.get()
    assert (content(), file.name, file.size) == (b"hello", "a.txt", 5)
    assert file.crc64nvme == crc64.to_text(crc64.update(b"hello"))
    assert not incoming.names


def test_head_says_what_is_partial_and_what_is_final(ana: Visitor) -> None:
    urls = [partial(ana, data) for data in HELLO]
    made = join(ana, *urls)
    final = head(ana, made.headers["location"])
    assert (final.headers["upload-offset"], final.headers["upload-length"]) == ("5", "5")
    assert final.headers["upload-concat"] == f"final;{' '.join(urls)}"
    for url, data in zip(urls, HELLO, strict=True):
        used = head(ana, url)
        assert (used.status_code, used.headers["upload-offset"]) == (200, str(len(data)))
        assert used.headers["upload-concat"] == "partial"


def test_final_upload_asked_for_again_is_the_same(ana: Visitor) -> None:
    urls = [partial(ana, data) for data in HELLO]
    first = join(ana, *urls)
    again = join(ana, *urls)
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert File.objects.count() == 1


def test_partial_upload_goes_into_one_file_only(ana: Visitor) -> None:
    used, fresh = partial(ana, b"he"), partial(ana, b"llo")
    join(ana, used)
    assert join(ana, used, fresh).status_code == 409
    assert join(ana, fresh).status_code == 201, "what was not joined is as it was"


def test_unfinished_partial_upload_is_not_joined(ana: Visitor) -> None:
    short, whole = partial(ana, b"h", size=2), partial(ana, b"llo")
    refused = join(ana, short, whole)
    assert (refused.status_code, refused.json()["code"]) == (409, "parts_missing")
    assert short.rpartition("/")[2] in refused.json()["missing"]
    assert patch(ana, short, 1, b"e").status_code == 204
    assert join(ana, short, whole).status_code == 201
    assert content() == b"hello"


def test_final_upload_takes_no_bytes(ana: Visitor) -> None:
    final = join(ana, partial(ana, b"hello")).headers["location"]
    assert patch(ana, final, 5, b"x").status_code == 403
    assert content() == b"hello"


def test_other_peoples_partial_uploads_do_not_exist(ana: Visitor, teammate: User) -> None:
    theirs = partial(ana.door.as_(teammate), b"he")
    mine = partial(ana, b"llo")
    assert join(ana, mine, theirs).status_code == 404
    assert join(ana, mine, "/api/v1/tus/019ac000-0000-7000-8000-000000000000").status_code == 404
    assert not File.objects.exists()


@pytest.mark.parametrize("url", ["http://[", "/api/v1/files/x", "../../etc/passwd", "019ac000"])
def test_address_that_is_no_upload_is_not_found(ana: Visitor, url: str) -> None:
    assert join(ana, url).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"Upload-Concat": "final;"}, {"Upload-Concat": "whole"}, {"Upload-Length": "2"}],
    ids=["of nothing", "no such word", "with a length"],
)
def test_bad_final_upload_is_refused(ana: Visitor, headers: dict[str, str]) -> None:
    url = partial(ana, b"he")
    assert join(ana, url, **headers).status_code == 422
    assert Upload.objects.get().state == UploadState.OPEN


def test_same_partial_upload_twice_and_one_that_is_none_are_refused(ana: Visitor) -> None:
    url, other = partial(ana, b"he"), create(ana).headers["location"]
    assert join(ana, url, url).status_code == 422
    assert join(ana, url, other).status_code == 422


def test_partial_uploads_of_two_workspaces_are_not_joined(ana: Visitor, owner: User, people: People) -> None:
    elsewhere = people.elsewhere
    add_member(owner, elsewhere)
    here = partial(ana, b"he")
    names = {"Upload-Metadata": f"workspace {encoded(elsewhere.slug)}"}
    there = create(ana, 3, b"llo", **PARTIAL, **OFFSETS, **names).headers["location"]
    assert join(ana, here, there, **{"Upload-Metadata": ""}).status_code == 422
    assert join(ana, here, there).status_code == 404, "of the workspace that is named"


def test_partial_uploads_count_once(ana: Visitor, lab: Workspace) -> None:
    Workspace.objects.update(quota_bytes=5)
    urls = [partial(ana, data) for data in HELLO]
    assert usage_of(lab).used_bytes == 5
    assert join(ana, *urls).status_code == 201
    assert usage_of(lab).used_bytes == 5


def test_quota_that_was_lowered_meanwhile_refuses_and_keeps_all(ana: Visitor, incoming: Incoming) -> None:
    urls = [partial(ana, data) for data in HELLO]
    Workspace.objects.update(quota_bytes=4)
    assert join(ana, *urls).json()["code"] == QuotaExceeded.code
    assert incoming.names == of(*urls), "and the copy is gone"
    Workspace.objects.update(quota_bytes=5)
    assert join(ana, *urls).status_code == 201


def test_full_disk_refuses_and_keeps_all(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [partial(ana, data) for data in HELLO]
    with monkeypatch.context() as patched:
        patched.setattr(LocalParts, "free_bytes", lambda _: 4)
        assert join(ana, *urls).json()["code"] == StorageFull.code
    assert join(ana, *urls).status_code == 201


def test_deleted_partial_upload_is_not_joined(ana: Visitor) -> None:
    kept, gone = partial(ana, b"he"), partial(ana, b"llo")
    ana("DELETE", gone.removeprefix("/api/v1"), headers=TUS)
    assert join(ana, kept, gone).status_code == 409
    assert head(ana, gone).status_code == 410


def test_partial_upload_that_ends_while_it_is_copied_is_not_joined(
    ana: Visitor, incoming: Incoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = partial(ana, b"he"), partial(ana, b"llo")
    plain = LocalParts.join

    def slow(parts: LocalParts, *args: Any) -> None:
        plain(parts, *args)
        Upload.objects.filter(pk=gone.rpartition("/")[2]).update(state=UploadState.ABORTED, expires_at=None)

    monkeypatch.setattr(LocalParts, "join", slow)
    assert join(ana, kept, gone).status_code == 409
    assert not File.objects.exists()
    assert Upload.objects.get(pk=kept.rpartition("/")[2]).state == UploadState.OPEN
    assert incoming.names == of(kept, gone), "and the copy is gone"


def test_partial_uploads_expire_like_others(ana: Visitor, incoming: Incoming) -> None:
    url = partial(ana, b"he")
    Upload.objects.update(touched_at=F("touched_at") - abandoned.SILENT * 2)
    assert abandoned.finish_streams() == 0
    Upload.objects.update(expires_at=F("created_at"))
    abandoned.expire_uploads()
    assert join(ana, url).status_code == 410
    assert not incoming.names


def test_joining_works_where_the_file_system_cannot_copy(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    join(ana, *[partial(ana, data) for data in HELLO])
    assert content() == b"hello"


def test_who_joins_what_somebody_joins_just_now_is_told_to_wait(ana: Visitor) -> None:
    urls = [partial(ana, data) for data in HELLO]
    place = get_place("uploads")
    assert isinstance(place, LocalParts)
    somebody = place.open_part(UUID(urls[0].rpartition("/")[2]), 0, WHOLE)
    refused = join(ana, *urls)
    assert (refused.status_code, refused.json()["code"]) == (409, "part_busy")
    os.close(somebody)
    assert join(ana, *urls).status_code == 201
