"""How long files are kept: by their date, by people, one or many at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound, OrchestrationError, QuotaExceeded
from orchestration.execution.retention import expire_files, purge_files
from orchestration.models import File, FileEvent, User, Workspace
from orchestration.services.access import find_recorded_file
from orchestration.services.files import delete_file, for_each, undelete_file
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.services.retention import extend_file, hold_file, release_file
from orchestration.storage.registry import get_storage
from project.celery import app
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PAST, FUTURE = timezone.now() - DAY, timezone.now() + DAY


def is_there(file: File) -> bool:
    return File.objects.get(pk=file.pk).deleted_at is None


def has_bytes(file: File) -> bool:
    return get_storage(file.storage).size(file.key) is not None


def days_ago(file: File, days: int) -> None:
    File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - days * DAY)


def kinds(file: File) -> list[str]:
    return list(FileEvent.objects.filter(file_id=file.pk).order_by("id").values_list("kind", flat=True))


def test_only_files_whose_date_has_come_go(owner: User, lab: Workspace) -> None:
    due = make_file(lab, owner, "due.csv", expires_at=PAST)
    early = make_file(lab, owner, "early.csv", expires_at=FUTURE)
    held = make_file(lab, owner, "held.csv", expires_at=PAST, hold=True)
    assert expire_files() == 1
    assert [is_there(f) for f in (due, early, held)] == [False, True, True]
    assert expire_files() == 0, "once is enough"
    assert (kinds(due), kinds(early)) == (["expired"], [])


def test_file_in_use_waits_for_the_end_of_its_job(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, expires_at=PAST)
    job = submitted(owner, files=(file,))
    assert expire_files() == 0
    assert is_there(file)
    cancel(user=owner, job=job)
    assert expire_files() == 1
    assert not is_there(file)


def test_output_of_an_unfinished_job_stays(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    output = make_file(lab, owner, "out.txt", kind="result", job=job, step="nothing", item_index=0, expires_at=PAST)
    assert expire_files() == 0
    cancel(user=owner, job=job)
    assert expire_files() == 1
    assert not is_there(output)


def test_everything_comes_by_the_clock(owner: User, lab: Workspace) -> None:
    due, old = make_file(lab, owner, expires_at=PAST), make_file(lab, owner)
    File.objects.filter(pk=old.pk).update(deleted_at=timezone.now() - 30 * DAY)
    wanted = {"esteira.expire_files", "esteira.purge_files", "esteira.expire_logs", "esteira.sweep_storage"}
    assert wanted <= {entry["task"] for entry in app.conf.beat_schedule.values()}
    for name in wanted:
        app.tasks[name]()
    assert (is_there(due), has_bytes(due), has_bytes(old)) == (False, True, False)


def test_deleted_file_keeps_its_bytes_and_comes_back(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    days_ago(file, 29)
    purge_files()
    assert has_bytes(file)
    back = undelete_file(user=owner, file=file)
    assert back.deleted_at is None
    assert kinds(file) == ["deleted", "undeleted"]
    assert back.expires_at == file.expires_at, "its own date was later"


def test_file_that_is_there_is_undeleted_without_a_word(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    assert undelete_file(user=owner, file=file).deleted_at is None
    assert kinds(file) == []


def test_after_thirty_days_nobody_brings_it_back(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    days_ago(file, 30)
    with pytest.raises(NotFound, match="more than 30 days ago"):
        undelete_file(user=owner, file=file)
    assert purge_files() == 1
    assert not has_bytes(file)
    with pytest.raises(NotFound):
        undelete_file(user=owner, file=file)
    assert purge_files() == 0
    assert kinds(file) == ["deleted", "purged", "purged"]


def test_file_whose_bytes_are_lost_does_not_come_back_empty(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    get_storage(file.storage).delete(file.key)
    with pytest.raises(NotFound, match="gone from the storage"):
        undelete_file(user=owner, file=file)
    assert not is_there(file)


def test_undelete_needs_room(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    Workspace.objects.filter(pk=lab.pk).update(quota_bytes=1)
    file = File.objects.get(pk=file.pk)
    with pytest.raises(QuotaExceeded):
        undelete_file(user=owner, file=file)
    assert not is_there(file)


def test_extending_goes_from_its_date_by_days_or_to_a_date(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, warned_at=PAST)
    longer = extend_file(user=owner, file=file, days=10)
    assert longer.expires_at == file.expires_at + 10 * DAY
    assert longer.warned_at is None, "of the new date somebody is to be told too"
    until = file.expires_at + 20 * DAY
    assert extend_file(user=owner, file=file, until=until).expires_at == until
    event = FileEvent.objects.filter(file_id=file.pk).latest("id")
    assert (event.actor, event.new[:10]) == (owner, f"{until:%Y-%m-%d}")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "either by how many days"),
        ({"days": 1, "until": FUTURE}, "either by how many days"),
        ({"days": 0}, "1 to 3,660 days"),
        ({"days": -5}, "1 to 3,660 days"),
        ({"days": 10**9}, "1 to 3,660 days"),
        ({"days": 3_660}, "at most"),
        ({"until": FUTURE}, "already"),
        ({"until": FUTURE + 4_000 * DAY}, "at most"),
    ],
    ids=["nothing", "both", "0", "-5", "huge", "beyond", "already", "far"],
)
def test_extension_that_makes_no_sense_is_refused(owner: User, lab: Workspace, asked: Any, said: str) -> None:
    file = make_file(lab, owner)
    with pytest.raises(Invalid, match=said):
        extend_file(user=owner, file=file, **asked)
    assert File.objects.get(pk=file.pk).expires_at == file.expires_at


def test_deleted_file_is_brought_back_before_it_is_extended(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    with pytest.raises(Conflict, match="Bring it back first"):
        extend_file(user=owner, file=file, days=1)


def test_longest_term_is_a_setting(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.MAX_RETENTION_DAYS = 400
    file = make_file(lab, owner)
    with pytest.raises(Invalid):
        extend_file(user=owner, file=file, days=36)
    extend_file(user=owner, file=file, days=34)


def _days(**who: Any) -> object:
    return extend_file(days=1, **who)


def _reason(**who: Any) -> object:
    return hold_file(reason="audit", **who)


@pytest.mark.parametrize(
    ("act", "needs"),
    [
        (delete_file, "submitter"),
        (undelete_file, "submitter"),
        (_days, "submitter"),
        (_reason, "manager"),
        (release_file, "manager"),
    ],
)
def test_role_decides_who_may(
    owner: User, viewer: User, manager: User, stranger: User, lab: Workspace, act: Callable[..., object], needs: str
) -> None:
    for user, may in [(viewer, False), (stranger, False), (owner, needs == "submitter"), (manager, True)]:
        file = make_file(lab, owner)
        if may:
            act(user=user, file=file)
        else:
            with pytest.raises(Forbidden):
                act(user=user, file=file)
            assert kinds(file) == []


def test_stranger_finds_no_trace_of_a_file(stranger: User, viewer: User, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    delete_file(user=owner, file=file)
    assert find_recorded_file(user=viewer, file_id=file.pk) == file
    with pytest.raises(NotFound):
        find_recorded_file(user=stranger, file_id=file.pk)
    assert not FileEvent.objects.visible_to(stranger).exists()
    assert FileEvent.objects.visible_to(viewer).count() == 1


def test_many_are_done_one_by_one_and_each_says_how_it_fared(
    owner: User, stranger: User, lab: Workspace, people: Any
) -> None:
    good, held = make_file(lab, owner, "good.csv"), make_file(lab, owner, "held.csv", hold=True)
    foreign = make_file(people.elsewhere, stranger, "foreign.csv")
    fared = for_each(delete_file, user=owner, ids=[held.pk, good.pk, foreign.pk, good.pk])
    assert [(file.name, exc is None) for file, exc in fared] == [("held.csv", False), ("good.csv", True)]
    assert isinstance(fared[0][1], OrchestrationError)
    assert is_there(foreign)
    assert [f.name for f, _ in for_each(undelete_file, user=owner, ids=[good.pk, held.pk], deleted=True)] == [
        "good.csv"
    ]
    assert is_there(good)


def test_job_does_not_run_again_on_what_was_deleted(owner: User, lab: Workspace) -> None:
    """Silently fewer inputs would be a wrong result."""
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner), make_file(lab, owner)))
    job = run_all(job, failing={1: "INPUT"})
    output = make_file(lab, owner, "part.csv", kind="result", job=job, step="convert", item_index=0)
    delete_file(user=owner, file=output)
    with pytest.raises(Conflict, match=r"part\.csv of step convert has been deleted"):
        retry(user=owner, job=job)
    job.refresh_from_db()
    assert (job.run, job.is_finished) == (1, True)
    undelete_file(user=owner, file=output)
    assert retry(user=owner, job=job).run == 2


def test_report_that_was_deleted_is_simply_made_anew(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, publish_pipeline(TWO_STEPS), [make_file(lab, owner)], state="FAILED")
    output = make_file(lab, owner, "report.html", kind="result", job=job, step="report", item_index=0)
    delete_file(user=owner, file=output)
    assert retry(user=owner, job=job).run == 2
