"""Equal content is stored once in a workspace, and goes when the last file that has it goes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orchestration.errors import NotFound
from orchestration.execution import dedup
from orchestration.execution.dedup import share_content
from orchestration.execution.retention import purge_files
from orchestration.models import File, FileEvent, Upload, User, Workspace
from orchestration.models.usage import usage_of
from orchestration.services.files import delete_file, open_content, undelete_file
from orchestration.services.receipts import receipt_of
from orchestration.services.receiving import Announced, receive
from orchestration.services.uploads.rooms import used_bytes
from orchestration.storage.registry import get_storage
from tests.factories import make_file, make_job
from tests.orchestration.test_healing import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

DATA = b"the same bytes"


def shared(file: File) -> bool:
    with transaction.atomic():
        return share_content(file)


def objects(*files: File) -> set[str]:
    return {File.objects.get(pk=file.pk).key for file in files}


def has_bytes(key: str) -> bool:
    return get_storage("uploads").size(key) is not None


def purged(*files: File) -> None:
    File.objects.filter(pk__in=[f.pk for f in files]).update(deleted_at=timezone.now() - timedelta(days=30))
    purge_files()


def receipt(file: File) -> Any:
    return receipt_of(file=File.objects.get(pk=file.pk))


def test_second_file_takes_the_object_of_the_first(
    owner: User, lab: Workspace, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    first, second = make_file(lab, owner, "a.csv", DATA), make_file(lab, owner, "b.csv", DATA)
    spare = second.key
    with django_capture_on_commit_callbacks(execute=True):
        assert share_content(second)
        assert has_bytes(spare), "not before the commit"
    assert objects(first, second) == {first.key} == {second.key}
    assert not has_bytes(spare)
    with open_content(File.objects.get(pk=second.pk)) as content:
        assert content.read() == DATA
    event = FileEvent.objects.get(file_id=second.pk)
    assert (event.kind, event.data) == ("deduplicated", {"same_as": str(first.pk), "bytes_saved": len(DATA)})


def test_file_that_is_clean_when_it_arrives_is_stored_once(
    owner: User, lab: Workspace, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    files = []
    with django_capture_on_commit_callbacks(execute=True):
        for name in ("a.csv", "b.csv"):
            receiving = receive(user=owner, announced=Announced(name))
            receiving.write(DATA)
            upload = receiving.commit()
            files.append(File.objects.get(upload=upload))
    assert objects(*files) == {files[0].key}
    assert usage_of(lab).saved_bytes == len(DATA)


def test_file_alone_keeps_its_object(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, data=DATA)
    assert not shared(file)
    assert not FileEvent.objects.exists()


def test_workspaces_never_share(owner: User, stranger: User, lab: Workspace, people: Any) -> None:
    make_file(people.elsewhere, stranger, data=DATA)
    assert not shared(make_file(lab, owner, data=DATA))


@pytest.mark.parametrize(
    "other",
    [
        {"scan_state": "quarantined"},
        {"scan_state": "scanning"},
        {"size": 1},
        {"sha256": "0" * 64},
        {"storage": "results"},
        {"deleted_at": timezone.now(), "purged_at": timezone.now()},
    ],
    ids=["quarantined", "scanning", "size", "sha256", "storage", "purged"],
)
def test_what_is_not_the_same_or_not_clean_is_no_twin(
    owner: User, lab: Workspace, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup, "_is_whole", lambda _: True)
    make_file(lab, owner, data=DATA, **other)
    assert not shared(make_file(lab, owner, data=DATA))


def test_twin_whose_bytes_are_lost_is_no_twin(owner: User, lab: Workspace) -> None:
    lost = make_file(lab, owner, data=DATA)
    get_storage("uploads").delete(lost.key)
    file = make_file(lab, owner, data=DATA)
    assert not shared(file)
    assert has_bytes(file.key)


def test_empty_files_are_left_alone(owner: User, lab: Workspace) -> None:
    make_file(lab, owner, data=b"")
    assert not shared(make_file(lab, owner, data=b""))


def test_who_lost_the_race_for_the_row_changes_nothing(owner: User, lab: Workspace) -> None:
    make_file(lab, owner, data=DATA)
    file = make_file(lab, owner, data=DATA)
    File.objects.filter(pk=file.pk).update(key=f"{lab.pk}/aa/bb")
    assert not shared(file)
    assert not FileEvent.objects.exists()


def test_object_goes_with_the_last_file_that_has_it(owner: User, lab: Workspace) -> None:
    first, second, third = (make_file(lab, owner, f"{n}.csv", DATA) for n in range(3))
    assert shared(second)
    assert shared(third)
    purged(first)
    assert has_bytes(first.key)
    assert receipt(first).bytes.state == "shared"
    assert receipt(first).bytes.destroyed_at is None
    purged(second)
    assert has_bytes(first.key)
    purged(third)
    assert not has_bytes(first.key)
    ends = [receipt(file).bytes for file in (first, second, third)]
    assert [end.state for end in ends] == ["destroyed"] * 3
    assert len({end.destroyed_at for end in ends}) == 1, "the moment at which the bytes really went"


def test_files_that_go_together_take_the_object_along(owner: User, lab: Workspace) -> None:
    first, second = make_file(lab, owner, data=DATA), make_file(lab, owner, data=DATA)
    shared(second)
    purged(first, second)
    assert not has_bytes(first.key)


def test_deleted_twin_that_can_come_back_is_shared_and_both_are_counted_once(owner: User, lab: Workspace) -> None:
    first = make_file(lab, owner, data=DATA)
    delete_file(user=owner, file=first)
    second = make_file(lab, owner, data=DATA)
    assert shared(second)
    usage = usage_of(lab)
    assert (usage.total.files, usage.total.bytes) == (2, 2 * len(DATA))
    assert (usage.stored_bytes, usage.saved_bytes) == (len(DATA), len(DATA))
    purged(first)
    assert has_bytes(second.key)
    assert usage_of(lab).saved_bytes == 0


def test_usage_tells_the_classes_apart_and_agrees_with_the_quota(owner: User, lab: Workspace) -> None:
    make_file(lab, owner, data=b"1" * 10)
    shared(make_file(lab, owner, data=b"1" * 10, hold=True, expires_at=timezone.now() + timedelta(days=3)))
    job = make_job(owner, lab, state="SUCCEEDED")
    of_job: dict[str, Any] = {"job": job, "step": "nothing", "item_index": 0}
    make_file(lab, owner, data=b"2" * 20, kind="result", expires_at=timezone.now() + timedelta(days=29), **of_job)
    make_file(lab, owner, data=b"3" * 30, kind="intermediate", **of_job)
    make_file(lab, owner, data=b"4" * 40, kind="result", superseded_at=timezone.now(), **of_job)
    delete_file(user=owner, file=make_file(lab, owner, data=b"5" * 50))
    purged(make_file(lab, owner, data=b"6" * 60))
    for state, size in (("open", 100), ("aborted", 1_000)):
        later = timezone.now() + timedelta(days=1)
        Upload.objects.create(workspace=lab, created_by=owner, name="x", size=size, state=state, expires_at=later)
    usage = usage_of(lab)
    assert {name: amount.bytes for name, amount in usage.classes.items()} == {
        "upload": 20, "result": 20, "intermediate": 30, "replaced": 40, "deleted": 50,
    }  # fmt: skip
    assert (usage.stored_bytes, usage.reserved_bytes) == (150, 100)
    assert usage.used_bytes == used_bytes(lab) == 250
    assert (usage.expiring.files, usage.held.files) == (1, 1), "what is held does not go"


class TestAtOnce:
    """In real threads, many times over."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def test_purge_and_undelete_leave_it_whole_or_gone(self, owner: User, lab: Workspace) -> None:
        for _ in range(15):
            file = make_file(lab, owner, hold=True)
            File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - timedelta(days=40))
            came_back: list[bool] = []

            def bring_back(file: File = file, came_back: list[bool] = came_back) -> None:
                try:
                    undelete_file(user=owner, file=file)
                    came_back.append(True)
                except NotFound:
                    came_back.append(False)

            def release(file: File = file) -> None:
                File.objects.filter(pk=file.pk).update(hold=False)
                purge_files()

            at_once(bring_back, release, purge_files)
            purge_files()
            row = File.objects.get(pk=file.pk)
            assert came_back == [row.purged_at is None]
            assert has_bytes(file.key) == came_back[0]

    def test_purge_and_dedup_never_leave_a_file_without_its_bytes(self, owner: User, lab: Workspace) -> None:
        outcomes = set()
        for n in range(25):
            data = f"content {n}".encode()
            old, new = make_file(lab, owner, data=data), make_file(lab, owner, data=data)
            File.objects.filter(pk=old.pk).update(deleted_at=timezone.now() - timedelta(days=30))

            def share(new: File = new) -> None:
                with transaction.atomic():
                    share_content(new)

            works: list[Callable[[], object]] = [share, purge_files]
            at_once(*(works if n % 2 else works[::-1]))
            purge_files()
            row = File.objects.get(pk=new.pk)
            with open_content(row) as content:
                assert content.read() == data
            outcomes.add(row.key == old.key)
            assert has_bytes(old.key) == (row.key == old.key)
        assert outcomes, "both may happen, neither harms"

    def test_twin_that_is_being_shared_is_not_purged_meanwhile(self, owner: User, lab: Workspace) -> None:
        old, new = make_file(lab, owner, data=DATA), make_file(lab, owner, data=DATA)
        File.objects.filter(pk=old.pk).update(deleted_at=timezone.now() - timedelta(days=30))
        with transaction.atomic():
            assert share_content(new)
            at_once(purge_files)
            with connection.cursor() as cursor:
                cursor.execute("SELECT purged_at FROM orchestration_file WHERE id = %s", [old.pk])
                assert cursor.fetchone() == (None,)
        purge_files()
        assert has_bytes(old.key)

    def test_files_of_one_content_that_become_clean_at_once_share_one_object(self, owner: User, lab: Workspace) -> None:
        files = [make_file(lab, owner, data=DATA, scan_state="scanning") for _ in range(4)]

        def becomes_clean(file: File) -> None:
            with transaction.atomic():
                File.objects.filter(pk=file.pk).update(scan_state="clean")
                share_content(file)

        at_once(*[lambda file=file: becomes_clean(file) for file in files])
        assert len(objects(*files)) == 1
        assert usage_of(lab).saved_bytes == 3 * len(DATA)
