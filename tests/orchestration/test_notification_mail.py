"""Notifications by mail: at once or once a day, each once, and a way out of it in one click."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orchestration.execution import mail as mailing
from orchestration.execution.digest import next_digest
from orchestration.execution.job_notices import tell_of_jobs
from orchestration.execution.mail import tell
from orchestration.execution.notifying import tell as tell_people
from orchestration.models import Job, User, Workspace
from orchestration.services.notifications import choose, mark_all_read
from orchestration.services.profile import describe
from orchestration.states import NotificationKind
from tests.factories import join, make_job
from tests.orchestration.post_office import PostOffice, pause_is_over
from tests.orchestration.test_notifications import fails

pytestmark = pytest.mark.django_db
FAILED, TROUBLE = NotificationKind.JOB_FAILED, NotificationKind.FILE_TROUBLE


def trouble(user: User, lab: Workspace, name: str = "a.csv") -> None:
    data = {"file": "x", "name": name, "what": "damaged", "detail": "It differs."}
    tell_people(kind=TROUBLE, workspace_id=lab.pk, people=[user.pk], group="damaged", data=data)


def day_is_over(user: User) -> None:
    User.objects.filter(pk=user.pk).update(digest_next_at=timezone.now() - timedelta(seconds=1))
    pause_is_over(user)


def test_trouble_with_a_file_is_mailed_at_once_and_once(office: PostOffice, ana: User, lab: Workspace) -> None:
    trouble(ana, lab)
    assert tell() == 1
    pause_is_over(ana)
    assert tell() == 0
    (mail,) = office.letters
    assert mail["Subject"] == "Esteira: a.csv is damaged"
    assert "It differs." in mail.get_content()
    assert "https://esteira.example/files/x/" in mail.get_content()


def test_what_joins_later_is_mailed_as_what_is_new(office: PostOffice, ana: User, lab: Workspace) -> None:
    trouble(ana, lab)
    tell()
    trouble(ana, lab, "b.csv")
    trouble(ana, lab, "c.csv")
    pause_is_over(ana)
    tell()
    assert office.subjects == ["Esteira: a.csv is damaged", "Esteira: 2 files are damaged"]


def test_daily_mail_waits_for_its_hour_and_has_all_of_the_day(office: PostOffice, ana: User, lab: Workspace) -> None:
    tell_of_jobs()
    choose(user=ana, workspace=lab, changes={FAILED: (True, "daily"), TROUBLE: (True, "daily")})
    for _ in range(3):
        fails(ana, lab)
    trouble(ana, lab)
    tell_of_jobs()
    assert tell() == 0, "neither the jobs nor the notifications come before"
    day_is_over(ana)
    assert (tell(), tell()) == (1, 0)
    assert office.subjects == ["Esteira: 2 notifications"]
    assert "3 jobs of noop failed" in office.letters[0].get_content()
    ana.refresh_from_db()
    assert ana.digest_next_at
    assert ana.digest_next_at > timezone.now()


def test_killed_after_sending_the_daily_mail_comes_once_more_and_never_a_third_time(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(user=ana, workspace=lab, changes={TROUBLE: (True, "daily")})
    trouble(ana, lab)
    day_is_over(ana)

    def die(passed: str) -> None:
        if passed == "mail.sent":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mailing, "point", die)
        with pytest.raises(KeyboardInterrupt):
            tell()
    assert tell() == 0, "the claim still stands"
    for _ in range(2):
        pause_is_over(ana)
        tell()
    assert len(office.letters) == 2


def test_what_is_mailed_at_once_in_one_workspace_and_not_in_another(
    office: PostOffice, ana: User, lab: Workspace, people: object
) -> None:
    elsewhere = Workspace.objects.get(slug="elsewhere")
    join(ana, elsewhere)
    choose(user=ana, workspace=elsewhere, changes={FAILED: (True, "never")})
    make_job(ana, elsewhere, state="FAILED", name="silent")
    make_job(ana, lab, state="FAILED", name="loud")
    assert tell() == 1
    assert office.subjects == ["Esteira: loud failed"]


def test_success_is_mailed_where_she_chose_it_and_from_then_on(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="SUCCEEDED", name="before")
    choose(user=ana, workspace=lab, changes={NotificationKind.JOB_ENDED: (True, "at_once")})
    make_job(ana, lab, state="SUCCEEDED", name="after")
    assert tell() == 1
    assert office.subjects == ["Esteira: after succeeded"]


def test_job_is_not_mailed_twice_by_the_two_ways(office: PostOffice, ana: User, lab: Workspace) -> None:
    tell_of_jobs()
    fails(ana, lab, name="once")
    tell_of_jobs()
    tell()
    day_is_over(ana)
    assert tell() == 0
    assert office.subjects == ["Esteira: once failed"]


def test_only_mailed_ones_are_not_shown_and_end_with_the_mail(office: PostOffice, ana: User, lab: Workspace) -> None:
    choose(user=ana, workspace=lab, changes={TROUBLE: (False, "at_once")})
    trouble(ana, lab)
    assert mark_all_read(user=ana)[0] == 0
    assert tell() == 1
    assert not ana.notifications.filter(is_open=True).exists()


def test_mail_has_text_simple_html_and_a_way_out_in_one_click(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED", name="<script>alert(1)</script>")
    choose(user=ana, workspace=lab, changes={TROUBLE: (True, "daily")})
    tell()
    (mail,) = office.letters
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.fullmatch(r"<https://esteira\.example(/unsubscribe/\S+/)>", "".join(mail["List-Unsubscribe"].split()))
    assert link
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(link[1]).status_code == 200
    ana.refresh_from_db()
    assert ana.mail_on == "failures", "a look changes nothing"
    assert browser.post(link[1], {"List-Unsubscribe": "One-Click"}).status_code == 200
    ana.refresh_from_db()
    assert ana.mail_on == "never"
    trouble(ana, lab)
    Job.objects.update(told_run=0)
    day_is_over(ana)
    assert tell() == 0


@pytest.mark.parametrize("key", ["x", "0" * 32, "0" * 32 + ":abc"])
def test_link_that_nobody_was_mailed_leads_nowhere(db: None, key: str) -> None:
    assert Client().post(f"/unsubscribe/{key}/").status_code == 404


@pytest.mark.parametrize(
    ("zone", "hour", "now", "then"),
    [
        ("", 7, "2026-11-29T07:00Z", "2026-11-30T07:00Z"),
        ("", 8, "2026-11-29T07:00Z", "2026-11-29T08:00Z"),
        ("", 0, "2026-11-29T07:00Z", "2026-11-30T00:00Z"),
        ("America/Sao_Paulo", 7, "2026-11-29T07:00Z", "2026-11-29T10:00Z"),
        ("Asia/Tokyo", 7, "2026-11-29T07:00Z", "2026-11-29T22:00Z"),
        ("Pacific/Kiritimati", 0, "2026-11-29T11:00Z", "2026-11-30T10:00Z"),
        ("Mars/Olympus", 7, "2026-11-29T07:00Z", "2026-11-30T07:00Z"),
        # The hour that is left out in spring, the day of 25 hours, and the hour that comes twice: once each.
        ("Europe/Berlin", 2, "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("Europe/Berlin", 7, "2026-10-24T05:00Z", "2026-10-25T06:00Z"),
        ("Europe/Berlin", 2, "2026-10-25T00:00Z", "2026-10-26T01:00Z"),
    ],
)
def test_next_daily_mail_is_at_her_hour_of_her_clock(zone: str, hour: int, now: str, then: str) -> None:
    user = User(digest_hour=hour, time_zone=zone)
    assert next_digest(user, datetime.fromisoformat(now)) == datetime.fromisoformat(then)


def test_daily_mail_moves_with_the_clock_of_whoever_moves(ana: User, lab: Workspace) -> None:
    choose(user=ana, workspace=lab, changes={TROUBLE: (True, "daily")}, digest_hour=18)
    describe(user=ana, name="Ana", language="", time_zone="Asia/Tokyo")
    ana.refresh_from_db()
    assert ana.digest_next_at
    assert ana.digest_next_at.hour == 18 - 9
    kept = ana.digest_next_at
    describe(user=ana, name="Ana Souza", language="pt-br", time_zone="Asia/Tokyo")
    ana.refresh_from_db()
    assert ana.digest_next_at == kept


def test_daily_mail_that_nobody_asked_for_does_not_come_with_a_new_clock(ana: User, lab: Workspace) -> None:
    describe(user=ana, name="Ana", language="", time_zone="Asia/Tokyo")
    ana.refresh_from_db()
    assert ana.digest_next_at is None
