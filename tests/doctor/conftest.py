"""The test's own database as the doctor's, and a way to ask for one area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from project.doctor.rounds import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from orchestration.findings import Finding


@pytest.fixture
def address(settings: Settings) -> Callable[..., None]:
    """Changes parts of the address of the database that tests use."""

    def change(**parts: Any) -> None:
        known = conninfo_to_dict(settings.DATABASE_URL)
        settings.DATABASE_URL = make_conninfo("", **{**known, **parts})

    change(dbname=connection.settings_dict["NAME"])
    return change


@pytest.fixture
def look() -> Callable[[str], dict[str, Finding]]:
    return lambda area: {finding.name: finding for _, finding in examine([area])}
