"""The door for tus is there where it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestration.models import Upload
from tests.api.tus import create

if TYPE_CHECKING:
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def test_clients_learn_where_it_is(ana: Visitor) -> None:
    said = ana.json("GET", "/uploads/config")["tus"]
    assert said["url"] == "/api/v1/tus"
    assert "concatenation" in said["extensions"]


def test_switched_off_it_is_not_there(ana: Visitor, settings: Any) -> None:
    settings.UPLOAD_TUS = "off"
    assert ana.json("GET", "/uploads/config")["tus"] is None
    assert create(ana).status_code == 404
    assert not Upload.objects.exists()
