"""What an upload may take of room, number and time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.execution.finishing import local_parts
from orchestration.models import Upload, Workspace
from orchestration.services.uploads.limits import MIB, part_size_for
from tests.api.uploading import SIZE, begin, complete, crc, pieces, send, sign

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def test_room_is_reserved_when_the_upload_begins_and_freed_when_it_ends(ana: Visitor) -> None:
    Workspace.objects.update(quota_bytes=SIZE + 10)
    first = begin(ana)
    said = begin(ana, status=403)
    assert said["code"] == "quota_exceeded"
    assert "Delete files" in said["detail"]
    ana("DELETE", f"/uploads/{first['id']}")
    begin(ana)


def test_quota_is_checked_again_at_the_end(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload)
    Workspace.objects.update(quota_bytes=5)
    assert complete(ana, upload, 403)["code"] == "quota_exceeded"
    Workspace.objects.update(quota_bytes=None)
    complete(ana, upload)


def test_too_many_unfinished_uploads_are_refused(ana: Visitor, settings: Settings) -> None:
    settings.MAX_OPEN_UPLOADS = 2
    begin(ana)
    begin(ana)
    assert begin(ana, status=429)["code"] == "too_many_open_uploads"


def test_larger_than_the_server_takes_is_refused_at_once(ana: Visitor, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    assert begin(ana, status=413)["code"] == "too_large"


def test_expired_upload_frees_its_room_and_says_so(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(1,))
    Upload.objects.update(expires_at=F("created_at") - timedelta(seconds=1))
    assert abandoned.heal_uploads() == 1
    assert (
        ana(
            "POST", f"/uploads/{upload['id']}/parts", json={"parts": [{"number": 1, "crc64nvme": crc(b"")}]}
        ).status_code
        == 410
    )
    row = Upload.objects.get()
    parts = local_parts(row)
    assert parts is not None
    assert parts.size(row.pk) is None
    assert abandoned.heal_uploads() == 0


def test_signing_pushes_the_end_but_not_beyond_thirty_days(ana: Visitor) -> None:
    upload = begin(ana)
    long_ago = F("created_at") - timedelta(days=29)
    Upload.objects.update(created_at=long_ago, touched_at=long_ago, expires_at=F("created_at"))
    sign(ana, upload, 1, pieces(upload)[1])
    row = Upload.objects.get()
    assert row.expires_at is not None
    assert row.expires_at - row.created_at == timedelta(days=30)


def test_signing_writes_at_most_once_a_minute(ana: Visitor) -> None:
    upload = begin(ana)
    begun = Upload.objects.get().touched_at
    sign(ana, upload, 1, pieces(upload)[1])
    assert Upload.objects.get().touched_at == begun
    Upload.objects.update(touched_at=F("touched_at") - timedelta(minutes=2))
    sign(ana, upload, 1, pieces(upload)[1])
    assert Upload.objects.get().touched_at > begun


@pytest.mark.parametrize(
    ("size", "part"),
    [
        (1, 16 * MIB),
        (9_500 * 16 * MIB, 16 * MIB),
        (1 << 40, 111 * MIB),
        (5 << 40, 552 * MIB),
        (48 << 40, 5_120 * MIB),
    ],
)
def test_parts_grow_with_the_file(size: int, part: int) -> None:
    assert part_size_for(size) == part
    assert size <= 10_000 * part


def test_config_says_what_a_client_must_know(ana: Visitor) -> None:
    said = ana.json("GET", "/uploads/config")
    assert (said["transport"], said["checksums"], said["batch_max"]) == ("app", ["crc64nvme"], 1000)
