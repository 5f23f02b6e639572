"""A release brings its migrations and pipelines, and nobody's password into a log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from orchestration.models import ApiToken, PipelineVersion, User

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)


def test_release_makes_no_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare", no_accounts=True)
    assert json.loads(capsys.readouterr().out) == {}
    assert PipelineVersion.objects.exists()
    assert not User.objects.exists()
    assert not ApiToken.objects.exists()


def test_role_that_is_not_there_stops_the_release() -> None:
    with pytest.raises(CommandError, match=r"There is no role esteira_ap\. It is made where a password is given\."):
        call_command("prepare", "--no-accounts", "--grant", "esteira_ap")


def test_role_that_is_the_owner_of_the_tables_stops_the_release() -> None:
    us = connection.settings_dict["USER"]
    with pytest.raises(CommandError, match=f"{us} is the role that you sign in as, and it owns the tables"):
        call_command("prepare", "--no-accounts", "--grant", us)


def test_password_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="with --grant ROLE"):
        call_command("prepare", "--first-password-file", str(tmp_path / "first"))
