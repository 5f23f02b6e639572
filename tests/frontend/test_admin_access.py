"""Every address of the admin: nobody, and nobody who is not staff, gets any of them (SEC-130)."""

from __future__ import annotations

import time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse

from frontend_app.admin import door
from orchestration.models import AuditEntry, WebhookEndpoint
from orchestration.services.webhooks import create_webhook
from tests.factories import make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User

pytestmark = pytest.mark.django_db

OPEN = {"admin:login", "admin:jsi18n", "admin:logout"}


def names(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield f"admin:{pattern.name}"


def addresses() -> list[tuple[str, str]]:
    found = []
    for name in dict.fromkeys(names(admin.site.get_urls())):
        for args in ((), ("1",), ("1", "1"), ("orchestration",)):
            try:
                found.append((name, reverse(name, args=args)))
            except NoReverseMatch:
                continue
            break
    return [one for one in found if one[0] not in OPEN]


def test_every_address_of_the_admin_was_found() -> None:
    assert len(addresses()) > 60
    assert {"admin:index", "admin:pauses", "admin:orchestration_job_changelist"} <= {name for name, _ in addresses()}


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_and_ordinary_people_get_none_of_them(owner: User, method: str) -> None:
    for who in (browser(), browser(owner)):
        for name, at in addresses():
            answer = getattr(who, method)(at)
            assert answer.status_code in {302, 403}, (name, answer.status_code)
            if answer.status_code == 302:
                assert "/login/" in answer["Location"], (name, answer["Location"])


def test_staff_without_a_right_gets_lists_of_nothing(db: None) -> None:
    clerk = browser(make_user("clerk", is_staff=True))
    for name, at in addresses():
        if name.endswith(("_changelist", "_add", "_change", "_delete", "_history", "pauses", "storage")):
            assert clerk.get(at).status_code in {302, 403}, name


def test_from_elsewhere_it_is_not_there(db: None, settings: Settings) -> None:
    settings.ADMIN_NETWORKS = [ip_network("10.0.0.0/8")]
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    for at in ("/admin/", "/admin/login/", "/admin/pauses/"):
        assert root.get(at, REMOTE_ADDR="192.0.2.1").status_code == 404
        assert root.get(at, REMOTE_ADDR="10.2.3.4").status_code in {200, 302}
    assert root.get("/jobs/", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_whoever_was_away_for_long_signs_in_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    assert root.get("/admin/").status_code == 200
    real = time.time()
    monkeypatch.setattr(door, "time", lambda: real + 3_500)
    assert root.get("/admin/").status_code == 200
    monkeypatch.setattr(door, "time", lambda: real + 7_000)
    assert root.get("/admin/").status_code == 200, "an hour since the last look, not since the first"
    monkeypatch.setattr(door, "time", lambda: real + 10_700)
    assert "/login/" in root.get("/admin/")["Location"]
    assert "_auth_user_id" not in root.session


def test_webhook_s_address_is_not_shown_and_it_can_be_switched_off(manager: User) -> None:
    made, secret = create_webhook(user=manager, url="https://93.184.216.34/x?key=canary", workspace="lab")
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    for at in ("", f"{made.pk}/change/"):
        html = root.get(f"/admin/orchestration/webhookendpoint/{at}").content.decode()
        assert "93.184.216.34" in html
        assert "canary" not in html
        assert secret not in html
    root.post("/admin/orchestration/webhookendpoint/", {"action": "switch_off", "_selected_action": [str(made.pk)]})
    assert not WebhookEndpoint.objects.get().is_enabled
    entry = AuditEntry.objects.get(action="webhook.changed")
    assert (entry.actor, entry.before["enabled"], entry.after["enabled"]) == ("root", True, False)
