"""A restored backup is held against the storage: what is whole, what is missing, what came since."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from orchestration.models import File
from orchestration.storage.registry import get_storage
from project.drill import restore as restoring
from project.drill.look import look
from project.management.commands import drill as command
from project.management.commands.drill import _sentences
from tests.factories import make_file, make_job

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def test_whole_database_says_so(owner: User, lab: Workspace) -> None:
    make_file(lab, owner)
    make_job(owner, lab)
    found = look()
    assert found["files"] == {"looked_at": 1, "wrong": 0, "named": []}
    assert (found["jobs_unfinished"], found["violations"]) == (1, 0)
    assert found["migrations_missing"] == 0
    assert found["rows"]["orchestration_file"] == 1


def test_missing_short_and_unknown_objects_are_told(owner: User, lab: Workspace) -> None:
    missing, short, lost = (make_file(lab, owner, name) for name in ("missing", "short", "lost"))
    get_storage("uploads").delete(missing.key)
    File.objects.filter(pk=short.pk).update(size=99)
    before = look()["unknown_objects"]
    File.objects.filter(pk=lost.pk).delete()
    found = look()
    assert found["files"]["wrong"] == 2
    assert found["files"]["named"] == [f"{missing.pk} missing: missing", f"{short.pk} short: 8 bytes instead of 99"]
    assert found["unknown_objects"] == before + 1


def test_violated_invariant_is_told(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="CANCELED")
    assert look()["violations"] == 1


def test_password_is_on_no_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def run(command: list[str], env: dict[str, str], **_: Any) -> Any:
        asked.update(command=" ".join(command), password=env["PGPASSWORD"])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    restoring.dump("postgresql://me:s3cret@db/esteira", tmp_path / "x")
    assert asked["password"] == "s3cret"
    assert "s3cret" not in asked["command"]
    assert "host=db" in asked["command"]


def drill(*words: str) -> subprocess.CompletedProcess[str]:
    """By a process of its own, on the tests' database: what others have not committed is not in it."""
    name = connection.settings_dict["NAME"]
    url = settings.DATABASE_URL.replace("/esteira?", f"/{name}?", 1)
    assert url != settings.DATABASE_URL
    line = [sys.executable, "manage.py", "drill", *words]
    return subprocess.run(
        line,
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_drill_restores_to_a_new_server() -> None:
    done = drill("--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rows"]["django_migrations"] > 20
    assert told["files"]["wrong"] == 0
    assert told["rpo_s"] < 60
    assert told["rto_s"] >= told["restore_s"] > 0
    assert not told["wrong"]
    said = _sentences(told | {"wrong": True})
    assert "0 of 0 are in the storage, whole" in said
    assert "\nRPO " in said


def test_backup_that_does_not_hold_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_drill", lambda *_: {"wrong": True})
    with pytest.raises(CommandError, match="does not hold"):
        call_command("drill", json=True)


def test_dump_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.dump").write_text("nothing")
    with pytest.raises(CommandError, match=r"pg_restore failed\. .*not appear to be a valid archive"):
        call_command("drill", dump=tmp_path / "no.dump", into="postgresql://nobody@127.0.0.1:1/none")
