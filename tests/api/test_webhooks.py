"""Webhooks over REST: who may, what is refused, a secret that is shown once, and the log with its replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.execution.webhook_round import send_due
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.services import webhooks
from tests.factories import join, make_user
from tests.receiver import Receiver, receiver, whole_job

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db
URL = "https://hooks.example/esteira"


@pytest.fixture
def mara(door: Door, manager: User) -> Visitor:
    """A manager of lab."""
    return door.as_(manager)


def made(who: Visitor, status: int = 201, **body: Any) -> Any:
    return who.json("POST", "/webhooks", status, json={"url": URL, **body})


def test_webhook_is_made_shown_changed_and_deleted(mara: Visitor) -> None:
    answer = mara("POST", "/webhooks", json={"url": URL, "description": "CI"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    hook = answer.json()
    assert answer.headers["location"] == f"/api/v1/webhooks/{hook['id']}"
    assert hook.pop("secret").startswith("whsec_")
    assert hook["kinds"] == ["job.succeeded", "job.failed", "job.timed_out", "job.canceled"]
    assert (hook["workspace"], hook["enabled"], hook["created_by"]) == ("lab", True, "mara")
    assert mara.json("GET", f"/webhooks/{hook['id']}") == hook, "without its secret"
    assert mara.json("GET", "/webhooks")["items"] == [hook]

    changes = {"url": "https://hooks.example/new", "kinds": ["job.failed", "job.failed"], "description": ""}
    changed = mara.json("PATCH", f"/webhooks/{hook['id']}", json=changes)
    assert changed == hook | changes | {"kinds": ["job.failed"]}
    off = mara.json("PATCH", f"/webhooks/{hook['id']}", json={"enabled": False})
    assert (off["enabled"], off["disabled_reason"]) == (False, None)
    assert mara("DELETE", f"/webhooks/{hook['id']}").status_code == 204
    assert mara("GET", f"/webhooks/{hook['id']}").status_code == 404
    assert mara.json("GET", "/webhooks")["items"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"url": "http://hooks.example/"}, "must begin with https://"),
        ({"url": "https://127.0.0.1/"}, "not an address of the public internet"),
        ({"url": "https://hooks.example:22/"}, "Port 22 is none of those"),
        ({"kinds": ["webhook.test"]}, "There is no event webhook.test"),
        ({"kinds": ["job.exploded"]}, "Input should be"),
        ({"kinds": []}, "at least 1 item"),
        ({"surprise": 1}, "Extra inputs"),
        ({"description": "a\x00b"}, "String should match"),
    ],
)
def test_mistakes_are_told_and_make_nothing(mara: Visitor, body: dict[str, Any], said: str) -> None:
    assert said in made(mara, 422, **body)["detail"]
    assert not WebhookEndpoint.objects.exists()
    hook = made(mara)
    if "kinds" in body or "url" in body:
        assert said in mara.json("PATCH", f"/webhooks/{hook['id']}", 422, json=body)["detail"]


def test_only_managers_of_the_workspace_know_of_it(
    door: Door, mara: Visitor, ana: Visitor, eva: Visitor, viewer: User, lab: Workspace
) -> None:
    hook = made(mara)
    for other in (ana, eva, door.as_(viewer)):
        for method, path in (
            ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret"),
            ("POST", "/replay"), ("GET", "/deliveries"),
        ):  # fmt: skip
            options: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
            assert other(method, f"/webhooks/{hook['id']}{path}", **options).status_code == 404, path
        assert other.json("GET", "/webhooks")["items"] == []
    assert made(ana, 403)["code"] == "forbidden"
    assert made(eva, 404, workspace="lab")["code"] == "not_found"
    assert ana("GET", "/webhooks?workspace=lab").status_code == 403
    admin = make_user("root", is_superuser=True)
    assert len(door.as_(admin).json("GET", "/webhooks")["items"]) == 1


def test_managers_of_another_workspace_find_nothing(door: Door, mara: Visitor, stranger: User, people: Any) -> None:
    hook = made(mara)
    other = make_user("olga")
    join(other, people.elsewhere, "manager")
    olga = door.as_(other)
    theirs = made(olga)
    delivery = WebhookDelivery.objects.create(endpoint_id=hook["id"], kind="webhook.test", body="{}")
    assert olga("GET", f"/webhooks/{hook['id']}/deliveries/{delivery.pk}").status_code == 404
    assert olga("GET", f"/webhooks/{theirs['id']}/deliveries/{delivery.pk}").status_code == 404
    assert olga("POST", f"/webhooks/{theirs['id']}/deliveries/{delivery.pk}/replay").status_code == 404


def test_one_address_has_one_webhook_of_a_workspace(mara: Visitor) -> None:
    made(mara)
    assert "has a webhook to this address already" in made(mara, 409)["detail"]
    assert "has a webhook to this address already" in made(mara, 409, url="https://HOOKS.example:443/esteira")["detail"]
    other = made(mara, url="https://hooks.example/other")
    assert mara("PATCH", f"/webhooks/{other['id']}", json={"url": URL}).status_code == 409


def test_workspace_has_so_many_and_no_more(mara: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_OF_A_WORKSPACE", 2)
    for number in range(2):
        made(mara, url=f"{URL}/{number}")
    assert "at most 2 webhooks" in made(mara, 409, url=f"{URL}/2")["detail"]


def test_new_secret_is_shown_once(mara: Visitor) -> None:
    hook = made(mara)
    answer = mara("POST", f"/webhooks/{hook['id']}/rotate-secret")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["secret"] not in {hook["secret"], ""}
    assert mara("POST", f"/webhooks/{hook['id']}/rotate-secret", json={"overlap_hours": 169}).status_code == 422
    assert "secret" not in mara("GET", f"/webhooks/{hook['id']}").text


def test_log_says_what_was_sent_and_answered_and_sends_it_again(mara: Visitor, receiver: Receiver, owner: User) -> None:
    hook = made(mara, url=receiver.url)
    receiver.answers.append((503, {}, b"try <later>"))
    job = whole_job(owner)
    send_due()
    (row,) = mara.json("GET", f"/webhooks/{hook['id']}/deliveries?state=waiting")["items"]
    assert mara.json("GET", f"/webhooks/{hook['id']}/deliveries?state=failed")["items"] == []
    assert (row["kind"], row["job"], row["tries"], row["status"]) == ("job.succeeded", str(job.pk), 1, 503)
    assert row["problem"] == "503 Service Unavailable"
    assert row["due_at"]
    assert mara.json("GET", f"/webhooks/{hook['id']}")["failing_since"]

    path = f"/webhooks/{hook['id']}/deliveries/{row['id']}"
    assert mara.json("POST", f"{path}/replay", 202)["tries"] == 0
    send_due()
    whole = mara.json("GET", path)
    assert (whole["state"], whole["due_at"], whole["problem"]) == ("delivered", None, None)
    assert [(one["status"], one["answer"]) for one in whole["attempts"]] == [(204, None), (503, "try <later>")]
    assert whole["body"] == json.loads(receiver.received[0].body)
    assert receiver.received[1].headers["webhook-id"] == row["message_id"]
    assert mara.json("GET", f"/webhooks/{hook['id']}")["failing_since"] is None


def test_test_is_sent_at_once(mara: Visitor, receiver: Receiver) -> None:
    hook = made(mara, url=receiver.url)
    row = mara.json("POST", f"/webhooks/{hook['id']}/test", 202)
    assert (row["kind"], row["job"], row["state"]) == ("webhook.test", None, "waiting")
    send_due()
    assert mara.json("GET", f"/webhooks/{hook['id']}/deliveries/{row['id']}")["state"] == "delivered"
    assert receiver.received[0].verified(hook["secret"])["type"] == "esteira.webhook.test"


def test_what_was_missed_is_sent_again_from_a_day_on(mara: Visitor, receiver: Receiver, owner: User) -> None:
    hook = made(mara, url=receiver.url)
    receiver.will_answer(410)
    whole_job(owner)
    whole_job(owner)
    send_due()
    path = f"/webhooks/{hook['id']}"
    assert "410 Gone" in mara.json("GET", path)["disabled_reason"]
    assert mara.json("POST", f"{path}/replay", 409)["detail"] == "The webhook is switched off. Switch it on first."
    assert mara("POST", f"{path}/test").status_code == 409
    mara.json("PATCH", path, json={"enabled": True})
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert mara.json("POST", f"{path}/replay", 202, json={"since": later}) == {"replayed": 0}
    assert mara("POST", f"{path}/replay", json={"since": "2026-01-01T00:00:00"}).status_code == 422, "of which zone?"
    assert mara.json("POST", f"{path}/replay", 202) == {"replayed": 2}
    send_due()
    assert len(receiver.received) == 3


def test_log_comes_in_pages(mara: Visitor) -> None:
    hook = made(mara)
    for _ in range(3):
        mara.json("POST", f"/webhooks/{hook['id']}/test", 202)
    first = mara.json("GET", f"/webhooks/{hook['id']}/deliveries?limit=2")
    rest = mara.json("GET", f"/webhooks/{hook['id']}/deliveries?limit=2&cursor={first['next_cursor']}")
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    assert len({one["id"] for one in first["items"] + rest["items"]}) == 3
