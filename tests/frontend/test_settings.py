"""What a workspace is set to: looked at by all who are in it, changed by whoever may."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from orchestration.models import Workspace
from tests.factories import join, make_user, make_workspace
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from orchestration.models import User

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS: Final = {
    "quota_gib": "1.5",
    "max_active_jobs": "20",
    "budget_usd": "12.50",
    "budget_warn_percent": "70",
    "budget_mode": "block",
}


@pytest.fixture
def admin(lab: Workspace) -> User:
    """In no workspace herself."""
    return make_user("adm", is_staff=True, is_superuser=True)


def said(client: Client, path: str, values: dict[str, str]) -> str:
    return client.post(path, values, follow=True).content.decode()


def test_everybody_of_the_workspace_sees_what_it_is_set_to(viewer: User, manager: User, lab: Workspace) -> None:
    Workspace.objects.update(quota_bytes=3 << 30, budget_usd="100", result_retention_days=1_826)
    html = browser(viewer).get("/settings/").content.decode()
    for words in ("3.0 GiB", "$100", "1,826 days", "Administrators change these."):
        assert words in html
    assert "<form method=" not in html.split("<main")[1].split("</main>")[0], "there is nothing to change for her"
    for entry in ("Members", "Webhooks", "Service accounts"):
        assert f">{entry}</a>" not in html
        assert f">{entry}</a>" in browser(manager).get("/settings/").content.decode()
    assert "in no workspace yet" in browser(make_user("nobody")).get("/settings/").content.decode()


def test_manager_says_how_long_files_are_kept_and_what_it_is_called(manager: User, lab: Workspace) -> None:
    client = browser(manager)
    assert "Saved." in said(client, "/settings/name/", {"name": "  The   lab "})
    assert "Saved." in said(client, "/settings/retention/", {"upload_days": "30", "result_days": "400"})
    lab.refresh_from_db()
    assert (lab.name, lab.upload_retention_days, lab.result_retention_days) == ("The lab", 30, 400)
    assert 'value="400"' in client.get("/settings/").content.decode()


def test_manager_cannot_give_her_workspace_more_to_use(manager: User, lab: Workspace) -> None:
    assert 'name="quota_gib"' not in browser(manager).get("/settings/").content.decode()
    assert browser(manager).post("/settings/limits/", LIMITS).status_code == 403
    lab.refresh_from_db()
    assert (lab.quota_bytes, lab.budget_usd) == (None, None)


@pytest.mark.parametrize("verb", ["name", "retention", "limits"])
def test_others_change_nothing(owner: User, stranger: User, lab: Workspace, verb: str) -> None:
    before = Workspace.objects.values().get(pk=lab.pk)
    values = {**LIMITS, "name": "x", "upload_days": "1", "result_days": "1"}
    assert browser(owner).post(f"/settings/{verb}/?workspace=lab", values).status_code == 403
    browser(stranger).post(f"/settings/{verb}/?workspace=lab", values)
    assert Workspace.objects.values().get(pk=lab.pk) == before


def test_administrator_sets_quota_and_budget_and_takes_them_away(admin: User, lab: Workspace) -> None:
    client = browser(admin)
    assert "Saved." in said(client, "/settings/limits/", LIMITS)
    lab.refresh_from_db()
    assert (lab.quota_bytes, lab.max_active_jobs) == (3 << 29, 20)
    assert (lab.budget_usd, lab.budget_warn_percent, lab.budget_mode) == (Decimal("12.50"), 70, "block")
    html = client.get("/settings/").content.decode()
    assert 'name="quota_gib" inputmode="decimal" value="1.5"' in html
    assert 'value="block" checked' in html
    said(client, "/settings/limits/", LIMITS | {"quota_gib": "", "budget_usd": ""})
    lab.refresh_from_db()
    assert (lab.quota_bytes, lab.budget_usd) == (None, None)


def test_staff_may_where_the_admin_lets_them(manager: User, lab: Workspace) -> None:
    manager.is_staff = True
    manager.save(update_fields=["is_staff"])
    assert browser(manager).post("/settings/limits/", LIMITS).status_code == 403, "staff who may not change workspaces"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quota_gib": "-1"}, "A quota is of 0 bytes"),
        ({"quota_gib": "9" * 12}, "A quota is of 0 bytes"),
        ({"quota_gib": "1e30"}, "Write an amount such as"),
        ({"quota_gib": "much"}, "Write an amount such as"),
        ({"budget_usd": "NaN"}, "Write an amount such as"),
        ({"budget_usd": "1.234"}, "Write an amount such as"),
        ({"budget_usd": "-5"}, "A budget is of $0"),
        ({"max_active_jobs": "0"}, "At once there may be 1"),
        ({"max_active_jobs": "x"}, "Write a whole number."),
        ({"budget_warn_percent": "101"}, "Managers are warned at 1 to 100"),
        ({"budget_mode": "shout"}, "A budget can warn or block."),
    ],
)
def test_limit_that_is_none_is_refused_with_the_reason(
    admin: User, lab: Workspace, changes: dict[str, str], why: str
) -> None:
    assert why in said(browser(admin), "/settings/limits/", LIMITS | changes)
    lab.refresh_from_db()
    assert lab.max_active_jobs == 1_000


@pytest.mark.parametrize("days", ["0", "3661", "", "-1", "x"])
def test_retention_has_its_bounds(manager: User, lab: Workspace, settings: Settings, days: str) -> None:
    settings.MAX_RETENTION_DAYS = 3_660
    said(browser(manager), "/settings/retention/", {"upload_days": "30", "result_days": days})
    lab.refresh_from_db()
    assert (lab.upload_retention_days, lab.result_retention_days) == (365, 1_826)


def test_form_is_of_the_workspace_that_was_shown(manager: User, lab: Workspace) -> None:
    """In another tab another one may have been chosen since."""
    join(manager, make_workspace("other"), "manager")
    client = browser(manager)
    client.post("/workspace/", {"workspace": "other"})
    client.post("/settings/name/?workspace=lab", {"name": "Shown"})
    lab.refresh_from_db()
    assert lab.name == "Shown"
