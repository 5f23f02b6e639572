"""What happens to jobs reaches the webhooks of their workspace: signed, once, in order, and nobody else's."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.errors import Conflict
from orchestration.execution import webhook_intake
from orchestration.execution.old_calls import forget_calls
from orchestration.execution.webhook_round import send_due
from orchestration.models import Job, WebhookDelivery, WebhookEndpoint, webhook
from orchestration.services import webhook_deliveries
from orchestration.services.reruns import retry
from orchestration.services.webhooks import create_webhook, edit_webhook
from orchestration.states import WEBHOOK_CHOICES, WebhookKind
from project.celery import app
from tests.factories import join, make_user
from tests.orchestration.play import run_all
from tests.receiver import Received, Receiver, pass_time, receiver, whole_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import User

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(receiver: Receiver, manager: User) -> WebhookEndpoint:
    return create_webhook(user=manager, url=receiver.url, kinds=WEBHOOK_CHOICES)[0]


def types(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["type"].removeprefix("esteira.job.") for one in receiver.received]


def attributes(one: Received) -> Any:
    return json.loads(one.body)


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("event_id").values_list("state", flat=True))


def test_life_of_a_job_is_told_in_order_and_each_move_once(
    receiver: Receiver, hook: WebhookEndpoint, owner: User
) -> None:
    job = whole_job(owner, name="March", labels={"batch": "7"})
    assert send_due() is False
    assert types(receiver) == ["submitted", "queued", "started", "succeeded"]
    send_due()
    assert len(receiver.received) == 4
    assert set(states()) == {"delivered"}

    said = attributes(receiver.received[-1])
    numbers = [attributes(one)["sequence"] for one in receiver.received]
    assert numbers == sorted(numbers)
    assert {name: said[name] for name in ("specversion", "subject", "datacontenttype", "source")} == {
        "specversion": "1.0",
        "subject": str(job.pk),
        "datacontenttype": "application/json",
        "source": "http://127.0.0.1:8000/workspaces/lab",
    }
    assert said["data"] == {
        "job": str(job.pk), "name": "March", "workspace": "lab", "pipeline": "noop", "pipeline_version": "1.0.0",
        "labels": {"batch": "7"}, "run": 1, "old": "RUNNING", "new": "SUCCEEDED", "reason": None, "failure_kind": None,
        "failure_detail": None, "url": f"http://127.0.0.1:8000/jobs/{job.pk}/",
    }  # fmt: skip
    assert receiver.received[0].headers["content-type"] == "application/cloudevents+json; charset=utf-8"


def test_failure_says_whose_it_is_and_a_retry_which_run(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    job = whole_job(owner, failing={0: "INPUT"})
    retry(user=owner, job=job)
    run_all(job)
    send_due()
    told = [(one["type"], one["data"]["run"]) for one in map(attributes, receiver.received)]
    assert [run for _, run in told] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert [kind for kind, _ in told][3:5] == ["esteira.job.failed", "esteira.job.retried"]
    failed = attributes(receiver.received[3])["data"]
    assert failed["failure_kind"] == "INPUT"
    assert "item 0 is broken" in failed["failure_detail"]


def test_by_default_only_ends_are_told(receiver: Receiver, manager: User, owner: User) -> None:
    create_webhook(user=manager, url=receiver.url)
    whole_job(owner)
    send_due()
    assert types(receiver) == ["succeeded"]


def test_what_happened_before_is_no_news(receiver: Receiver, manager: User, owner: User) -> None:
    whole_job(owner)
    create_webhook(user=manager, url=receiver.url, kinds=WEBHOOK_CHOICES)
    send_due()
    assert receiver.received == []


def test_webhook_hears_nothing_of_what_happened_before_it_was_made_however_late_that_is_looked_at(
    receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User
) -> None:
    whole_job(owner)
    create_webhook(user=manager, url=f"{receiver.url}/later")
    send_due()
    assert {one.path for one in receiver.received} == {"/hook"}


def test_nothing_of_another_workspace_is_told(
    receiver: Receiver, hook: WebhookEndpoint, people: Any, owner: User, stranger: User
) -> None:
    other = make_user("olga")
    join(other, people.elsewhere, "manager")
    create_webhook(user=other, url=f"{receiver.url}/elsewhere")
    whole_job(stranger, name="canary of elsewhere")
    whole_job(owner, name="canary of lab")
    send_due()
    told = {(one.path, attributes(one)["data"]["name"]) for one in receiver.received}
    assert told == {("/hook", "canary of lab"), ("/hook/elsewhere", "canary of elsewhere")}


def test_later_news_of_a_job_waits_for_the_earlier_and_other_jobs_go_on(
    receiver: Receiver, hook: WebhookEndpoint, owner: User
) -> None:
    receiver.will_answer(400)
    first = whole_job(owner)
    second = whole_job(owner)
    send_due()
    told = [(attributes(one)["subject"], attributes(one)["type"].rpartition(".")[2]) for one in receiver.received]
    assert told[0] == (str(first.pk), "submitted")
    whole = ["submitted", "queued", "started", "succeeded"]
    assert told[1:] == [(str(second.pk), kind) for kind in whole], "the others of the first job wait"
    pass_time(timedelta(seconds=6))
    send_due()
    told = [(attributes(one)["subject"], attributes(one)["type"].rpartition(".")[2]) for one in receiver.received]
    assert told[5:] == [(str(first.pk), kind) for kind in whole]


def test_repeat_has_the_same_id_and_body_and_a_new_time(
    receiver: Receiver, manager: User, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = create_webhook(user=manager, url=receiver.url)
    receiver.will_answer(503)
    whole_job(owner)
    send_due()
    pass_time(timedelta(seconds=6))
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    Job.objects.update(name="renamed meanwhile")
    send_due()
    first, again = receiver.received
    assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)
    assert int(again.headers["webhook-timestamp"]) >= int(first.headers["webhook-timestamp"]) + 59
    assert again.verified(secret)


def test_test_is_sent_once_and_is_no_event_of_a_job(receiver: Receiver, hook: WebhookEndpoint) -> None:
    receiver.will_answer(500)
    failed = webhook_deliveries.send_test(endpoint=hook)
    send_due()
    failed.refresh_from_db()
    assert (failed.state, failed.tries, failed.problem) == ("failed", 1, "500 Internal Server Error")
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since) == (0, None)
    webhook_deliveries.send_test(endpoint=hook)
    send_due()
    said = attributes(receiver.received[1])
    assert (said["type"], said["data"]) == ("esteira.webhook.test", {"webhook": str(hook.pk), "workspace": "lab"})
    assert "subject" not in said


def test_switched_off_it_drops_what_waits_and_hears_nothing(
    receiver: Receiver,
    hook: WebhookEndpoint,
    manager: User,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    monkeypatch.setattr(webhook, "DROPPED_AT_ONCE", 3)
    receiver.will_answer(503)
    whole_job(owner)
    send_due()
    with django_capture_on_commit_callbacks(execute=True):
        edit_webhook(user=manager, endpoint=hook, changes={"enabled": False})
    pass_time(timedelta(hours=1))
    whole_job(owner)
    send_due()
    assert len(receiver.received) == 1
    assert states() == ["dropped"] * 4
    for refused in (webhook_deliveries.send_test, webhook_deliveries.replay_missed):
        with pytest.raises(Conflict, match="switched off"):
            refused(endpoint=hook)
    edit_webhook(user=manager, endpoint=hook, changes={"enabled": True})
    send_due()
    assert len(receiver.received) == 1, "what happened while it was off is no news"
    assert webhook_deliveries.replay_missed(endpoint=hook) == 4
    send_due()
    assert types(receiver)[1:] == ["submitted", "queued", "started", "succeeded"]
    assert states() == ["delivered"] * 4


def test_replay_sends_it_again_under_its_id(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    whole_job(owner)
    send_due()
    delivery = WebhookDelivery.objects.get(kind=WebhookKind.SUCCEEDED)
    webhook_deliveries.replay(endpoint=hook, delivery=delivery)
    assert delivery.state == "waiting"
    send_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts.count()) == ("delivered", 2)
    assert receiver.received[-1].headers["webhook-id"] == receiver.received[-2].headers["webhook-id"]


def test_deliveries_are_kept_for_a_month(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    whole_job(owner)
    send_due()
    WebhookDelivery.objects.filter(kind=WebhookKind.QUEUED).update(finished_at=timezone.now() - timedelta(days=31))
    forget_calls()
    assert WebhookDelivery.objects.count() == 3


def test_events_in_many_batches_are_told_once(
    receiver: Receiver, hook: WebhookEndpoint, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_intake, "BATCH", 3)
    for _ in range(3):
        whole_job(owner)
    send_due()
    assert len(receiver.received) == 12


def test_beat_sends_and_tells() -> None:
    tasks = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {"esteira.webhooks", "esteira.tell_of_webhooks"} <= tasks


def test_manager_who_is_in_two_workspaces_sees_both(manager: User, stranger: User, people: Any) -> None:
    create_webhook(user=manager, url="https://hooks.example/")
    join(manager, people.elsewhere, "manager")
    create_webhook(user=manager, url="https://hooks.example/", workspace="elsewhere")
    assert WebhookEndpoint.objects.visible_to(manager).count() == 2
    for other in (stranger, make_user("nobody")):
        assert not WebhookEndpoint.objects.visible_to(other).exists()
