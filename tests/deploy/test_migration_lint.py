"""Every migration can run while the release before it serves: it locks no table for long, and takes nothing away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.deploy.migration_lint import OLD_CANNOT_INSERT, findings, sql_of, walk

if TYPE_CHECKING:
    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import ProjectState

pytestmark = pytest.mark.django_db(transaction=True)

# What is known and stays: (migration, finding) → why it does no harm. A new migration has no place here without one.
UNRELEASED: Final = "older than the first release: nothing before it could have been serving"
BASELINE: Final[dict[tuple[str, str], str]] = {
    (name, finding): UNRELEASED
    for name, findings_of_it in (
        ("0003_mail", ["constraint-missing-not-valid"]),
        (
            "0004_uploads",
            [
                "adding-field-with-default",
                "constraint-missing-not-valid",
                "disallowed-unique-constraint",
                "require-concurrent-index-creation",
            ],
        ),
        ("0008_execution_settled", ["require-concurrent-index-creation"]),
        ("0011_cost", ["constraint-missing-not-valid"]),
        ("0017_scrub", ["adding-field-with-default"]),
        ("0019_live", ["constraint-missing-not-valid"]),
        (
            "0025_tokens",
            [
                "adding-foreign-key-constraint",
                "constraint-missing-not-valid",
                "disallowed-unique-constraint",
                "require-concurrent-index-creation",
            ],
        ),
    )
    for finding in findings_of_it
}


def test_no_migration_stops_the_release_before_it() -> None:
    found = {
        (migration.name, finding) for migration, before, sql in walk() for finding in findings(migration, before, sql)
    }
    new = sorted(found - BASELINE.keys())
    assert not new, f"docs/migrations.md says how each is done instead:\n{'\n'.join(map(str, new))}"
    assert BASELINE.keys() - found == set(), "what is found no longer needs no excuse"


@pytest.fixture(scope="module")
def today() -> ProjectState:
    return MigrationLoader(None, ignore_no_migrations=True).project_state()


INDEX: Final = models.Index(fields=["name"], name="job_by_name")
CHECK: Final = models.CheckConstraint(condition=models.Q(priority__gte=-1_000), name="job_priority_least")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (migrations.RemoveField("job", "name"), "ban-drop-column"),
        (migrations.RenameField("job", "name", "title"), "renaming-column"),
        (migrations.RenameModel("JobInput", "JobFile"), "renaming-table"),
        (migrations.DeleteModel("SavedFilter"), "ban-drop-table"),
        (migrations.AddField("job", "colour", models.TextField(default="")), OLD_CANNOT_INSERT),
        (migrations.AlterField("job", "started_at", models.DateTimeField()), OLD_CANNOT_INSERT),
        (migrations.AlterField("job", "priority", models.BigIntegerField(default=0)), "changing-column-type"),
        (migrations.AddIndex("job", INDEX), "require-concurrent-index-creation"),
        (migrations.AddConstraint("job", CHECK), "constraint-missing-not-valid"),
        (migrations.RunSQL("ALTER TABLE orchestration_job ADD COLUMN a text NOT NULL"), "adding-required-field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_stops_the_release_before_is_found(today: ProjectState, operation: Operation, expected: str) -> None:
    assert expected in found_in(today, operation)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("job", "colour", models.TextField(null=True)),
        migrations.AddField("job", "colour", models.TextField(default="", db_default="")),
        migrations.RunSQL("ALTER TABLE orchestration_job DROP CONSTRAINT IF EXISTS nothing"),
        migrations.CreateModel(
            "Colour",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("job", models.ForeignKey("orchestration.job", models.CASCADE)),
            ],
        ),
        migrations.CreateModel("Colour", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]),
    ],
)
def test_what_only_adds_is_let_be(today: ProjectState, operation: Operation) -> None:
    assert found_in(today, operation) == set()


def test_index_that_is_built_beside_the_work_is_let_be(today: ProjectState) -> None:
    assert found_in(today, AddIndexConcurrently("job", INDEX), atomic=False) == set()


def found_in(today: ProjectState, operation: Operation, *, atomic: bool = True) -> set[str]:
    made = type("Migration", (migrations.Migration,), {"operations": [operation], "atomic": atomic})
    migration = made("9999_new", "orchestration")
    connection.ensure_connection()
    return findings(migration, today, sql_of(migration, today.clone()))
