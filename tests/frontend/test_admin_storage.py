"""Where files lie, what is compared when they come, and how sound they are: for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestration.execution import readings
from orchestration.storage.base import PutChecksum
from tests.factories import make_file, make_user
from tests.frontend.ask import browser
from tests.s3_double.fixtures import BUCKET, s3
from tests.s3_double.platform import direct

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from orchestration.storage.s3 import S3DirectStorage

__all__ = ["direct", "s3"]  # fixtures
pytestmark = pytest.mark.django_db


def shown(admin: User) -> str:
    client = Client()
    client.force_login(admin)
    assert (
        "/admin/orchestration/file/storage/"
        in client.get(reverse("admin:orchestration_file_changelist")).content.decode()
    )
    return client.get(reverse("admin:orchestration_file_storage")).content.decode()


@pytest.fixture
def admin(db: None) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


def test_folders_their_files_and_their_damage(admin: User, owner: User, lab: Workspace) -> None:
    make_file(lab, owner)
    make_file(lab, owner, scan_state="quarantined", damaged_at=timezone.now())
    assert "Not counted yet" in shown(admin)
    readings.read_all()
    html = shown(admin)
    assert html.count("a folder of this machine") == 2
    assert "Not counted yet" not in html
    assert "?damaged_at__isempty=0" in html
    assert "every 30 days" in html


def test_bucket_says_what_it_compares(admin: User, direct: S3DirectStorage, settings: Settings) -> None:
    direct.checksum = PutChecksum.MD5
    settings.SCRUB_DAYS = 0
    html = shown(admin)
    assert f"bucket {BUCKET}" in html
    assert "<td>md5</td>" in html
    assert "switched off" in html


def test_nobody_else_sees_it(owner: User) -> None:
    assert browser(owner).get(reverse("admin:orchestration_file_storage")).status_code == 302
    staff = make_user("clerk", is_staff=True)
    assert browser(staff).get(reverse("admin:orchestration_file_storage")).status_code == 403
