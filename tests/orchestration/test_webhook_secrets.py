"""Signatures by Standard Webhooks' own library, secrets that are encrypted and rotated, a server's key that changes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookDelivery, WebhookSecret
from orchestration.services.webhooks import create_webhook, rotate_secret
from tests.receiver import Received, Receiver, receiver, whole_job

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


def test_signature_is_that_of_the_standard(receiver: Receiver, manager: User, owner: User) -> None:
    endpoint, secret = create_webhook(user=manager, url=receiver.url)
    whole_job(owner)
    send_due()
    (one,) = receiver.received
    assert one.verified(secret)["data"]["workspace"] == "lab"
    delivery = WebhookDelivery.objects.get()
    assert one.headers["webhook-id"] == delivery.message_id
    assert "." not in delivery.message_id
    assert one.body.decode() == delivery.body
    with pytest.raises(WebhookVerificationError):
        Received(one.path, one.headers, one.body + b" ").verified(secret)
    assert secret not in WebhookSecret.objects.get(endpoint=endpoint).sealed


def test_every_webhook_has_its_own_secret_and_its_row_is_of_no_use_elsewhere(
    receiver: Receiver, manager: User, owner: User
) -> None:
    first, one = create_webhook(user=manager, url=f"{receiver.url}/1")
    second, other = create_webhook(user=manager, url=f"{receiver.url}/2")
    assert one != other
    assert len(one.removeprefix("whsec_")) >= 32
    WebhookSecret.objects.filter(endpoint=second).update(sealed=WebhookSecret.objects.get(endpoint=first).sealed)
    whole_job(owner)
    send_due()
    assert [received.path for received in receiver.received] == ["/hook/1"]
    second.refresh_from_db()
    assert "cannot be read with this server's key. Rotate it" in second.disabled_why


def test_key_of_the_server_may_change_while_the_old_one_is_kept(
    receiver: Receiver, manager: User, owner: User, settings: Settings
) -> None:
    _, secret = create_webhook(user=manager, url=receiver.url)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-" * 5
    whole_job(owner)
    send_due()
    assert receiver.received[0].verified(secret)


def test_old_secret_holds_during_the_overlap_and_no_longer(receiver: Receiver, manager: User, owner: User) -> None:
    endpoint, old = create_webhook(user=manager, url=receiver.url)
    _, new = rotate_secret(user=manager, endpoint=endpoint, overlap_hours=1)
    whole_job(owner)
    send_due()
    for secret in (old, new):
        assert receiver.received[0].verified(secret)
    WebhookSecret.objects.filter(until__isnull=False).update(until=timezone.now() - timedelta(seconds=1))
    whole_job(owner)
    send_due()
    assert receiver.received[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.received[1].verified(old)


def test_secret_that_got_out_ends_at_once(receiver: Receiver, manager: User, owner: User) -> None:
    endpoint, old = create_webhook(user=manager, url=receiver.url)
    _, new = rotate_secret(user=manager, endpoint=endpoint, overlap_hours=0)
    whole_job(owner)
    send_due()
    assert receiver.received[0].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.received[0].verified(old)
    assert WebhookSecret.objects.count() == 1


def test_rotated_again_and_again_it_signs_by_four_at_most(receiver: Receiver, manager: User, owner: User) -> None:
    endpoint, _ = create_webhook(user=manager, url=receiver.url)
    secrets = [rotate_secret(user=manager, endpoint=endpoint)[1] for _ in range(6)]
    whole_job(owner)
    send_due()
    signatures = receiver.received[0].headers["webhook-signature"].split(" ")
    assert len(signatures) == 4
    for secret in secrets[-4:]:
        assert receiver.received[0].verified(secret)
