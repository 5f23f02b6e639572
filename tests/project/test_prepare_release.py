"""A release brings its migrations and pipelines, and nobody's password into a log."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from orchestration.models import ApiToken, PipelineVersion, User

pytestmark = pytest.mark.django_db(transaction=True)


def test_release_makes_no_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare", no_accounts=True)
    assert json.loads(capsys.readouterr().out) == {}
    assert PipelineVersion.objects.exists()
    assert not User.objects.exists()
    assert not ApiToken.objects.exists()
