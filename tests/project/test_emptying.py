"""Between tests that commit: their rows go, what migrating made stays."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from orchestration.models import User, Workspace
from tests.factories import join, make_user, make_workspace

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_go_and_what_migrating_made_stays() -> None:
    kinds, permissions = _ids(ContentType), _ids(Permission)
    join(make_user("ana"), make_workspace("lab"))

    call_command("flush", verbosity=0, interactive=False)

    assert not User.objects.exists()
    assert not Workspace.objects.exists()
    assert (_ids(ContentType), _ids(Permission)) == (kinds, permissions)
    assert kinds
    assert permissions


def _ids(model: type[ContentType | Permission]) -> list[int]:
    return list(model._default_manager.order_by("pk").values_list("pk", flat=True))
