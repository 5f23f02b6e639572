"""Many receivers and many writers at once: a slow one delays nobody, and no event is passed over."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection

from orchestration.execution import event_gaps, webhook_round
from orchestration.execution.webhook_intake import take_in
from orchestration.execution.webhook_round import crew, send_due
from orchestration.models import Event, WebhookDelivery, WebhookEndpoint
from orchestration.services import webhook_deliveries, webhooks
from orchestration.services.webhooks import create_webhook
from orchestration.states import WEBHOOK_CHOICES, EventKind
from orchestration.webhooks import sending
from tests.factories import make_job
from tests.receiver import Receiver, allow, pass_time, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db(transaction=True)
GOOD = 12


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_deliveries, "nudge_webhooks", lambda: None)
    monkeypatch.setattr(webhooks, "MOST_OF_A_WORKSPACE", 1_000)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab)


def told(job: Job, number: int = 1) -> list[int]:
    """So many ends of the job; of a running one, which does not matter here."""
    events = [job.event(EventKind.JOB, old="RUNNING", new="SUCCEEDED") for _ in range(number)]
    for event in events:
        event.save(force_insert=True)
    return [event.pk for event in events]


@contextmanager
def holes(settings: Settings, number: int) -> Iterator[list[Receiver]]:
    opened = [Receiver().__enter__() for _ in range(number)]
    for one in opened:
        one.always = one.never
    allow(settings, *opened)
    try:
        yield opened
    finally:
        for one in opened:
            one.__exit__()
        assert crew.rest(20), "a sender did not come back"


def until(done: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        send_due()
        time.sleep(0.02)
    return bool(done())


def test_black_holes_delay_nobody(receiver: Receiver, manager: User, job: Job, settings: Settings) -> None:
    """Three receivers take requests and never answer, one of them every time; the others have everything at once."""
    settings.WEBHOOK_SENDERS = 8
    with holes(settings, 3) as black:
        for hole in black:
            create_webhook(user=manager, url=hole.url)
        for number in range(GOOD):
            create_webhook(user=manager, url=f"{receiver.url}/{number}")
        told(job, 5)
        assert until(lambda: len(receiver.received) == 5 * GOOD, 12), f"{len(receiver.received)} came in time"
        assert [len(hole.received) for hole in black] == [1, 1, 1], "each holds one sender and no more"


def test_troubled_receivers_never_have_all_senders(
    receiver: Receiver, manager: User, job: Job, settings: Settings
) -> None:
    settings.WEBHOOK_SENDERS = 4
    with holes(settings, 6) as black:
        for hole in black:
            create_webhook(user=manager, url=hole.url)
        WebhookEndpoint.objects.update(failures=1)
        create_webhook(user=manager, url=receiver.url)
        told(job)
        assert until(lambda: len(receiver.received) == 1, 10)
        send_due()
        assert sum(len(hole.received) for hole in black) == 2, "half of the senders"


def test_slow_receivers_never_have_all_senders_although_they_answer_well(
    receiver: Receiver, manager: User, job: Job, settings: Settings
) -> None:
    settings.WEBHOOK_SENDERS = 4
    with holes(settings, 6) as slow:
        for one in slow:
            create_webhook(user=manager, url=one.url)
        WebhookEndpoint.objects.update(took_ms=1_000)
        create_webhook(user=manager, url=receiver.url)
        told(job)
        assert until(lambda: len(receiver.received) == 1, 10)
        send_due()
        assert sum(len(one.received) for one in slow) == 2, "half of the senders"


def test_how_long_a_receiver_took_is_kept(receiver: Receiver, manager: User, job: Job) -> None:
    def slow(handler: Any) -> None:
        time.sleep(0.05)
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    receiver.always = slow
    create_webhook(user=manager, url=receiver.url)
    told(job)
    send_due()
    assert crew.rest(20)
    assert 50 <= WebhookEndpoint.objects.get().took_ms < 1_000


def test_a_black_hole_delays_none_of_ninety_nine(
    receiver: Receiver, manager: User, job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_SENDERS = 32
    monkeypatch.setattr(sending, "TIMEOUT_S", 90.0)
    with holes(settings, 1) as black:
        create_webhook(user=manager, url=black[0].url)
        for number in range(99):
            create_webhook(user=manager, url=f"{receiver.url}/{number}")
        told(job)
        assert until(lambda: len(receiver.received) == 99, 60), f"{len(receiver.received)} came in time"
        assert len(black[0].received) == 1
        # What was taken is written down a moment later.
        assert until(lambda: WebhookDelivery.objects.waiting().count() == 1, 10), "its request is still under way"


def test_what_is_due_does_not_wait_for_a_long_writer(
    receiver: Receiver, manager: User, job: Job, settings: Settings
) -> None:
    """Each look for new events waits a second for the writer; twenty webhooks do not wait twenty seconds."""
    settings.WEBHOOK_SENDERS = 8
    for number in range(20):
        create_webhook(user=manager, url=f"{receiver.url}/{number}")
    told(job)
    take_in()
    with open_transaction() as other:
        write_event(other, job)
        told(job)
        begun = time.monotonic()
        assert until(lambda: len(receiver.received) == 20, 15)
        assert time.monotonic() - begun < 15


def test_one_receiver_is_sent_one_request_at_a_time(manager: User, job: Job, settings: Settings) -> None:
    settings.WEBHOOK_SENDERS = 8
    under_way, most, lock = 0, 0, threading.Lock()

    def slow(handler: Any) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with lock:
            under_way -= 1
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    with Receiver(always=slow) as receiver:
        allow(settings, receiver)
        create_webhook(user=manager, url=receiver.url)
        told(job, 10)
        assert until(lambda: WebhookDelivery.objects.filter(state="delivered").count() == 10, 20)
        assert crew.rest(20)
    assert most == 1
    sequence = [one.body.split(b'"sequence":"')[1][:19] for one in receiver.received]
    assert sequence == sorted(sequence)


def test_sender_that_loses_the_database_leaves_a_lease_and_no_more(
    receiver: Receiver, manager: User, job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def lost(*_: Any, **__: Any) -> bool:
        raise OperationalError("gone")

    settings.WEBHOOK_SENDERS = 2
    create_webhook(user=manager, url=receiver.url)
    told(job)
    with monkeypatch.context() as trouble:
        trouble.setattr(webhook_round, "record", lost)
        send_due()
        assert crew.rest(20)
    assert "webhook sender lost the database" in caplog.text
    send_due()
    assert len(receiver.received) == 1
    pass_time(timedelta(minutes=2, seconds=1))
    send_due()
    assert crew.rest(20)
    assert WebhookDelivery.objects.get().state == "delivered"


@contextmanager
def open_transaction() -> Iterator[Any]:
    """Another writer's."""
    other = connection.copy()
    other.connect()
    try:
        other.cursor().execute("BEGIN")
        yield other
    finally:
        other.close()


def write_event(other: Any, job: Job) -> int:
    cursor = other.cursor()
    cursor.execute(
        "INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)"
        " VALUES (%s, %s, 'job', '', 'QUEUED', 'RUNNING', '', '{}') RETURNING id",
        [job.workspace_id, job.pk],
    )
    return int(cursor.fetchone()[0])


def waiting() -> list[int | None]:
    return list(WebhookDelivery.objects.order_by("event_id").values_list("event_id", flat=True))


def test_event_that_commits_late_is_not_passed_over(manager: User, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_gaps, "PATIENCE_S", 0.05)
    create_webhook(user=manager, url="https://hooks.example/", kinds=WEBHOOK_CHOICES)
    before = told(job)
    take_in()
    with open_transaction() as other:
        late = write_event(other, job)
        after = told(job)
        take_in()
        assert waiting() == before, "what follows it waits"
        other.cursor().execute("COMMIT")
    take_in()
    assert waiting() == [*before, late, *after]


def test_event_that_never_comes_holds_nothing_back(manager: User, job: Job) -> None:
    create_webhook(user=manager, url="https://hooks.example/", kinds=WEBHOOK_CHOICES)
    with open_transaction() as other:
        lost = write_event(other, job)
        other.cursor().execute("ROLLBACK")
        after = told(job)
    take_in()
    assert waiting() == after
    assert lost < after[0]


def test_two_at_once_make_each_delivery_once(manager: User, job: Job) -> None:
    create_webhook(user=manager, url="https://hooks.example/")
    told(job, 200)
    start = threading.Barrier(4)

    def work() -> None:
        try:
            start.wait()
            take_in()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    take_in()
    assert WebhookDelivery.objects.count() == Event.objects.count() == 200
