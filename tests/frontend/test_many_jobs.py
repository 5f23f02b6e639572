"""However many jobs there are, a page that shows few of them reads few, also the twentieth time it is asked for.

By then PostgreSQL would take one plan for all values, were it let: what is usual would decide about what is rare.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.models import Job
from orchestration.models.planning import planned_anew
from orchestration.services.bulk import Choice, preview
from orchestration.states import BulkAction
from tests.api.conftest import ana, door
from tests.factories import make_job, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

__all__ = ["ana", "door"]  # fixtures

pytestmark = pytest.mark.django_db

JOBS = 10_000
OFTEN = 12  # a plan for all values is looked at from the ninth time on
FEW_ROWS = 40 * OFTEN


@pytest.fixture
def many(lab: Workspace) -> None:
    """All of one person, ended well and long ago, each with a name of its own."""
    long_ago = timezone.now() - timedelta(days=30)
    one = make_job(make_user("zoe"), lab, state="SUCCEEDED", finished_at=long_ago)
    columns = ", ".join(f.attname for f in Job._meta.concrete_fields if f.attname not in {"id", "name"})
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orchestration_job (id, name, {columns})"  # noqa: S608  our own words
            " SELECT overlay(%s placing lpad(to_hex(n), 12, '0') from 25)::uuid, 'job ' || n, "
            f"{columns} FROM orchestration_job, generate_series(1, %s) n WHERE id = %s",
            [str(one.pk), JOBS, one.pk],
        )
        cursor.execute("ANALYZE orchestration_job")


def rows_read(ask: Callable[[], object]) -> int:
    before = _read_so_far()
    for _ in range(OFTEN):
        ask()
    return _read_so_far() - before


def _read_so_far() -> int:
    """In this transaction, which is the test's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'orchestration_job'"
        )
        (found,) = cursor.fetchone()
    return int(found)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home/live/",
        "/jobs/?q=state:timed-out",
        "/jobs/?q=state:failed,timed-out",
        "/jobs/?q=owner:me",
        "/jobs/?q=name:2424",
        "/jobs/?q=2424",
        "/jobs/?q=pipeline:other",
    ],
)
def test_page_of_few_jobs_reads_few(owner: User, many: None, path: str) -> None:
    client = browser(owner)
    assert rows_read(lambda: client.get(path)) < FEW_ROWS


def test_no_door_keeps_a_plan_of_what_people_choose(ana: Visitor, owner: User, many: None) -> None:
    admin = browser(make_user("root", is_staff=True, is_superuser=True))
    mine = Choice(filter="owner:me")
    for _ in range(OFTEN):
        ana.json("GET", "/jobs", params={"q": "owner:me"})
        admin.get("/admin/orchestration/job/?q=state:timed-out")
        preview(user=owner, action=BulkAction.RETRY, choice=mine)
    assert kept('%FROM "orchestration_job"%LIMIT%') == []


def test_plans_are_kept_again_afterwards(owner: User) -> None:
    def ask() -> None:
        with connection.cursor() as cursor:
            for _ in range(OFTEN):
                cursor.execute("SELECT 'planned anew?', %s::int", [1])

    with planned_anew():
        ask()
    assert kept("%planned anew?%") == []
    ask()
    assert len(kept("%planned anew?%")) == 1


def kept(like: str) -> list[str]:
    """Statements whose plans this connection keeps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s", [like])
        return [statement for (statement,) in cursor.fetchall()]
