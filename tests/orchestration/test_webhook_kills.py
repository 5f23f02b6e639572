"""Senders that are killed or sleep past their lease: nothing is lost, and what they say late does not count."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db.models.functions import Now

from orchestration import tasks
from orchestration.execution import webhook_intake, webhook_round
from orchestration.execution.webhook_leftovers import drop_leftovers
from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.models import webhook as webhook_models
from orchestration.services.webhooks import create_webhook
from orchestration.states import WEBHOOK_CHOICES
from project.celery import app
from tests.receiver import Receiver, pass_time, receiver, whole_job

if TYPE_CHECKING:
    from orchestration.models import User

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(receiver: Receiver, manager: User) -> WebhookEndpoint:
    return create_webhook(user=manager, url=receiver.url, kinds=WEBHOOK_CHOICES)[0]


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("event_id").values_list("state", flat=True))


class Killed(BaseException):
    """As far as the rows go, what a kill -9 leaves."""


@pytest.mark.parametrize(("at", "requests"), [("webhook.made", 4), ("webhook.claimed", 4), ("webhook.sent", 5)])
def test_kill_in_the_middle_loses_nothing(
    receiver: Receiver, hook: WebhookEndpoint, owner: User, at: str, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(point: str) -> None:
        if point == at:
            raise Killed

    whole_job(owner)
    for module in (webhook_intake, webhook_round):
        monkeypatch.setattr(module, "point", killed)
    with pytest.raises(Killed):
        send_due()
    for module in (webhook_intake, webhook_round):
        monkeypatch.setattr(module, "point", lambda _: None)
    if at != "webhook.made":
        send_due()
        assert set(states()) == {"waiting"}, "somebody may still be at it"
        pass_time(timedelta(minutes=2, seconds=1))
    send_due()
    assert states() == ["delivered"] * 4
    assert len(receiver.received) == requests
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 4


def test_zombie_whose_lease_ran_out_changes_nothing(
    receiver: Receiver, hook: WebhookEndpoint, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after its request until somebody else had sent the same delivery."""
    whole_job(owner)

    def meanwhile(point: str) -> None:
        if point == "webhook.sent":
            monkeypatch.setattr(webhook_round, "point", lambda _: None)
            pass_time(timedelta(minutes=2, seconds=1))
            webhook_round._round()

    monkeypatch.setattr(webhook_round, "point", meanwhile)
    send_due()
    assert len(receiver.received) == 5
    assert [one.attempts.count() for one in WebhookDelivery.objects.all()] == [1] * 4


def test_zombie_says_nothing_of_a_delivery_that_somebody_else_has_tried(
    receiver: Receiver, manager: User, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_webhook(user=manager, url=receiver.url)
    receiver.will_answer(400, 503)
    whole_job(owner)

    def meanwhile(point: str) -> None:
        if point == "webhook.sent":
            monkeypatch.setattr(webhook_round, "point", lambda _: None)
            pass_time(timedelta(minutes=2, seconds=1))
            webhook_round._round()

    monkeypatch.setattr(webhook_round, "point", meanwhile)
    send_due()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.tries, delivery.status, delivery.attempts.count()) == (1, 503, 1)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_models, "DROPPED_AT_ONCE", 1)


@pytest.mark.usefixtures("one_at_a_time")
def test_sweep_drops_what_was_left_by_whoever_was_killed_at_switching_off(
    receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: str) -> None:
        raise Killed

    whole_job(owner)
    webhook_intake.take_in()
    WebhookEndpoint.objects.filter(pk=hook.pk).update(enabled_at=None)
    monkeypatch.setattr(webhook_models, "point", killed)
    with pytest.raises(Killed):
        hook.drop_waiting()
    monkeypatch.setattr(webhook_models, "point", lambda _: None)
    assert sorted(states()) == ["dropped", "waiting", "waiting", "waiting"]
    tasks.drop_leftovers()
    assert states() == ["dropped"] * 4
    assert drop_leftovers() == 0
    assert receiver.received == []
    assert "esteira.drop_leftovers" in {one["task"] for one in app.conf.beat_schedule.values()}


@pytest.mark.usefixtures("one_at_a_time")
def test_webhook_that_is_on_again_keeps_what_waits_now(
    hook: WebhookEndpoint, manager: User, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switched on between two batches of a sweep that had found it off."""
    whole_job(owner)
    webhook_intake.take_in()
    WebhookEndpoint.objects.filter(pk=hook.pk).update(enabled_at=None)
    on_again = WebhookEndpoint.objects.filter(pk=hook.pk)
    monkeypatch.setattr(webhook_models, "point", lambda _: on_again.update(enabled_at=Now()))
    assert drop_leftovers() == 1
    assert sorted(states()) == ["dropped", "waiting", "waiting", "waiting"]
