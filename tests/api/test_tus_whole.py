"""tus has no word for the end: when the last byte counts there must be a file, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F

from api_app.tus import v1
from orchestration.errors import QuotaExceeded
from orchestration.execution import abandoned
from orchestration.models import File, Upload, Workspace
from orchestration.states import UploadState
from orchestration.storage.local_parts import LocalParts
from tests.api.tus import TUS, content, create, head, patch

if TYPE_CHECKING:
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def whole(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> str:
    """An upload whose process was killed when the last byte counted, and before anything was made of it."""
    where = str(create(ana).headers["location"])
    with monkeypatch.context() as patched:
        patched.setattr(v1, "finish_if_whole", lambda upload: upload)
        patch(ana, where, 0, b"hello")
    assert not File.objects.exists()
    return where


def test_who_hears_that_all_is_there_has_a_file(ana: Visitor, whole: str) -> None:
    assert head(ana, whole).headers["upload-offset"] == "5"
    assert content() == b"hello"


def test_file_is_made_although_nobody_asks_again(whole: str) -> None:
    assert abandoned.finish_streams() == 0, "somebody may be at it"
    Upload.objects.update(touched_at=F("touched_at") - abandoned.SILENT * 2)
    abandoned.heal_uploads()
    assert content() == b"hello"


def test_unfinished_upload_is_left_open(ana: Visitor) -> None:
    patch(ana, create(ana).headers["location"], 0, b"he")
    Upload.objects.update(touched_at=F("touched_at") - abandoned.SILENT * 2)
    abandoned.heal_uploads()
    assert Upload.objects.get().state == UploadState.OPEN


def test_bytes_that_the_disk_could_not_keep_are_no_success(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LocalParts, "finish", broken)
    where = create(ana).headers["location"]
    refused = patch(ana, where, 0, b"hello")
    assert (refused.status_code, refused.json()["state"]) == (409, "failed")
    assert head(ana, where).status_code == 410


def test_length_that_comes_late_needs_its_room(ana: Visitor) -> None:
    Workspace.objects.update(quota_bytes=4)
    where = create(ana, None).headers["location"]
    refused = patch(ana, where, 0, b"hello", **{"Upload-Length": "5"})
    assert (refused.status_code, refused.json()["code"]) == (403, QuotaExceeded.code)
    assert patch(ana, where, 0, b"hell", **{"Upload-Length": "4"}).status_code == 204
    assert content() == b"hell"


def test_length_is_said_once(ana: Visitor) -> None:
    where = create(ana, None).headers["location"]
    patch(ana, where, 0, b"he", **{"Upload-Length": "5"})
    for other in ("4", "6", "1"):
        assert patch(ana, where, 2, b"", **{"Upload-Length": other}).status_code == 422
    assert head(ana, where).headers["upload-length"] == "5"


def test_length_may_not_be_more_than_the_server_takes(ana: Visitor, settings: Any) -> None:
    where = create(ana, None).headers["location"]
    settings.MAX_UPLOAD_BYTES = 4
    assert patch(ana, where, 0, b"", **{"Upload-Length": "5"}).status_code == 413
    assert patch(ana, where, 0, b"hello").status_code == 413
    assert ana("DELETE", where.removeprefix("/api/v1"), headers=TUS).status_code == 204
