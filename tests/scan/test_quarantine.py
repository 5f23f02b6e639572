"""A file leaves quarantine by an administrator's word only, and the word is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from orchestration.errors import Conflict, Forbidden, Invalid
from orchestration.models import FileEvent
from orchestration.services.quarantine import release_from_quarantine
from orchestration.states import ScanState
from tests.factories import make_file, make_user

if TYPE_CHECKING:
    from orchestration.models import File, User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def file(owner: User, lab: Workspace) -> File:
    return make_file(lab, owner, scan_state="quarantined", scan_detail="Eicar")


def test_release_is_recorded_with_who_and_why(admin: User, file: File) -> None:
    release_from_quarantine(user=admin, file=file, reason="a test file")
    file.refresh_from_db()
    assert file.scan_state == ScanState.CLEAN
    event = FileEvent.objects.get(file_id=file.pk)
    assert (event.kind, event.actor, event.reason) == ("released", admin, "a test file")


def test_manager_of_the_workspace_may_not(owner: User, file: File) -> None:
    with pytest.raises(Forbidden):
        release_from_quarantine(user=owner, file=file, reason="please")


def test_release_needs_a_reason(admin: User, file: File) -> None:
    with pytest.raises(Invalid, match="Say why"):
        release_from_quarantine(user=admin, file=file, reason=" ")


def test_damaged_bytes_are_never_released(admin: User, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, scan_state="quarantined", scan_detail="Its bytes are damaged.", sha256="")
    with pytest.raises(Conflict, match="damaged"):
        release_from_quarantine(user=admin, file=file, reason="please")


def test_clean_file_is_not_released_twice(admin: User, file: File) -> None:
    release_from_quarantine(user=admin, file=file, reason="a test file")
    with pytest.raises(Conflict, match="not in quarantine"):
        release_from_quarantine(user=admin, file=file, reason="again")


def test_admin_asks_before_it_releases(admin: User, file: File) -> None:
    browser = Client()
    browser.force_login(admin)
    page = reverse("admin:orchestration_file_changelist")
    chosen = {"action": "release_from_quarantine", "_selected_action": [str(file.pk)]}
    asked = browser.post(page, chosen)
    assert "Why is it safe" in asked.content.decode()
    file.refresh_from_db()
    assert file.scan_state == ScanState.QUARANTINED
    said = browser.post(page, chosen | {"sure": "yes", "reason": "a test file"}, follow=True)
    assert "released from quarantine" in said.content.decode()
    file.refresh_from_db()
    assert file.scan_state == ScanState.CLEAN
