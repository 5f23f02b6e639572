"""The log is only added to, and whatever was changed behind its back is found."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction

from orchestration.execution import audit_seals
from orchestration.execution.audit_seals import seal
from orchestration.models import AuditEntry, AuditSeal, Leadership
from orchestration.models.audit import write_audit
from orchestration.services.audit import verify
from orchestration.states import AuditAction
from tests.audit.guards import RIGHTS, TABLES, unguarded

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(owner: User, lab: Workspace) -> list[int]:
    for name in ("first", "second", "third"):
        write_audit(AuditAction.FILE_DELETED, by=owner, workspace=lab, name=name, after={"size": 7})
    seal()
    return list(AuditEntry.objects.order_by("id").values_list("pk", flat=True))


@pytest.fixture
def unruled(db: None) -> None:
    """As somebody who owns the database may be."""
    for statement in unguarded():
        run(statement)


def run(sql: str, *params: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_database_refuses_to_change_it_even_to_its_owner(written: list[int], table: str, statement: str) -> None:
    run(f"GRANT {RIGHTS} ON {table} TO CURRENT_USER")
    column = "address" if table.endswith("entry") else "digest"
    with pytest.raises(DatabaseError, match="The audit log is only added to"):
        run(statement.format(table, column, column))
    assert AuditEntry.objects.count() == AuditSeal.objects.count() == 3


@pytest.mark.parametrize("table", TABLES)
def test_role_that_writes_it_has_no_other_right(written: list[int], table: str) -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        run(f"DELETE FROM {table}")  # noqa: S608  our own words
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(privilege ORDER BY privilege) FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE'])"
            " privilege WHERE EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = %s::regclass"
            " AND a.grantee = c.relowner AND a.privilege_type = privilege)",
            [table],
        )
        assert cursor.fetchone() == (None,)


def test_chain_holds_and_goes_on(owner: User, written: list[int]) -> None:
    first = verify()
    assert (first.sealed, first.broken, first.unsealed) == (3, "", 0)
    write_audit(AuditAction.SIGNED_IN, by=owner)
    assert verify().unsealed == 1
    assert seal() == 1
    assert verify(anchor=first.anchor).broken == ""
    assert list(AuditSeal.objects.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4]


def test_nothing_is_sealed_twice(written: list[int]) -> None:
    assert seal() == 0


def test_more_than_one_batch_is_chained_in_one_round(
    owner: User, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_seals, "BATCH", 2)
    for _ in range(5):
        write_audit(AuditAction.SIGNED_IN, by=owner)
    assert seal() == 5
    assert verify().broken == ""


def test_entry_that_commits_late_is_sealed_later(owner: User, written: list[int]) -> None:
    """Its id was handed out before those that are sealed."""
    run(
        "INSERT INTO orchestration_auditentry (id, action, actor, workspace, subject_kind, subject_id, subject, before,"
        " after, request_id, address) VALUES (%s, 'x', '', '', '', '', '', '{}', '{}', '', '')",
        written[0] - 1,
    )
    assert seal() == 1
    assert AuditSeal.objects.get(position=4).entry_id == written[0] - 1
    assert verify().broken == ""


def test_sealer_leaves_it_to_the_one_who_leads(owner: User) -> None:
    write_audit(AuditAction.SIGNED_IN, by=owner)
    run("INSERT INTO orchestration_leadership (duty, holder, until, is_wanted)"
        " VALUES ('audit', gen_random_uuid(), now() + interval '1 minute', false)")  # fmt: skip
    assert seal() == 0
    Leadership.objects.filter(duty="audit").delete()
    assert seal() == 1


@pytest.mark.usefixtures("unruled")
def test_changed_entry_is_the_first_that_is_named(written: list[int]) -> None:
    run("UPDATE orchestration_auditentry SET after = '{\"size\": 8}' WHERE id = %s", written[1])
    found = verify()
    assert found.sealed == 1
    assert found.broken == f"entry {written[1]} (file.deleted) or its seal 2 was changed"


@pytest.mark.usefixtures("unruled")
@pytest.mark.parametrize("column", ["action", "actor", "workspace", "subject", "request_id", "address", "subject_id"])
def test_no_word_of_an_entry_is_outside_of_the_chain(written: list[int], column: str) -> None:
    run(f"UPDATE orchestration_auditentry SET {column} = 'other' WHERE id = %s", written[0])  # noqa: S608  our words
    assert str(written[0]) in verify().broken


@pytest.mark.usefixtures("unruled")
def test_entry_that_was_taken_out_leaves_a_gap(written: list[int]) -> None:
    run("DELETE FROM orchestration_auditentry WHERE id = %s", written[1])
    assert verify().broken == f"entry {written[1]} is missing, which seal 2 is over"
    run("DELETE FROM orchestration_auditseal WHERE position = 2")
    assert verify().broken == "seal 2 is missing"


@pytest.mark.usefixtures("unruled")
def test_cut_end_and_new_chain_are_found_by_an_anchor(owner: User, written: list[int]) -> None:
    noted = verify().anchor
    run("DELETE FROM orchestration_auditseal WHERE position = 3")
    run("DELETE FROM orchestration_auditentry WHERE id = %s", written[2])
    assert verify().broken == ""
    assert "its end was cut off" in verify(anchor=noted).broken
    write_audit(AuditAction.SIGNED_IN, by=owner)
    seal()
    assert "the chain was written anew" in verify(anchor=noted).broken


@pytest.mark.usefixtures("unruled")
def test_command_says_what_is_broken_and_fails(written: list[int]) -> None:
    said = StringIO()
    call_command("audit", "verify", stdout=said)
    assert said.getvalue().startswith("3 entries are sealed and hold.")
    run("UPDATE orchestration_auditentry SET actor = 'eva' WHERE id = %s", written[0])
    with pytest.raises(CommandError, match=f"entry {written[0]} "):
        call_command("audit", "verify", stdout=StringIO())


def test_command_refuses_what_is_no_anchor(db: None) -> None:
    with pytest.raises(CommandError, match="An anchor is"):
        call_command("audit", "verify", anchor="7")
