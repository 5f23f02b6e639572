"""What a check did not reckon with is a finding too: no traceback, and nothing secret."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from orchestration.findings import ERROR
from project.celery import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pytest_django import Settings

    from orchestration.findings import Finding

type Look = Callable[[str], dict[str, Finding]]


def test_disk_so_full_that_there_is_no_folder_for_temporary_files(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    found = look("files")["temporary files"]
    assert (found.level, found.causes[0]) == (ERROR, "the disk is full")


def test_check_that_breaks_itself_is_a_finding_without_what_it_said(
    look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BROKER_URL = "ampq://esteira:secret@queue.invalid//"
    monkeypatch.setattr(app.conf, "broker_url", settings.BROKER_URL)
    monkeypatch.setattr(app.conf, "broker_read_url", settings.BROKER_URL)
    found = look("work")
    assert found["not looked at"].level == ERROR
    assert "secret" not in repr(found)


def test_engine_of_somebody_else(look: Look, settings: Settings, tmp_path: Path) -> None:
    settings.ESTEIRA_HOME = tmp_path
    (tmp_path / "in the way").write_text("")
    (tmp_path / "engine.lock").symlink_to(tmp_path / "in the way" / "no folder")
    assert "cannot be read (Not a directory)" in look("engine")["supervisor"].said
