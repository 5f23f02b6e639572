"""The chain's head lies outside of the database too, and a chain that was written anew does not go through it."""

from __future__ import annotations

import time
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orchestration import tasks
from orchestration.execution import audit_anchors
from orchestration.execution.audit_anchors import ALIAS, FOLDER, Anchor, anchor, anchors
from orchestration.execution.audit_seals import seal
from orchestration.execution.orphans import sweep_storage
from orchestration.models import AuditEntry, AuditSeal, Leadership
from orchestration.models.audit import write_audit
from orchestration.services.audit import kept_anchors, verify
from orchestration.states import AuditAction
from orchestration.storage.registry import get_storage
from project.celery import app
from project.drill.look import _unknown_objects
from tests.audit.guards import unguarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    yield
    for number in range(1, 20):
        get_storage(ALIAS).delete(f"{FOLDER}{number:08}.json")


def do_something(owner: User, times: int = 1) -> None:
    for _ in range(times):
        write_audit(AuditAction.SIGNED_IN, by=owner)
    seal()


def rewritten(owner: User) -> None:
    """As whoever owns the database may: all of it goes, and a chain that holds stands in its place."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in unguarded():
            cursor.execute(statement)
    AuditSeal.objects.all().delete()
    AuditEntry.objects.all().delete()
    do_something(owner, 3)


def test_head_is_noted_once_for_each_that_there_is(owner: User) -> None:
    assert anchor() is None
    do_something(owner)
    head = AuditSeal.objects.get()
    assert anchor() == Anchor(1, 1, head.digest, head.sealed_at.isoformat())
    assert anchor() is None
    for expected in range(2, 8):
        do_something(owner)
        tasks.anchor_audit()
        assert [one.number for one in kept_anchors()] == list(range(1, expected + 1))
    assert verify(kept=kept_anchors()).broken == ""


def test_beat_notes_it_every_hour() -> None:
    (duty,) = (one for one in app.conf.beat_schedule.values() if one["task"] == "esteira.anchor_audit")
    assert duty["schedule"] <= 3_600
    assert duty["task"] in app.tasks


def test_only_who_leads_notes_it(owner: User) -> None:
    do_something(owner)
    Leadership.objects.create(duty="audit anchor", until="2100-01-01T00:00:00Z")
    assert anchor() is None
    assert list(anchors()) == []


def test_anchor_that_is_there_is_not_written_over(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that take each other for dead write the same number."""
    do_something(owner)
    first = anchor()
    do_something(owner)
    monkeypatch.setattr(audit_anchors, "_count", lambda: 0)
    assert anchor() is None
    monkeypatch.undo()
    assert list(anchors()) == [first]


def test_chain_that_was_written_anew_does_not_go_through_it(owner: User) -> None:
    do_something(owner, 3)
    noted = anchor()
    assert noted
    rewritten(owner)
    assert verify().broken == "", "by itself it holds"
    found = verify(kept=kept_anchors())
    assert "seal 3 is not the one that was noted as anchor 1" in found.broken
    assert found.sealed == 2
    with pytest.raises(CommandError, match="the chain was written anew"):
        call_command("audit", "verify", stdout=StringIO())


def test_end_that_was_cut_off_is_missed(owner: User) -> None:
    do_something(owner, 5)
    anchor()
    rewritten(owner)
    assert "ends at seal 3, and seal 5 was noted as anchor 1" in verify(kept=kept_anchors()).broken


def test_after_a_restore_somebody_vouches_for_what_is_gone_by_its_number(owner: User) -> None:
    do_something(owner, 5)
    anchor()
    rewritten(owner)
    anchor()
    said = StringIO()
    call_command("audit", "verify", "--but", "1", stdout=said)
    assert "1 anchors are kept" in said.getvalue()


def test_anchor_that_is_missing_before_others_is_told(owner: User) -> None:
    for _ in range(7):
        do_something(owner)
        anchor()
    get_storage(ALIAS).delete(f"{FOLDER}{3:08}.json")
    with pytest.raises(CommandError, match="Anchor 3 is missing"):
        call_command("audit", "verify", stdout=StringIO())


def test_no_sweep_takes_it_for_an_orphan(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86_400)
    sweep_storage()  # what other tests left
    do_something(owner)
    anchor()
    assert _unknown_objects(ALIAS) == 0
    assert sweep_storage() == 0
    assert len(kept_anchors()) == 1
