"""Keeping files longer, bringing them back, holding them, and what is left of those that are gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution.retention import purge_files
from orchestration.models import File
from tests.factories import make_file

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(owner: User, lab: Workspace) -> File:
    return make_file(lab, owner, "table.csv", b"a,b\n")


@pytest.fixture
def boss(door: Door, manager: User) -> Visitor:
    return door.as_(manager)


def names(visitor: Visitor, query: str = "") -> list[str]:
    return [f["name"] for f in visitor.json("GET", f"/files{query}")["items"]]


def test_deleted_file_is_listed_apart_and_comes_back(ana: Visitor, eva: Visitor, file: File) -> None:
    assert ana("DELETE", f"/files/{file.pk}").status_code == 204
    assert (names(ana), names(ana, "?deleted=true"), names(eva, "?deleted=true")) == ([], ["table.csv"], [])
    listed = ana.json("GET", "/files?deleted=true")["items"][0]
    deleted, until = (datetime.fromisoformat(listed[key]) for key in ("deleted_at", "undelete_until"))
    assert until - deleted == timedelta(days=30)
    back = ana.json("POST", f"/files/{file.pk}/undelete")
    assert (back["deleted_at"], back["undelete_until"]) == (None, None)
    assert (names(ana), names(ana, "?deleted=true")) == (["table.csv"], [])


def test_file_that_is_gone_for_good_is_not_brought_back(ana: Visitor, file: File) -> None:
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - timedelta(days=30))
    assert names(ana, "?deleted=true") == []
    answer = ana.json("POST", f"/files/{file.pk}/undelete", 404)
    assert "more than 30 days ago" in answer["detail"]


def test_file_is_extended_by_days_or_to_the_end_of_a_day(ana: Visitor, file: File) -> None:
    longer = ana.json("POST", f"/files/{file.pk}/extend", json={"days": 7})
    assert datetime.fromisoformat(longer["expires_at"]) == file.expires_at + timedelta(days=7)
    day = (file.expires_at + timedelta(days=20)).date()
    until = ana.json("POST", f"/files/{file.pk}/extend", json={"until": day.isoformat()})
    assert datetime.fromisoformat(until["expires_at"]) == datetime(
        day.year, day.month, day.day, tzinfo=UTC
    ) + timedelta(days=1)


@pytest.mark.parametrize(
    "body", [{}, {"days": 0}, {"days": 1, "until": "2030-01-01"}, {"until": "soon"}, {"until": "2001-01-01"}, {"x": 1}],
    ids=str,
)  # fmt: skip
def test_extension_that_makes_no_sense_is_422(ana: Visitor, file: File, body: dict[str, Any]) -> None:
    assert ana("POST", f"/files/{file.pk}/extend", json=body).status_code == 422


def test_hold_is_for_managers_and_keeps_the_file(ana: Visitor, boss: Visitor, file: File) -> None:
    why = {"reason": "court order 7"}
    assert ana("POST", f"/files/{file.pk}/hold", json=why).status_code == 403
    assert boss("POST", f"/files/{file.pk}/hold", json={"reason": " "}).status_code == 422
    assert boss.json("POST", f"/files/{file.pk}/hold", json=why)["hold"]
    assert ana.json("DELETE", f"/files/{file.pk}", 409)["code"] == "conflict"
    assert ana("POST", f"/files/{file.pk}/unhold").status_code == 403
    assert not boss.json("POST", f"/files/{file.pk}/unhold")["hold"]
    assert ana("DELETE", f"/files/{file.pk}").status_code == 204


def test_receipt_says_what_became_of_the_file_and_outlives_its_bytes(ana: Visitor, file: File) -> None:
    assert ana.json("GET", f"/files/{file.pk}/receipt", 409)["code"] == "conflict"
    ana("DELETE", f"/files/{file.pk}")
    assert ana.json("GET", f"/files/{file.pk}/receipt")["bytes"] == "kept"
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - timedelta(days=30))
    purge_files()
    receipt = ana.json("GET", f"/files/{file.pk}/receipt")
    facts = ("name", "size", "sha256", "deleted_by", "rule", "bytes", "undelete_until", "signed")
    wanted = ["table.csv", 4, file.sha256, "ana", None, "destroyed", None, False]
    assert [receipt[fact] for fact in facts] == wanted
    assert receipt["bytes_destroyed_at"] >= receipt["released_at"] > receipt["deleted_at"]
    assert [event["kind"] for event in receipt["events"]] == ["deleted", "purged", "purged"]
    assert file.key not in str(receipt), "where the bytes lay is nobody's business"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/undelete", None), ("POST", "/extend", {"days": 1}), ("POST", "/hold", {"reason": "x"}),
     ("POST", "/unhold", None), ("GET", "/receipt", None)],
)  # fmt: skip
def test_stranger_finds_nothing_to_act_on(eva: Visitor, file: File, method: str, path: str, body: Any) -> None:
    options = {"json": body} if body else {}
    for deleted_at in (None, timezone.now()):
        File.objects.filter(pk=file.pk).update(deleted_at=deleted_at)
        assert eva(method, f"/files/{file.pk}{path}", **options).status_code == 404
    file.refresh_from_db()
    assert (file.hold, file.deleted_at is None) == (False, False)


def test_viewer_reads_and_changes_nothing(door: Door, viewer: User, file: File) -> None:
    vera = door.as_(viewer)
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now())
    assert vera("GET", f"/files/{file.pk}/receipt").status_code == 200
    assert vera("POST", f"/files/{file.pk}/undelete").status_code == 403
    File.objects.filter(pk=file.pk).update(deleted_at=None)
    assert vera("POST", f"/files/{file.pk}/extend", json={"days": 1}).status_code == 403


def test_usage_is_told_to_members(ana: Visitor, eva: Visitor, file: File) -> None:
    usage = ana.json("GET", "/workspaces/lab/usage")
    assert usage["classes"]["upload"] == {"files": 1, "bytes": 4}
    assert (usage["used_bytes"], usage["saved_bytes"], usage["quota_bytes"]) == (4, 0, None)
    assert eva("GET", "/workspaces/lab/usage").status_code == 404
