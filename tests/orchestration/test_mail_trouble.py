"""Mail when something goes wrong: a server that is down or refuses, a kill between two lines, two senders at once."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.execution import mail as mailing
from orchestration.execution.mail import tell
from orchestration.models import Job, User, Workspace
from orchestration.services.reruns import retry
from orchestration.states import JobState
from tests.factories import join, make_job, make_user
from tests.orchestration.post_office import PostOffice, addressed, pause_is_over, use

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """As kill -9 at that line, as far as what is committed goes."""


@pytest.fixture
def bruno(teammate: User) -> User:
    """Is told after Ana: she has waited longer."""
    return addressed(teammate, mail_next_at=timezone.now() - timedelta(seconds=1))


def kill_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def die(passed: str) -> None:
        if passed == name:
            raise Killed

    monkeypatch.setattr(mailing, "point", die)


def due_in(user: User) -> timedelta:
    at = User.objects.get(pk=user.pk).mail_next_at
    assert at
    return at - timezone.now()


@pytest.mark.parametrize(("at", "letters"), [("mail.claimed", 1), ("mail.sent", 2)])
def test_killed_sender_loses_no_mail_and_at_worst_repeats_one(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch, at: str, letters: int
) -> None:
    make_job(ana, lab, state="FAILED", name="kept")
    with monkeypatch.context() as patch:
        kill_at(patch, at)
        with pytest.raises(Killed):
            tell()
    assert tell() == 0, "the claim still stands"
    pause_is_over(ana)
    assert tell() == 1
    assert office.subjects == ["Esteira: kept failed"] * letters


def test_run_that_ends_between_send_and_record_is_told_next(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(ana, lab, state="FAILED")

    def end_again(passed: str) -> None:
        if passed == "mail.sent":
            again = retry(user=ana, job=job)
            again.move(JobState.TIMED_OUT, failure_kind="RESOURCES")

    with monkeypatch.context() as patch:
        patch.setattr(mailing, "point", end_again)
        tell()
    pause_is_over(ana)
    assert tell() == 1
    assert office.subjects == ["Esteira: noop failed", "Esteira: noop timed out"]


def test_server_that_is_down_delays_and_loses_nothing(
    office: PostOffice, ana: User, bruno: User, lab: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    use("smtp://127.0.0.1:1/?security=none", settings, monkeypatch)
    assert tell() == 0
    assert User.objects.get(pk=ana.pk).mail_tries == 1
    assert User.objects.get(pk=bruno.pk).mail_tries == 0, "one try a round is enough to know"
    assert User.objects.get(pk=ana.pk).mail_problem == "", "it is no trouble of hers"
    use(office.url, settings, monkeypatch)
    pause_is_over(ana)
    assert tell() == 2
    assert User.objects.get(pk=ana.pk).mail_tries == 0


def test_each_failed_try_waits_longer_up_to_a_bound(
    office: PostOffice, ana: User, lab: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(ana, lab, state="FAILED")
    use("smtp://127.0.0.1:1/?security=none", settings, monkeypatch)
    waits = []
    for _ in range(7):
        tell()
        waits.append(round(due_in(ana) / timedelta(minutes=1)))
        pause_is_over(ana)
    assert waits == [1, 2, 4, 8, 16, 16, 16]
    User.objects.filter(pk=ana.pk).update(mail_tries=1_000)
    tell()
    assert timedelta(minutes=15) < due_in(ana) <= mailing.LAST_BACKOFF


@pytest.mark.parametrize("start", ["EHLO", "AUTH"])
def test_server_that_does_not_take_us_is_as_good_as_down(
    office: PostOffice,
    ana: User,
    bruno: User,
    lab: Workspace,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
) -> None:
    use(office.url.replace("//", "//post:secret@"), settings, monkeypatch)
    office.refuses = {start: "535 who are you", "HELO": "535 who are you"}
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    assert tell() == 0
    assert User.objects.get(pk=bruno.pk).mail_next_at == bruno.mail_next_at
    assert Job.objects.untold().count() == 2


def test_refused_recipient_is_given_up_and_noted_and_others_go_on(
    office: PostOffice, ana: User, bruno: User, lab: Workspace
) -> None:
    office.refuses = {"RCPT TO:<ANA@": "550 5.1.1 no such mailbox"}
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    assert tell() == 1
    assert office.recipients == ["bruno@example.org"]
    ana.refresh_from_db()
    assert ana.mail_problem == "550 5.1.1 no such mailbox"
    assert timedelta(minutes=50) < due_in(ana) <= mailing.AFTER_REFUSAL
    pause_is_over(ana)
    assert tell() == 0, "that one is given up"

    office.refuses = {}
    make_job(ana, lab, state="FAILED", name="the next")
    assert tell() == 1
    ana.refresh_from_db()
    assert ana.mail_problem == ""
    assert office.subjects[1] == "Esteira: the next failed"


@pytest.mark.parametrize(
    "refuses",
    [
        {"RCPT TO:<ANA@": "451 4.7.1 greylisted"},
        {"RCPT TO:<ANA@": "554 5.7.1 relay access denied"},
        {"MAIL": "530 sign in first"},
        {"DATA": "554 5.6.0 not now"},
    ],
    ids=str,
)
def test_mail_that_does_not_go_through_now_is_tried_again(
    office: PostOffice, ana: User, bruno: User, lab: Workspace, refuses: dict[str, str]
) -> None:
    office.refuses = refuses
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    tell()
    assert User.objects.get(pk=ana.pk).mail_tries == 1
    others = User.objects.get(pk=bruno.pk)
    assert others.mail_next_at != bruno.mail_next_at, "one mail's trouble stops nobody else's"
    office.refuses = {}
    for user in (ana, bruno):
        pause_is_over(user)
    tell()
    assert sorted(office.recipients) == ["ana@example.org", "bruno@example.org"]


@pytest.mark.parametrize("address", ["no address", "a@b.example\r\nBcc: eve@b.example", "a@b.example, eve@b.example"])
def test_what_is_no_address_is_given_up(
    office: PostOffice, ana: User, bruno: User, lab: Workspace, address: str
) -> None:
    User.objects.filter(pk=ana.pk).update(email=address)
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    assert tell() == 1
    assert office.recipients == ["bruno@example.org"]
    assert User.objects.get(pk=ana.pk).mail_problem
    assert not Job.objects.untold().exists()


def test_person_whose_mail_cannot_be_written_holds_nobody_up(
    office: PostOffice, ana: User, bruno: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in (ana, bruno):
        make_job(user, lab, state="FAILED")
    send = mailing._send

    def poisoned(mailer: Any, user: User, *news: Any) -> Any:
        if user == ana:
            raise KeyError("poison")
        return send(mailer, user, *news)

    monkeypatch.setattr(mailing, "_send", poisoned)
    assert tell() == 1
    assert office.recipients == ["bruno@example.org"]


def test_slow_server_holds_one_thread_and_no_more(office: PostOffice, ana: User, lab: Workspace) -> None:
    make_job(ana, lab, state="FAILED")
    with mailing._one_round:
        assert tell() == 0
    assert tell() == 1


def test_round_ends_in_time_and_the_next_goes_on(
    office: PostOffice, ana: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(ana, lab, state="FAILED")
    with monkeypatch.context() as patch:
        patch.setattr(mailing, "ROUND_S", -1.0)
        assert tell() == 0
    assert tell() == 1


@pytest.mark.django_db(transaction=True)
def test_many_senders_at_once_mail_each_person_once_and_hold_no_transaction(
    office: PostOffice, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(12):
        user = addressed(make_user(f"person-{n}"))
        join(user, lab)
        make_job(user, lab, state="FAILED")
    waits: list[bool] = []
    send = mailing._send

    def watched(*args: Any) -> Any:
        waits.append(connection.in_atomic_block)
        return send(*args)

    monkeypatch.setattr(mailing, "_send", watched)

    def work() -> None:
        try:
            mailing._round()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(office.recipients) == {f"person-{n}@example.org": 1 for n in range(12)}
    assert waits == [False] * 12
