"""What a migration locks, and what it takes from the release before it, which goes on serving meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.migrations import AddField, AlterField, CreateModel
from django.db.migrations.loader import MigrationLoader
from django.db.models import ManyToManyField
from django.db.models.fields import NOT_PROVIDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.migrations import Migration
    from django.db.migrations.state import ProjectState
    from django.db.models import Field

SQUAWK: Final = Path(sysconfig.get_path("scripts"), "squawk")
NO_RULES_OF_OURS: Final = {
    "prefer-bigint-over-int": "Django chooses types; ids are UUIDs or bigint",
    "prefer-bigint-over-smallint": "the same",
    "prefer-identity": "the same",
    "prefer-text-field": "the same; a length that grows locks nobody",
    "prefer-timestamptz": "the same",
    "ban-drop-constraint": "a constraint that goes allows more; the lock is short",
    "prefer-robust-stmts": "Django keeps the book of what was applied",
    "require-lock-timeout": "`manage.py migrate` sets it (test_migrate.py)",
    "require-statement-timeout": "the same: an index may take its time",
}
OLD_CANNOT_INSERT: Final = "old-release-cannot-insert"
APPS: Final = ("orchestration", "project", "frontend_app")


def findings(migration: Migration, before: ProjectState, sql: str) -> set[str]:
    return {*_of_squawk(sql, is_atomic=migration.atomic), *_of_operations(migration, before)}


def walk() -> Iterator[tuple[Migration, ProjectState, str]]:
    """Each of our migrations, the state before it and its SQL. Nothing is executed."""
    loader = MigrationLoader(connection, replace_migrations=False)
    graph = loader.graph
    plan = dict.fromkeys(step for leaf in sorted(graph.leaf_nodes()) for step in graph.forwards_plan(leaf))
    state = loader.project_state(nodes=[])
    for app, name in plan:
        migration = graph.nodes[app, name]
        if app in APPS:
            yield migration, state.clone(), sql_of(migration, state.clone())
        state = migration.mutate_state(state, preserve=False)


def sql_of(migration: Migration, state: ProjectState) -> str:
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    return "\n".join(editor.collected_sql)


def _of_squawk(sql: str, *, is_atomic: bool) -> set[str]:
    command: list[str | Path] = [
        SQUAWK,
        "--reporter",
        "json",
        "--pg-version",
        "15.0",
        "--exclude",
        ",".join(NO_RULES_OF_OURS),
    ]
    if is_atomic:
        command.append("--assume-in-transaction")
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    assert done.returncode in {0, 1}, done.stderr
    mine = set(re.findall(r'CREATE TABLE "(\w+)"', sql))
    lines = sql.splitlines()
    return {one["rule_name"] for one in found if _table(lines[int(one["line"])]) not in mine}


def _table(line: str) -> str:
    """Of a statement; one that was made in the same migration is nobody's yet, whatever is done to it."""
    found = re.search(r'^(?:ALTER TABLE|CREATE .*INDEX .* ON) "(\w+)"', line)
    return found[1] if found else ""


def _of_operations(migration: Migration, before: ProjectState) -> Iterator[str]:
    """A column that has to be filled and fills itself with nothing: what the release before inserts is refused."""
    made = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
    for operation in migration.operations:
        if not isinstance(operation, AddField | AlterField) or operation.model_name_lower in made:
            continue
        was_needed = isinstance(operation, AlterField) and _is_needed(_field_before(migration, operation, before))
        if _is_needed(operation.field) and not was_needed:
            yield OLD_CANNOT_INSERT


def _field_before(migration: Migration, operation: AlterField, before: ProjectState) -> Field:  # type: ignore[type-arg]
    field: Field = before.models[migration.app_label, operation.model_name_lower].fields[operation.name]  # type: ignore[type-arg]
    return field


def _is_needed(field: Field) -> bool:  # type: ignore[type-arg]
    return (
        not isinstance(field, ManyToManyField)
        and not field.null
        and not field.primary_key
        and field.db_default is NOT_PROVIDED
    )
