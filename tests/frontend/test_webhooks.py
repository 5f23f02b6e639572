"""The pages of webhooks: made, tested, looked into, replayed, rotated, switched off and deleted, by managers alone."""

from __future__ import annotations

import html as html_of
import re
from typing import TYPE_CHECKING

import pytest

from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.services import webhook_deliveries
from orchestration.services.webhooks import create_webhook
from tests.frontend.ask import browser
from tests.receiver import Receiver, receiver, whole_job

if TYPE_CHECKING:
    from django.test import Client

    from orchestration.models import User, Workspace

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(receiver: Receiver, manager: User) -> WebhookEndpoint:
    return create_webhook(user=manager, url=receiver.url, description="CI")[0]


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_webhook_is_made_and_its_secret_shown_once(receiver: Receiver, manager: User) -> None:
    client = browser(manager)
    assert "There are no webhooks yet." in text(client, "/webhooks/")
    answer = client.post("/webhooks/", {"url": receiver.url, "kind": ["job.failed"], "description": "CI"})
    shown = html_of.unescape(answer.content.decode())
    secret = re.search(r'id="secret"[^>]*>(whsec_[^<]+)<', shown)
    assert secret
    assert answer["Cache-Control"] == "no-store"
    hook = WebhookEndpoint.objects.get()
    assert (hook.url, hook.kinds, hook.description) == (receiver.url, ["job.failed"], "CI")
    for path in ("/webhooks/", f"/webhooks/{hook.pk}/"):
        page = text(client, path)
        assert receiver.url in page
        assert "whsec_" not in page
    webhook_deliveries.send_test(endpoint=hook)
    send_due()
    assert receiver.received[0].verified(secret[1])


def test_mistake_is_said_and_what_was_typed_is_still_there(manager: User) -> None:
    sent = {"url": "https://10.0.0.1/hook", "kind": ["job.started"], "description": "mine"}
    answer = browser(manager).post("/webhooks/", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "not an address of the public internet" in page
    assert 'value="https://10.0.0.1/hook"' in page
    assert 'value="mine"' in page
    assert re.search(r'value="job.started" checked', page)
    assert not re.search(r'value="job.failed" checked', page)


def test_log_shows_deliveries_and_replays_one(
    receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User
) -> None:
    client = browser(manager)
    receiver.answers.append((503, {}, b"<b>come back later</b>"))
    job = whole_job(owner)
    send_due()
    page = text(client, f"/webhooks/{hook.pk}/")
    assert "503 Service Unavailable" in page
    assert "Nothing has got through since" in page
    assert 'data-state="failing"' in page
    assert f"/jobs/{job.pk}/" in page
    assert "None is in this state." in text(client, f"/webhooks/{hook.pk}/?state=failed")

    delivery = WebhookDelivery.objects.get()
    path = f"/webhooks/{hook.pk}/deliveries/{delivery.pk}/"
    page = text(client, path)
    assert "&lt;b&gt;come back later&lt;/b&gt;" in page
    assert "&quot;type&quot;: &quot;esteira.job.succeeded&quot;" in page
    assert "It is sent again." in client.post(f"{path}replay/", follow=True).content.decode()
    send_due()
    assert 'data-state="delivered"' in text(client, path)
    assert len(receiver.received) == 2


def test_test_leads_to_its_delivery(receiver: Receiver, hook: WebhookEndpoint, manager: User) -> None:
    answer = browser(manager).post(f"/webhooks/{hook.pk}/test/", follow=True)
    assert "webhook.test" in answer.content.decode()
    assert "It was not tried yet." in answer.content.decode()
    send_due()
    assert len(receiver.received) == 1


def test_settings_are_changed_and_refused(hook: WebhookEndpoint, manager: User) -> None:
    client = browser(manager)
    url = f"{hook.url}/new"
    client.post(f"/webhooks/{hook.pk}/edit/", {"url": url, "kind": ["job.retried"], "description": ""})
    hook.refresh_from_db()
    assert (hook.url, hook.kinds, hook.description) == (url, ["job.retried"], "")
    answer = client.post(f"/webhooks/{hook.pk}/edit/", {"url": "gopher://x", "kind": []})
    assert answer.status_code == 422
    assert "Choose at least one kind of event." in answer.content.decode()
    hook.refresh_from_db()
    assert hook.url == url


def test_secret_is_rotated(hook: WebhookEndpoint, manager: User) -> None:
    client = browser(manager)
    answer = client.post(f"/webhooks/{hook.pk}/rotate/", {"overlap": "24"})
    assert "whsec_" in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert hook.secrets.count() == 2
    for wrong in ("", "x", "999"):
        assert client.post(f"/webhooks/{hook.pk}/rotate/", {"overlap": wrong}).status_code == 422
    assert hook.secrets.count() == 2
    page = text(client, f"/webhooks/{hook.pk}/")
    assert 'data-confirm="Rotate the secret?"' in page


def test_it_is_switched_off_and_on_and_what_was_missed_replayed(
    receiver: Receiver, hook: WebhookEndpoint, manager: User, owner: User
) -> None:
    client = browser(manager)
    receiver.will_answer(410)
    whole_job(owner)
    send_due()
    page = text(client, f"/webhooks/{hook.pk}/")
    assert "It was switched off." in page
    assert "410 Gone" in page
    assert "/replay/" not in page, "not while it is off"
    client.post(f"/webhooks/{hook.pk}/switch/", {"on": "yes"})
    assert "Replay what was missed" in text(client, f"/webhooks/{hook.pk}/")
    said = client.post(f"/webhooks/{hook.pk}/replay/", follow=True).content.decode()
    assert "1 missed delivery is sent again." in said
    send_due()
    assert len(receiver.received) == 2
    client.post(f"/webhooks/{hook.pk}/switch/", {"on": "no"})
    for verb in ("test", "replay"):
        answer = client.post(f"/webhooks/{hook.pk}/{verb}/", follow=True).content.decode()
        assert "The webhook is switched off. Switch it on first." in answer


def test_it_is_deleted_after_a_question(hook: WebhookEndpoint, manager: User) -> None:
    client = browser(manager)
    assert 'data-confirm="Delete this webhook?"' in text(client, f"/webhooks/{hook.pk}/")
    answer = client.post(f"/webhooks/{hook.pk}/delete/", follow=True)
    assert "The webhook and its log are deleted." in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_long_log_has_pages(hook: WebhookEndpoint, manager: User) -> None:
    for _ in range(51):
        WebhookDelivery.objects.create(endpoint=hook, kind="webhook.test", body="{}")
    client = browser(manager)
    page = text(client, f"/webhooks/{hook.pk}/")
    older = re.search(r'href="(\?before=[^"]+)"', page)
    assert older
    assert page.count('data-state="waiting"') == 50
    assert text(client, f"/webhooks/{hook.pk}/{older[1]}").count('data-state="waiting"') == 1


@pytest.mark.parametrize("verb", ["edit", "switch", "rotate", "test", "replay", "delete", "deliveries/{d}/replay"])
def test_others_can_change_nothing(
    hook: WebhookEndpoint, manager: User, owner: User, viewer: User, stranger: User, verb: str
) -> None:
    delivery = webhook_deliveries.send_test(endpoint=hook)
    path = f"/webhooks/{hook.pk}/{verb.format(d=delivery.pk)}/"
    for other in (owner, viewer, stranger):
        assert browser(other).post(path, {"on": "no"}).status_code == 404
    assert browser(manager).get(path).status_code == 405
    assert browser(manager, enforce_csrf_checks=True).post(path).status_code == 403
    assert browser().post(path).status_code == 302
    hook.refresh_from_db()
    assert hook.is_enabled


def test_others_see_no_webhooks(
    hook: WebhookEndpoint, manager: User, owner: User, stranger: User, lab: Workspace
) -> None:
    delivery = webhook_deliveries.send_test(endpoint=hook)
    for other in (owner, stranger):
        client = browser(other)
        assert client.get("/webhooks/").status_code == 403
        assert client.post("/webhooks/", {"url": "https://hooks.example/", "kind": ["job.failed"]}).status_code == 403
        assert client.get(f"/webhooks/{hook.pk}/").status_code == 404
        assert client.get(f"/webhooks/{hook.pk}/deliveries/{delivery.pk}/").status_code == 404
        assert 'href="/webhooks/"' not in text(client, "/settings/")
    assert 'href="/webhooks/"' in text(browser(manager), "/settings/")
    assert WebhookEndpoint.objects.count() == 1
