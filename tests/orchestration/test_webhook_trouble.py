"""Receivers that are down, slow, gone or odd: what is tried when, what is given up, who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution import webhook_outcome
from orchestration.execution.webhook_notice import tell_of_webhooks
from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.services import webhook_deliveries
from orchestration.services.webhooks import create_webhook, edit_webhook
from tests.orchestration.post_office import addressed
from tests.receiver import Receiver, pass_time, receiver, whole_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import User
    from tests.orchestration.post_office import PostOffice

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_outcome, "JITTER", 0.0)


@pytest.fixture
def hook(receiver: Receiver, manager: User) -> WebhookEndpoint:
    return create_webhook(user=manager, url=receiver.url)[0]


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def next_in(seconds: float) -> bool:
    """Whether the delivery is due in about so long."""
    return abs((the_delivery().due_at - timezone.now()).total_seconds() - seconds) < 5


def test_it_is_tried_for_three_days_and_then_the_webhook_is_switched_off(
    receiver: Receiver, hook: WebhookEndpoint, owner: User
) -> None:
    receiver.always = (500, {}, b"no")
    whole_job(owner)
    send_due()
    for number, seconds in enumerate(webhook_outcome.RETRY_S, start=1):
        assert len(receiver.received) == number
        assert next_in(seconds)
        pass_time(timedelta(seconds=seconds - 6))
        if seconds > 900:  # the webhook itself never rests for longer
            send_due()
            assert len(receiver.received) == number, "not yet"
        pass_time(timedelta(seconds=12))
        send_due()
    assert timedelta(days=3) < sum((timedelta(seconds=s) for s in webhook_outcome.RETRY_S), timedelta()) < timedelta(4)
    hook.refresh_from_db()
    assert not hook.is_enabled
    assert hook.disabled_why == "Nothing got through for three days. The last try: 500 Internal Server Error"
    assert (the_delivery().state, the_delivery().tries) == ("failed", 10)


def test_one_message_that_it_refuses_does_not_switch_off_a_webhook_that_answers(
    receiver: Receiver, hook: WebhookEndpoint, owner: User
) -> None:
    receiver.will_answer(400)
    whole_job(owner)
    send_due()
    delivery = the_delivery()
    for seconds in webhook_outcome.RETRY_S:
        whole_job(owner)
        send_due()
        receiver.will_answer(400)
        pass_time(timedelta(seconds=seconds + 1))
        send_due()
    delivery.refresh_from_db()
    hook.refresh_from_db()
    assert (delivery.state, delivery.tries, hook.is_enabled) == ("failed", 10, True)
    assert hook.deliveries.filter(state="delivered").count() == 9


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 413, 500, 599])
def test_only_2xx_is_success(receiver: Receiver, hook: WebhookEndpoint, owner: User, status: int) -> None:
    receiver.will_answer(status)
    whole_job(owner)
    send_due()
    assert (the_delivery().state, the_delivery().status) == ("waiting", status)
    assert next_in(5)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(receiver: Receiver, hook: WebhookEndpoint, owner: User, status: int) -> None:
    receiver.will_answer(status)
    whole_job(owner)
    send_due()
    assert the_delivery().state == "delivered"


def test_gone_switches_the_webhook_off_at_once(
    receiver: Receiver,
    hook: WebhookEndpoint,
    owner: User,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    receiver.will_answer(410)
    whole_job(owner)
    whole_job(owner)
    with django_capture_on_commit_callbacks(execute=True):
        send_due()
    hook.refresh_from_db()
    assert (hook.is_enabled, hook.disabled_why) == (False, "The receiver answered 410 Gone: it wants nothing more.")
    assert sorted(WebhookDelivery.objects.values_list("state", flat=True)) == ["dropped", "failed"]
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_wish_of_the_receiver_is_respected(receiver: Receiver, hook: WebhookEndpoint, owner: User, status: int) -> None:
    receiver.answers.append((status, {"retry-after": "600"}, b""))
    whole_job(owner)
    send_due()
    assert next_in(600)
    whole_job(owner)
    pass_time(timedelta(minutes=9))
    send_due()
    assert len(receiver.received) == 1, "nothing else is sent there meanwhile either"
    pass_time(timedelta(minutes=1, seconds=1))
    send_due()
    assert len(receiver.received) == 3


def test_receiver_that_is_down_is_asked_rarely_whatever_happens(
    receiver: Receiver, hook: WebhookEndpoint, owner: User
) -> None:
    receiver.always = (503, {}, b"")
    rests = []
    for _ in range(10):
        whole_job(owner)
        send_due()
        hook.refresh_from_db()
        assert hook.rest_until
        rests.append(round((hook.rest_until - timezone.now()).total_seconds() / 5) * 5)
        pass_time(timedelta(seconds=rests[-1] + 5))
    assert rests == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert len(receiver.received) == 10, "one request a rest, of ten jobs"


def test_outage_that_is_over_is_made_good_at_once(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    receiver.will_answer(503, 503, 503, 503)
    for _ in range(4):
        whole_job(owner)
    for seconds in (0, 6, 12, 24):
        pass_time(timedelta(seconds=seconds))
        send_due()
    assert len(receiver.received) == 4
    pass_time(timedelta(seconds=45))
    first = WebhookDelivery.objects.order_by("event_id")[0]
    WebhookDelivery.objects.exclude(pk=first.pk).update(due_at=timezone.now() + timedelta(hours=5))
    send_due()
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}, "none waits for its hour"
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since, hook.rest_until) == (0, None, None)


def test_receiver_that_is_not_there_is_tried_again(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    receiver.__exit__()
    whole_job(owner)
    send_due()
    assert (the_delivery().state, the_delivery().status) == ("waiting", None)
    assert the_delivery().problem.startswith("The connection failed: ")
    attempt = the_delivery().attempts.get()
    assert (attempt.status, attempt.problem) == (None, the_delivery().problem)


def test_another_address_begins_anew(receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User) -> None:
    receiver.always = (503, {}, b"")
    whole_job(owner)
    send_due()
    receiver.always = (204, {}, b"")
    same = edit_webhook(user=manager, endpoint=hook, changes={"url": receiver.url})
    assert same.failures == 1
    moved = edit_webhook(user=manager, endpoint=hook, changes={"url": f"{receiver.url}/new"})
    assert (moved.failures, moved.rest_until) == (0, None)
    pass_time(timedelta(seconds=6))
    send_due()
    assert [one.path for one in receiver.received] == ["/hook", "/hook/new"]


def test_who_replays_does_not_wait_for_the_rest(receiver: Receiver, hook: WebhookEndpoint, owner: User) -> None:
    receiver.will_answer(503)
    whole_job(owner)
    send_due()
    webhook_deliveries.replay(endpoint=hook, delivery=the_delivery())
    send_due()
    assert the_delivery().state == "delivered"


def test_trouble_of_ours_with_one_webhook_stops_no_other(
    receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken, _ = create_webhook(user=manager, url=f"{receiver.url}/broken")
    whole_job(owner)
    from orchestration.execution.webhook_intake import take_in

    take_in()
    broken.secrets.update(sealed="\ud7ff")  # no text of ours: decoding it raises what nobody expects
    send_due()
    assert [one.path for one in receiver.received] == ["/hook"]
    assert "work on one row failed" in caplog.text
    send_due()
    assert caplog.text.count("work on one row failed") == 1, "not before its lease has run out"


def test_managers_are_told_that_it_was_switched_off_once(
    office: PostOffice, receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User
) -> None:
    addressed(manager)
    receiver.will_answer(410)
    whole_job(owner)
    send_due()
    office.refuses = {"DATA": "451 later"}
    assert tell_of_webhooks() == 0
    office.refuses = {}
    assert (tell_of_webhooks(), tell_of_webhooks()) == (1, 0)
    (mail,) = office.letters
    assert (mail["Subject"], mail["To"]) == ("Esteira: a webhook of Lab was switched off", "mara@example.org")
    said = mail.get_content()
    for part in (receiver.url, "410 Gone", f"https://esteira.example/webhooks/{hook.pk}/"):
        assert part in said


def test_who_switches_it_off_herself_is_not_told(office: PostOffice, hook: WebhookEndpoint, manager: User) -> None:
    addressed(manager)
    edit_webhook(user=manager, endpoint=hook, changes={"enabled": False})
    assert tell_of_webhooks() == 0
    assert office.letters == []
