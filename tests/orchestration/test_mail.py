"""A person gets a mail when her jobs end: who, of what, how often; and what goes wrong on the way."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution import letter as letters
from orchestration.execution import mail as mailing
from orchestration.execution.mail import tell
from orchestration.models import Job, Membership, User, Workspace
from orchestration.services.mail import choose
from orchestration.services.reruns import retry
from orchestration.states import JobState
from orchestration.tasks import mail as mail_task
from project.celery import app
from tests.factories import make_job, make_user
from tests.orchestration.post_office import PostOffice, addressed, pause_is_over, use

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


def test_failed_job_is_told_with_what_a_person_needs(office: PostOffice, ana: User, lab: Workspace) -> None:
    job = make_job(
        ana, lab, state="FAILED", name="March sales", failure_kind="INPUT", failure_detail="Line 3 has 9 columns."
    )
    assert tell() == 1
    (mail,) = office.letters
    assert mail["Subject"] == "Esteira: March sales failed"
    assert (mail["From"], mail["To"]) == ("Esteira <esteira@example.org>", "ana@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "noop in lab" in text
    assert "An input cannot be processed (INPUT). The file's fault." in text
    assert "Line 3 has 9 columns." in text
    assert f"https://esteira.example/jobs/{job.pk}/" in text
    assert "To change that: https://esteira.example/notifications/settings/" in text


def test_end_is_told_once(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED")
    tell()
    pause_is_over(ana)
    assert tell() == 0
    assert len(office.letters) == 1


def test_unfinished_job_is_no_news(office: PostOffice, ana: User, lab: Workspace) -> None:
    choose(user=ana, mail_on="always")
    make_job(ana, lab, state="RUNNING")
    assert tell() == 0
    assert not Job.objects.untold().exists()


def test_jobs_that_end_together_come_in_one_mail(office: PostOffice, ana: User, lab: Workspace) -> None:
    choose(user=ana, mail_on="always")
    for name, state in [("a", "SUCCEEDED"), ("b", "SUCCEEDED"), ("c", "TIMED_OUT"), ("d", "CANCELED")]:
        make_job(ana, lab, state=state, name=name)
    assert tell() == 1
    assert office.subjects == ["Esteira: 4 jobs ended: 2 succeeded, 1 timed out, 1 canceled"]
    said = office.letters[0].get_content()
    places = [said.index(s) for s in ("c timed out", "a succeeded", "b succeeded", "d was canceled")]
    assert places == sorted(places), "failures come first"


def test_next_mail_waits_for_the_pause_and_holds_what_ended_meanwhile(
    office: PostOffice, ana: User, lab: Workspace
) -> None:
    make_job(ana, lab, state="FAILED", name="first")
    tell()
    for name in ("second", "third"):
        make_job(ana, lab, state="FAILED", name=name)
    assert tell() == 0
    left = User.objects.get(pk=ana.pk).mail_next_at
    assert left
    assert timedelta(minutes=4) < left - timezone.now() <= mailing.PAUSE
    pause_is_over(ana)
    assert tell() == 1
    assert office.subjects[1] == "Esteira: 2 jobs ended: 2 failed"


def test_of_many_jobs_some_are_shown_and_all_are_told(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "SHOWN", 3)
    for n in range(5):
        make_job(ana, lab, state="FAILED", name=f"number {n}")
    tell()
    text = office.letters[0].get_content()
    assert text.count("noop in lab") == 3
    assert "… and 2 more: https://esteira.example/jobs/" in text
    assert not Job.objects.untold().exists()


def test_what_one_mail_cannot_hold_comes_in_the_next(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "MOST_JOBS", 2)
    for n in range(3):
        make_job(ana, lab, state="FAILED", name=f"number {n}")
    tell()
    pause_is_over(ana)
    tell()
    assert office.subjects == ["Esteira: 2 jobs ended: 2 failed", "Esteira: number 2 failed"]


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.TIMED_OUT])
@pytest.mark.parametrize(
    ("mail_on", "told"),
    [("never", ""), ("failures", "FAILED TIMED_OUT"), ("always", "SUCCEEDED FAILED CANCELED TIMED_OUT")],
)
def test_person_is_told_what_she_chose(
    office: PostOffice, ana: User, lab: Workspace, mail_on: str, told: str, state: str
) -> None:
    choose(user=ana, mail_on=mail_on)
    make_job(ana, lab, state=state)
    assert tell() == (state in told.split())
    is_claimed = User.objects.get(pk=ana.pk).mail_next_at is not None
    assert is_claimed == (state in told.split()), "nobody is kept waiting for a mail that was not sent"


def test_what_she_did_not_choose_does_not_come_along(office: PostOffice, ana: User, lab: Workspace) -> None:
    for state in ("FAILED", "SUCCEEDED"):
        make_job(ana, lab, state=state)
    tell()
    assert office.subjects == ["Esteira: noop failed"]


def test_new_person_is_told_of_failures_only() -> None:
    assert make_user("nova").mail_on == "failures"


def test_choice_holds_from_now_on(office: PostOffice, ana: User, lab: Workspace) -> None:
    """Nobody is flooded with yesterday's successes for asking; and the failure that was on its way still comes."""
    make_job(ana, lab, state="SUCCEEDED", name="old success")
    make_job(ana, lab, state="FAILED", name="waiting failure")
    choose(user=ana, mail_on="always")
    make_job(ana, lab, state="SUCCEEDED", name="new success")
    tell()
    text = office.letters[0].get_content()
    assert "old success" not in text
    assert "waiting failure" in text
    assert "new success" in text


def test_only_the_submitter_is_told(
    office: PostOffice, ana: User, teammate: User, stranger: User, lab: Workspace
) -> None:
    for other in (teammate, stranger):
        addressed(other, mail_on="always")
    make_job(ana, lab, state="FAILED")
    tell()
    assert office.recipients == ["ana@example.org"]


@pytest.mark.parametrize("gone", [{"is_active": False}, {"email": ""}], ids=str)
def test_person_who_is_gone_or_has_no_address_is_passed_by(
    office: PostOffice, ana: User, lab: Workspace, gone: dict[str, Any]
) -> None:
    User.objects.filter(pk=ana.pk).update(**gone)
    make_job(ana, lab, state="FAILED")
    assert tell() == 0
    assert office.connections == 0
    assert Job.objects.untold().exists()


def test_who_left_the_workspace_hears_no_more_of_it(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED", name="secret of the lab")
    Membership.objects.filter(user=ana).delete()
    assert tell() == 0
    assert not office.letters


def test_what_ended_long_ago_is_no_news(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED", finished_at=timezone.now() - timedelta(hours=25))
    assert tell() == 0
    make_job(ana, lab, state="FAILED", name="fresh", finished_at=timezone.now() - timedelta(hours=23))
    tell()
    assert office.subjects == ["Esteira: fresh failed"]


def test_without_a_mail_server_nothing_happens(settings: Settings, ana: User, lab: Workspace) -> None:
    settings.MAILERS = {}
    make_job(ana, lab, state="FAILED")
    assert tell() == 0
    assert User.objects.get(pk=ana.pk).mail_next_at is None


def test_task_comes_by_the_clock_and_sends(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED")
    assert "esteira.mail" in {entry["task"] for entry in app.conf.beat_schedule.values()}
    mail_task()
    assert len(office.letters) == 1


def test_retried_job_is_told_again(office: PostOffice, ana: User, lab: Workspace) -> None:
    job = make_job(ana, lab, state="FAILED", name="again")
    tell()
    retry(user=ana, job=job)
    pause_is_over(ana)
    assert tell() == 0, "it runs"
    Job.objects.get(pk=job.pk).move(JobState.FAILED, failure_kind="USER_CODE")
    tell()
    assert "noop in lab, run 2" in office.letters[1].get_content()


@pytest.mark.parametrize(
    "name", ["x\r\nBcc: eve@example.org", "x\nBcc: eve@example.org", "x\u2028Bcc: eve@example.org"]
)
def test_name_of_a_job_starts_no_header_and_no_line(office: PostOffice, ana: User, lab: Workspace, name: str) -> None:
    make_job(ana, lab, state="FAILED", name=name, failure_detail=f"{name}\n\nYour password has expired.")
    tell()
    (mail,) = office.letters
    assert mail["Subject"] == "Esteira: x Bcc: eve@example.org failed"
    assert mail["Bcc"] is None
    lines = mail.get_content().splitlines()
    assert not [line for line in lines if line.strip().startswith(("Bcc", "Your password"))]


def test_name_of_a_job_does_not_turn_the_text_around(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED", name="\u202egnp.\x1b[31mx", failure_detail="\u2066y\x07")
    tell()
    (mail,) = office.letters
    assert mail["Subject"] == "Esteira: gnp. [31mx failed"
    assert not {"\u202e", "\x1b", "\u2066", "\x07"} & set(mail.get_content())


def test_long_and_foreign_names_arrive(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED", name="Ação " * 40, failure_detail="ж" * 2_000)
    tell()
    (mail,) = office.letters
    assert mail["Subject"].startswith("Esteira: Ação Ação")
    assert len(mail["Subject"]) < 130
    assert "ж" * 499 + "…" in mail.get_content()


def test_user_and_password_of_the_address_are_used(
    office: PostOffice, ana: User, lab: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(office.url.replace("//", "//post:p%40ss@"), settings, monkeypatch)
    make_job(ana, lab, state="FAILED")
    tell()
    assert base64.b64decode(office.signed_in[-1]) == b"\0post\0p@ss"


def test_people_share_one_connection(office: PostOffice, ana: User, teammate: User, lab: Workspace) -> None:
    for user in (ana, addressed(teammate)):
        make_job(user, lab, state="FAILED")
    assert tell() == 2
    assert sorted(office.recipients) == ["ana@example.org", "bruno@example.org"]
    assert office.connections == 1
