"""Before files go their people are told: in one mail for all of them, once, and on the pages where there is no mail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution import notice
from orchestration.execution.mail import tell
from orchestration.execution.notice import warn_files
from orchestration.models import File, FileEvent, Membership, User, Workspace
from orchestration.services.mail import choose
from orchestration.services.retention import extend_file
from tests.factories import make_file, make_job
from tests.orchestration.post_office import PostOffice, addressed, pause_is_over

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


def going(lab: Workspace, user: User, name: str = "a.csv", days: float = 10, **fields: Any) -> File:
    """A file that goes so soon, and came a year ago."""
    file = make_file(lab, user, name, expires_at=timezone.now() + timedelta(days=days), **fields)
    File.objects.filter(pk=file.pk).update(created_at=timezone.now() - timedelta(days=365))
    file.refresh_from_db()
    return file


def told(file: File) -> list[str]:
    events = FileEvent.objects.filter(file_id=file.pk, kind="warned").order_by("id")
    is_marked = File.objects.get(pk=file.pk).warned_at is not None
    assert is_marked == events.exists()
    return [event.new for event in events]


def test_person_hears_which_files_go_and_when(office: PostOffice, ana: User, lab: Workspace) -> None:
    later, sooner = going(lab, ana, "later.csv", 12), going(lab, ana, "sooner.csv", 3)
    assert tell() == 1
    (mail,) = office.letters
    first = f"{sooner.expires_at.day} {sooner.expires_at:%B %Y}"
    assert mail["Subject"] == f"Esteira: 2 files will be deleted, the first on {first}"
    text = mail.get_content().replace("\r\n", "\n")
    assert f"{first}: sooner.csv, 8 B, in lab\n  https://esteira.example/files/{sooner.pk}/" in text
    assert text.index("sooner.csv") < text.index("later.csv")
    assert "before your files are deleted. To change that" in text
    assert told(later) == told(sooner) == ["mail"]


def test_file_is_told_once_and_again_after_its_date_has_changed(office: PostOffice, ana: User, lab: Workspace) -> None:
    file = going(lab, ana, days=10)
    tell()
    pause_is_over(ana)
    assert tell() == 0
    extend_file(user=ana, file=file, days=2)
    assert tell() == 1
    assert told(file) == ["mail", "mail"]


@pytest.mark.parametrize(
    "fields",
    [{"days": 15}, {"hold": True}, {"deleted_at": timezone.now()}, {"superseded_at": timezone.now()},
     {"warned_at": timezone.now()}],
    ids=["late", "held", "deleted", "superseded", "told"],
)  # fmt: skip
def test_what_does_not_go_soon_or_was_told_is_no_news(
    office: PostOffice, ana: User, lab: Workspace, fields: dict[str, Any]
) -> None:
    going(lab, ana, **fields)
    assert (tell(), warn_files()) == (0, 0)


def test_what_lies_between_steps_is_not_told(office: PostOffice, ana: User, lab: Workspace) -> None:
    of_job: dict[str, Any] = {"job": make_job(ana, lab), "step": "nothing", "item_index": 0}
    going(lab, ana, kind="intermediate", **of_job)
    assert tell() == 0
    going(lab, ana, kind="result", **of_job)
    assert tell() == 1


def test_file_that_has_just_come_is_not_announced_to_go(office: PostOffice, ana: User, lab: Workspace) -> None:
    file = make_file(lab, ana, expires_at=timezone.now() + timedelta(days=7))
    assert tell() == 0
    File.objects.filter(pk=file.pk).update(created_at=timezone.now() - timedelta(days=8))
    assert tell() == 1


def test_what_goes_in_the_week_after_comes_along(office: PostOffice, ana: User, lab: Workspace) -> None:
    near, next_week, far = (going(lab, ana, f"{d}.csv", d) for d in (13.9, 20, 22))
    tell()
    assert [told(f) for f in (near, next_week, far)] == [["mail"], ["mail"], []]


def test_next_week_s_files_alone_send_no_mail(office: PostOffice, ana: User, lab: Workspace) -> None:
    going(lab, ana, days=20)
    make_job(ana, lab, state="FAILED")
    tell()
    assert "will be deleted" not in office.letters[0].get_content()


def test_jobs_and_files_come_in_one_mail(office: PostOffice, ana: User, lab: Workspace) -> None:
    going(lab, ana, "old.csv")
    make_job(ana, lab, state="FAILED", name="March")
    assert tell() == 1
    (subject,) = office.subjects
    assert subject.startswith("Esteira: March failed; old.csv will be deleted on ")


def test_of_many_files_some_are_shown_and_all_are_told(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.execution.letter.SHOWN", 2)
    files = [going(lab, ana, f"{n}.csv") for n in range(5)]
    tell()
    text = office.letters[0].get_content()
    assert text.count("8 B, in lab") == 2
    assert "… and 3 more: https://esteira.example/files/?going=soon" in text
    assert all(told(file) == ["mail"] for file in files)


def test_name_of_a_file_starts_no_header_and_no_line(office: PostOffice, ana: User, lab: Workspace) -> None:
    going(lab, ana, "x\r\nBcc: eve@example.org\n\u202eevil")
    tell()
    (mail,) = office.letters
    assert mail["Bcc"] is None
    assert not [line for line in mail.get_content().splitlines() if line.startswith("Bcc")]
    assert "\u202e" not in mail.get_content()


def test_person_who_wants_no_mail_is_told_by_the_pages(office: PostOffice, ana: User, lab: Workspace) -> None:
    choose(user=ana, mail_on="never")
    file = going(lab, ana)
    assert tell() == 0
    assert warn_files() == 1
    assert told(file) == ["page"]
    assert warn_files() == 0


@pytest.mark.parametrize("gone", [{"is_active": False}, {"email": ""}], ids=str)
def test_person_who_cannot_be_mailed_holds_nothing_up(
    office: PostOffice, ana: User, lab: Workspace, gone: dict[str, Any]
) -> None:
    User.objects.filter(pk=ana.pk).update(**gone)
    file = going(lab, ana)
    assert (tell(), warn_files()) == (0, 1)
    assert told(file) == ["page"]


def test_who_left_the_workspace_hears_nothing_of_its_files(office: PostOffice, ana: User, lab: Workspace) -> None:
    Membership.objects.filter(user=ana).delete()
    file = going(lab, ana)
    assert tell() == 0
    assert warn_files() == 1
    assert told(file) == ["page"]


def test_file_of_nobody_is_told_by_the_pages(office: PostOffice, ana: User, lab: Workspace) -> None:
    file = going(lab, ana, created_by=None)
    assert warn_files() == 1
    assert told(file) == ["page"]


def test_pages_leave_to_the_mail_whom_it_can_reach(office: PostOffice, ana: User, lab: Workspace) -> None:
    file = going(lab, ana, days=13)
    assert warn_files() == 0
    assert tell() == 1
    assert told(file) == ["mail"]


def test_mail_server_that_stays_down_does_not_hold_the_warning_up(
    office: PostOffice, ana: User, lab: Workspace
) -> None:
    office.refuses["MAIL FROM"] = "451 later"
    file = going(lab, ana, days=11.9)
    tell()
    assert told(file) == []
    assert warn_files() == 1
    assert told(file) == ["page"]


def test_of_a_refused_address_the_pages_tell(office: PostOffice, ana: User, lab: Workspace) -> None:
    office.refuses["RCPT TO:<ANA@"] = "550 nobody"
    file = going(lab, ana, days=13)
    tell()
    assert told(file) == ["page"]


def test_without_a_mail_server_the_pages_tell(settings: Settings, ana: User, lab: Workspace) -> None:
    settings.MAILERS = {}
    file = going(lab, ana)
    assert warn_files() == 1
    assert told(file) == ["page"]


def test_zero_days_are_no_warning(office: PostOffice, settings: Settings, ana: User, lab: Workspace) -> None:
    settings.EXPIRY_WARNING_DAYS = 0
    going(lab, ana, days=-1)
    assert (tell(), warn_files()) == (0, 0)


def test_date_that_changed_while_the_mail_was_sent_is_told_again(office: PostOffice, ana: User, lab: Workspace) -> None:
    file = going(lab, ana)
    File.objects.filter(pk=file.pk).update(expires_at=timezone.now() + timedelta(days=300))
    assert notice.record_told([file.pk], by="mail") == 0
    assert told(file) == []


def test_only_who_sent_the_file_is_mailed(office: PostOffice, ana: User, teammate: User, lab: Workspace) -> None:
    addressed(teammate)
    going(lab, ana)
    tell()
    assert office.recipients == ["ana@example.org"]
