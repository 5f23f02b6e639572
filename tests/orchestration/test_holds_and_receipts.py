"""Holds, which nothing gets past, and receipts, which say what became of a file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.execution.retention import expire_files, purge_files
from orchestration.models import File, FileEvent, User, Workspace
from orchestration.services.files import delete_file, undelete_file
from orchestration.services.receipts import receipt_of
from orchestration.services.retention import hold_file, release_file
from orchestration.storage.registry import get_storage
from tests.factories import make_file

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PAST = timezone.now() - DAY


def is_there(file: File) -> bool:
    return File.objects.get(pk=file.pk).deleted_at is None


def has_bytes(file: File) -> bool:
    return get_storage(file.storage).size(file.key) is not None


def days_ago(file: File, days: int) -> None:
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - days * DAY)


def kinds(file: File) -> list[str]:
    return list(FileEvent.objects.filter(file_id=file.pk).order_by("id").values_list("kind", flat=True))


def test_held_file_is_neither_deleted_nor_expired_nor_destroyed(manager: User, lab: Workspace) -> None:
    file = make_file(lab, manager, expires_at=PAST)
    hold_file(user=manager, file=file, reason="  court order 7 ")
    expire_files()
    with pytest.raises(Conflict, match="on hold"):
        delete_file(user=manager, file=file)
    assert is_there(file)
    release_file(user=manager, file=file, reason="settled")
    assert expire_files() == 1
    days_ago(file, 40)
    hold_file(user=manager, file=file, reason="court order 8")
    purge_files()
    assert has_bytes(file), "a hold also keeps what is deleted"
    assert undelete_file(user=manager, file=file).deleted_at is None, "as long as the bytes are there"
    held = FileEvent.objects.filter(file_id=file.pk, kind="held").order_by("id")
    assert [(e.actor, e.reason) for e in held] == [(manager, "court order 7"), (manager, "court order 8")]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_hold_needs_a_reason(manager: User, lab: Workspace, reason: str) -> None:
    file = make_file(lab, manager)
    with pytest.raises(Invalid):
        hold_file(user=manager, file=file, reason=reason)
    assert not File.objects.get(pk=file.pk).hold


def test_holding_twice_is_one_hold(manager: User, lab: Workspace) -> None:
    file = make_file(lab, manager)
    for _ in range(2):
        hold_file(user=manager, file=file, reason="audit")
    assert kinds(file) == ["held"]


def test_what_is_destroyed_cannot_be_held(manager: User, lab: Workspace) -> None:
    file = make_file(lab, manager)
    delete_file(user=manager, file=file)
    days_ago(file, 31)
    purge_files()
    with pytest.raises(Conflict, match="destroyed"):
        hold_file(user=manager, file=file, reason="too late")


def test_receipt_tells_who_what_and_when(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "secret.csv")
    with pytest.raises(Conflict, match="not deleted"):
        receipt_of(file=file)
    delete_file(user=owner, file=file)
    receipt = receipt_of(file=File.objects.get(pk=file.pk))
    assert (receipt.deleted_by, receipt.rule, receipt.bytes.state) == ("ana", "", "kept")
    days_ago(file, 30)
    purge_files()
    receipt = receipt_of(file=File.objects.get(pk=file.pk))
    assert receipt.bytes.state == "destroyed"
    assert receipt.bytes.destroyed_at is not None
    purged = next(event for event in receipt.events if event.kind == "purged")
    facts = ("name", "size", "sha256", "created_by", "kind")
    assert [purged.data[f] for f in facts] == ["secret.csv", 8, file.sha256, "ana", "upload"]


def test_receipt_of_an_expired_file_names_the_rule(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, expires_at=PAST)
    expire_files()
    receipt = receipt_of(file=File.objects.get(pk=file.pk))
    assert receipt.deleted_by is None
    assert receipt.rule == f"its date had come: upload, kept until {PAST:%Y-%m-%d}"


def test_receipt_of_a_purge_that_was_cut_off_does_not_say_destroyed(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    days_ago(file, 30)

    def down(_key: str) -> None:
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(get_storage(file.storage), "delete", down)
        assert purge_files() == 0
    assert receipt_of(file=File.objects.get(pk=file.pk)).bytes.state == "being destroyed"
    with pytest.raises(NotFound):
        undelete_file(user=owner, file=file)
    assert purge_files() == 1, "the next round finishes it"
    assert not has_bytes(file)
    assert receipt_of(file=File.objects.get(pk=file.pk)).bytes.state == "destroyed"
