"""A webhook that is deleted, or sent elsewhere, while a request to it is under way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.execution import webhook_outcome
from orchestration.execution.webhook_intake import take_in
from orchestration.execution.webhook_outcome import record
from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from orchestration.services import webhooks
from orchestration.services.webhooks import create_webhook, delete_webhook, edit_webhook
from orchestration.states import EventKind
from orchestration.webhooks.sending import Reply
from tests.factories import make_job
from tests.receiver import Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from orchestration.models import Job, User, Workspace

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab)


def told(job: Job, number: int = 1) -> None:
    for _ in range(number):
        job.event(EventKind.JOB, old="RUNNING", new="SUCCEEDED").save(force_insert=True)
    take_in()


def beside(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """On a connection of its own, with what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001  looked at by the test
            raised.append(exc)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_webhook_is_deleted_with_its_log_some_at_a_time(
    manager: User, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhooks, "MOST_TOGETHER", 10)
    caplog.set_level("INFO")
    endpoint, _ = create_webhook(user=manager, url="https://hooks.example/")
    other, _ = create_webhook(user=manager, url="https://other.example/")
    told(job, 25)
    for delivery in endpoint.deliveries.all()[:12]:
        record(delivery, Reply(status=200), url=endpoint.url)
    with CaptureQueriesContext(connection) as asked:
        delete_webhook(user=manager, endpoint=endpoint)
    deleted = [one["sql"] for one in asked if 'DELETE FROM "orchestration_webhookdelivery"' in one["sql"]]
    assert [sql.count("::uuid") for sql in deleted] == [10, 10, 5]
    noted = [vars(one)["endpoint_id"] for one in caplog.records if one.message == "webhook deleted"]
    assert noted == [str(endpoint.pk)]
    assert [*WebhookEndpoint.objects.all()] == [other]
    assert (WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (25, 0)


def test_webhook_is_deleted_while_what_became_of_a_try_is_written_down(
    manager: User, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _ = create_webhook(user=manager, url="https://hooks.example/")
    told(job)
    delivery = endpoint.deliveries.get()
    settled, locked, go = webhook_outcome._settled, threading.Event(), threading.Event()

    def late(*given: Any) -> Any:
        locked.set()
        assert go.wait(10)
        return settled(*given)

    monkeypatch.setattr(webhook_outcome, "_settled", late)
    recording, trouble = beside(lambda: record(delivery, Reply(status=200), url=endpoint.url))
    assert locked.wait(10)
    deleting, refused = beside(lambda: delete_webhook(user=manager, endpoint=endpoint))
    deleting.join(0.3)  # it has come as far as it comes
    go.set()
    recording.join(10)
    deleting.join(10)
    assert (trouble, refused) == ([], [])
    assert not WebhookEndpoint.objects.exists()


def test_word_of_the_old_address_is_not_held_against_the_new_one(
    receiver: Receiver, manager: User, job: Job, settings: Settings
) -> None:
    settings.WEBHOOK_SENDERS = 1
    endpoint, _ = create_webhook(user=manager, url=receiver.url)

    def moved(handler: Any) -> None:
        thread, raised = beside(
            lambda: edit_webhook(user=manager, endpoint=endpoint, changes={"url": f"{receiver.url}/new"})
        )
        thread.join(10)
        assert not raised
        handler.wfile.write(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")

    receiver.answers.append(moved)
    told(job)
    send_due()
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.failing_since) == (True, None)
    send_due()
    assert [one.path for one in receiver.received] == ["/hook", "/hook/new"]
    assert endpoint.deliveries.get().state == "delivered"
    assert list(WebhookAttempt.objects.order_by("pk").values_list("status", flat=True)) == [410, 204]
