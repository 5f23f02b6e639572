"""What people are told, each as she chose: what joins, what is told once, and that a kill loses and repeats nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.errors import Invalid, NotFound
from orchestration.execution import budget_notice, job_notices, quota_notice
from orchestration.execution.event_gaps import decided
from orchestration.execution.examine import examine_due
from orchestration.execution.job_notices import tell_of_jobs, tell_of_waiting
from orchestration.execution.notice import warn_files
from orchestration.execution.notifying import tell as tell_people
from orchestration.execution.old_notices import forget_notices
from orchestration.models import Examination, Job, Membership, Notification, NotificationBookmark, User, Workspace
from orchestration.notification_words import say
from orchestration.services.invitations import accept, invite
from orchestration.services.members import change_role, remove_member
from orchestration.services.notifications import choose, mark, mark_all_read, settings_of, undo_mark_all
from orchestration.states import JobState, NotificationKind
from tests.factories import join, make_file, make_job, make_user

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db
FAILED = NotificationKind.JOB_FAILED


class Killed(BaseException):
    """As kill -9 at that line, as far as what is committed goes."""


@pytest.fixture(autouse=True)
def _from_now_on(people: object) -> None:
    tell_of_jobs()


def ends(job: Job, state: str = "FAILED", after: timedelta = timedelta(0)) -> Job:
    """By a move, with its event."""
    if after:
        Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - after)
    why = {"failure_kind": "USER_CODE"} if state in {"FAILED", "TIMED_OUT"} else {}
    assert job.move(JobState(state), **why)
    return job


def fails(user: User, lab: Workspace, **fields: Any) -> Job:
    return ends(make_job(user, lab, state="RUNNING", **fields))


def told(user: User) -> list[Notification]:
    return list(Notification.objects.visible_to(user).order_by("created_at"))


def titles(user: User) -> list[str]:
    return [say(row.kind, row.count, row.data, workspace=row.workspace.slug).title for row in told(user)]


# Jobs


def test_hundred_failures_of_one_pipeline_are_one_notification(owner: User, teammate: User, lab: Workspace) -> None:
    fails(owner, lab, name="March")
    tell_of_jobs()
    assert titles(owner) == ["March failed"]
    for _ in range(99):
        fails(owner, lab)
    tell_of_jobs()
    assert titles(owner) == ["100 jobs of noop failed"]
    assert told(teammate) == []


def test_what_fails_after_it_was_read_is_new(owner: User, lab: Workspace) -> None:
    fails(owner, lab)
    tell_of_jobs()
    mark(user=owner, notification_id=told(owner)[0].pk, is_read=True)
    fails(owner, lab)
    tell_of_jobs()
    assert [(row.count, row.read_at is None) for row in told(owner)] == [(1, False), (1, True)]


def test_marked_unread_again_it_stays_as_it_is(owner: User, lab: Workspace) -> None:
    fails(owner, lab)
    tell_of_jobs()
    first = told(owner)[0].pk
    mark(user=owner, notification_id=first, is_read=True)
    mark(user=owner, notification_id=first, is_read=False)
    fails(owner, lab)
    tell_of_jobs()
    assert [row.count for row in told(owner)] == [1, 1]


@pytest.mark.parametrize(("minutes", "is_told"), [(4, False), (6, True)])
def test_success_is_told_only_of_jobs_that_took_long(
    owner: User,
    lab: Workspace,
    minutes: int,
    is_told: bool,  # noqa: FBT001
) -> None:
    ends(make_job(owner, lab, state="RUNNING"), "SUCCEEDED", after=timedelta(minutes=minutes))
    tell_of_jobs()
    assert bool(told(owner)) is is_told


def test_who_turned_it_off_is_not_told(owner: User, lab: Workspace) -> None:
    choose(user=owner, workspace=lab, changes={FAILED: (False, "never")})
    fails(owner, lab)
    tell_of_jobs()
    assert not Notification.objects.exists()


def test_choice_is_of_one_workspace(owner: User, lab: Workspace, people: Any) -> None:
    join(owner, people.elsewhere)
    choose(user=owner, workspace=lab, changes={FAILED: (False, "never")})
    fails(owner, people.elsewhere)
    tell_of_jobs()
    assert [row.workspace for row in told(owner)] == [people.elsewhere]


def test_killed_before_the_commit_tells_nobody_and_afterwards_nobody_twice(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(owner, lab)

    def die(_: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(job_notices, "point", die)
        with pytest.raises(Killed):
            tell_of_jobs()
    assert told(owner) == []
    tell_of_jobs()
    tell_of_jobs()
    assert [row.count for row in told(owner)] == [1]


def test_bookmark_that_another_worker_moved_is_left_alone(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(owner, lab)

    def moved_meanwhile(start: int, ids: list[int]) -> int:
        NotificationBookmark.objects.update(event_id=ids[-1])
        return decided(start, ids)

    monkeypatch.setattr(job_notices, "decided", moved_meanwhile)
    assert tell_of_jobs() == 0
    assert told(owner) == []


def test_who_left_the_workspace_sees_no_more_of_it(owner: User, lab: Workspace) -> None:
    fails(owner, lab)
    tell_of_jobs()
    Membership.objects.filter(user=owner).delete()
    assert told(owner) == []


def test_long_wait_that_time_does_not_mend_is_told_once_a_day(owner: User, lab: Workspace) -> None:
    for _ in range(3):
        make_job(owner, lab, waiting_reason="quota", waiting_detail="The quota is used up.")
    make_job(owner, lab, waiting_reason="concurrency")
    assert tell_of_waiting() == 0
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert (tell_of_waiting(), tell_of_waiting()) == (1, 0)
    mark_all_read(user=owner)
    assert tell_of_waiting() == 0, "read, it is known all the same"
    assert titles(owner) == ["3 jobs wait for the storage quota"]


# Everything else


def test_quarantined_file_is_told_to_who_sent_it_and_to_managers(
    owner: User, teammate: User, manager: User, lab: Workspace, settings: Settings
) -> None:
    settings.SCANNER = "none"
    file = make_file(lab, owner, scan_state="received", sha256="", crc64nvme="AAAAAAAAAAE=")
    Examination.objects.create(file=file)
    examine_due()
    file.refresh_from_db()
    assert file.scan_state == "quarantined"
    assert titles(owner) == titles(manager) == ["a.csv was quarantined"]
    assert told(teammate) == []


def test_budget_and_storage_are_told_to_managers_once_each(
    owner: User, manager: User, lab: Workspace, settings: Settings
) -> None:
    settings.MAILERS = {}
    make_file(lab, owner)
    Workspace.objects.filter(pk=lab.pk).update(budget_usd=0, quota_bytes=4)
    for _ in range(2):
        budget_notice.tell_managers()
        quota_notice.tell_of_quotas()
    assert titles(manager) == [
        "The budget of this month is used up",
        "The storage is full: nothing more can be uploaded",
    ]
    assert told(owner) == []


def test_files_that_go_soon_are_one_notification(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.MAILERS, settings.EXPIRY_WARNING_DAYS = {}, 14
    old, soon = timezone.now() - timedelta(days=300), timezone.now() + timedelta(days=3)
    for name in ("a.csv", "b.csv"):
        file = make_file(lab, owner, name=name, expires_at=soon)
        type(file).objects.filter(pk=file.pk).update(created_at=old)
    assert (warn_files(), warn_files()) == (2, 0)
    assert titles(owner) == ["2 files will be deleted soon"]


def test_managers_are_told_who_comes_and_goes_and_a_member_what_she_is(
    owner: User, stranger: User, manager: User, lab: Workspace
) -> None:
    second = make_manager(lab)
    accept(user=stranger, key=invite(user=manager, email="eva@example.org", role="viewer", workspace="lab").key)
    change_role(user=manager, workspace=lab, member_id=owner.pk, role="viewer")
    remove_member(user=stranger, workspace=lab, member_id=stranger.pk)
    remove_member(user=manager, workspace=lab, member_id=owner.pk)
    assert titles(second) == ["eva has joined, as viewer", "ana is viewer now", "eva has left", "ana was removed"]
    assert titles(manager) == ["eva has joined, as viewer", "eva has left"]
    join(owner, lab)
    assert titles(owner) == ["ana is viewer now"]


def make_manager(lab: Workspace) -> User:
    second = make_user("rita")
    join(second, lab, "manager")
    return second


# Reading and choosing


def test_undo_brings_back_what_was_marked_together_and_no_more(owner: User, lab: Workspace) -> None:
    for name in ("one", "two", "three"):
        tell_people(kind=FAILED, workspace_id=lab.pk, people=[owner.pk], group=name, data={})
    mark(user=owner, notification_id=told(owner)[0].pk, is_read=True)
    marked, at = mark_all_read(user=owner)
    assert (marked, undo_mark_all(user=owner, at=at)) == (2, 2)
    assert [row.read_at is None for row in told(owner)] == [False, True, True]


def test_nobody_reads_or_marks_what_others_are_told(owner: User, teammate: User, lab: Workspace) -> None:
    fails(owner, lab)
    tell_of_jobs()
    with pytest.raises(NotFound):
        mark(user=teammate, notification_id=told(owner)[0].pk, is_read=True)
    assert mark_all_read(user=teammate)[0] == 0
    assert told(owner)[0].read_at is None


def test_only_managers_choose_about_what_only_they_are_told(owner: User, manager: User, lab: Workspace) -> None:
    assert len(settings_of(user=manager, workspace=lab)) == len(settings_of(user=owner, workspace=lab)) + 3
    with pytest.raises(Invalid, match="Only the managers"):
        choose(user=owner, workspace=lab, changes={"budget.near": (True, "daily")})


def test_old_ones_are_forgotten(owner: User, lab: Workspace) -> None:
    for name in ("old", "new"):
        tell_people(kind=FAILED, workspace_id=lab.pk, people=[owner.pk], group=name, data={})
    Notification.objects.filter(group="old").update(changed_at=timezone.now() - timedelta(days=91))
    assert forget_notices() == 1
    assert [row.group for row in told(owner)] == ["new"]
