"""The one filter language of jobs, from each of its doors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.errors import Invalid
from orchestration.ids import first_id
from orchestration.models import Job
from orchestration.services.job_search import find_jobs, reads_on
from tests.api.conftest import ana, door
from tests.factories import make_job, make_user, publish_pipeline
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

__all__ = ["ana", "door"]  # fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs(owner: User, lab: Workspace, teammate: User) -> None:
    other = publish_pipeline(name="other")
    make_job(owner, lab, name="scan 12", state="FAILED", failure_kind="RESOURCES", labels={"batch": "7", "site": "x"})
    make_job(owner, lab, name="Scan 13", state="SUCCEEDED", labels={"batch": "8"})
    soon = timezone.now() + timedelta(hours=1)
    make_job(teammate, lab, other, name="night", state="RUNNING", priority=5, deadline=soon)
    make_job(teammate, lab, other, name="morning", state="WAITING", waiting_reason="scan")
    make_job(owner, lab, name="gone", state="RUNNING", cancel_requested_at=timezone.now())


def found(user: User, text: str) -> list[str]:
    return list(find_jobs(Job.objects.visible_to(user), text, user=user).order_by("id").values_list("name", flat=True))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["scan 12", "Scan 13", "night", "morning", "gone"]),
        ("scan", ["scan 12", "Scan 13"]),
        ('"scan 12"', ["scan 12"]),
        ("scan -12", ["Scan 13"]),
        ("OTHER", ["night", "morning"]),
        ("bruno", ["night", "morning"]),
        ("state:failed", ["scan 12"]),
        ("state:FAILED,Succeeded", ["scan 12", "Scan 13"]),
        ("state:open", ["night", "morning", "gone"]),
        ("state:ended", ["scan 12", "Scan 13"]),
        ("state:canceling", ["gone"]),
        ("state:timed-out", []),
        ("state:running -state:canceling", ["night"]),
        ("pipeline:other", ["night", "morning"]),
        ("pipeline:other@9.9.9", []),
        ("label:batch", ["scan 12", "Scan 13"]),
        ("label:batch=7", ["scan 12"]),
        ("-label:batch=7", ["Scan 13", "night", "morning", "gone"]),
        ("label:batch=7,batch=8 label:site", ["scan 12"]),
        ("owner:me", ["scan 12", "Scan 13", "gone"]),
        ("owner:bruno", ["night", "morning"]),
        ("owner:nobody", []),
        ("-owner:nobody state:ended", ["scan 12", "Scan 13"]),
        ("-pipeline:other", ["scan 12", "Scan 13", "gone"]),
        ("failure:resources", ["scan 12"]),
        ("failure:user-code", []),
        ("waiting:scan", ["morning"]),
        ("priority:5", ["night"]),
        ("priority:<=0 state:open", ["morning", "gone"]),
        ("name:NIGHT", ["night"]),
        ("name:ight,one", ["night", "gone"]),
        ("-name:scan state:open", ["night", "morning", "gone"]),
        ('name:"" state:ended', ["scan 12", "Scan 13"]),
        ("workspace:lab state:failed", ["scan 12"]),
        ("workspace:nowhere", []),
        ("created:>-1h state:failed", ["scan 12"]),
        ("created:<-1h", []),
        ("deadline:<+2h", ["night"]),
        ("deadline:>+2h", []),
        ("deadline:<-1h", []),
        ("-deadline:<+2h state:open", ["morning", "gone"]),
    ],
)
def test_every_term_must_fit(owner: User, jobs: None, text: str, names: list[str]) -> None:
    assert found(owner, text) == names


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("created:2026-11-02", [2]),
        ("created:>2026-11-02", [3, 4]),
        ("created:>=2026-11-02", [2, 3, 4]),
        ("created:<2026-11-02", [1]),
        ("created:<=2026-11-02", [1, 2]),
        ("created:2026-11-02..2026-11-03", [2, 3]),
        ("created:>2026-11-02T12:00Z", [3, 4]),
        ("created:>=2026-11-02T12:00:00+00:00", [2, 3, 4]),
        ("created:>2026-11-02T12:30+01:00", [2, 3, 4]),
        ("-created:2026-11-02", [1, 3, 4]),
        ("created:2026-11-01,2026-11-04", [1, 4]),
    ],
)
def test_days_are_whole_ones_and_in_utc(owner: User, lab: Workspace, text: str, days: list[int]) -> None:
    version = publish_pipeline()
    for day in range(1, 5):
        at = datetime(2026, 11, day, 12, tzinfo=UTC)
        make_job(owner, lab, version, id=first_id(at), name=str(day), created_at=at)
    assert found(owner, text) == [str(day) for day in days]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:broken", "broken is no state. There are waiting, queued, starting, running,"),
        (
            "ok colour:red",
            "At letter 4 of the filter: colour is no filter. There are created, deadline, failure, finished, label,",
        ),
        ("failure:mine", "mine is no failure. There are user-code, input, resources, interrupted, platform."),
        ("created:yesterday", "yesterday is no time. Write a day like 2026-11-29,"),
        ("deadline:+2h", "Write deadline:>+2h for later than that, or deadline:<+2h."),
        ("created:-7d", "Write created:>-7d for later than that, or created:<-7d."),
        ("created:2026-02-31", "2026-02-31 is no time."),
        ("created:2026-11-01..", "Nothing is no time."),
        ("created:>-99999w", "is no time"),
        ("priority:high", "high is no priority. Write a number"),
    ],
)
def test_mistake_says_what_there_is(owner: User, text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        found(owner, text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("waiting:scan", "job_by_wait"),
        ("failure:resources", "job_by_failure"),
        ("deadline:<+2h", "job_by_deadline"),
        ("state:canceling", "job_canceling"),
        ("workspace:lab", "job_by_workspace"),
    ],
)
def test_what_few_have_has_an_index(owner: User, lab: Workspace, text: str, index: str) -> None:
    """Else the whole table is read to find the few, or that there are none."""
    jobs = find_jobs(Job.objects.all(), text, user=owner).order_by("-id")[:50]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        # As if millions were there, of which the newest fifty are not the ones.
        cursor.execute("ALTER TABLE orchestration_job DROP CONSTRAINT orchestration_job_pkey CASCADE")
    assert index in jobs.explain()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("created:>-1h", ['"orchestration_job"."id" >= ']),
        ("created:<-1h", ['"orchestration_job"."id" < ']),
        ("created:2026-11-01..2026-11-02", ['"orchestration_job"."id" >= ', '"orchestration_job"."id" < ']),
    ],
)
def test_times_of_creation_are_asked_of_ids_too(owner: User, text: str, asked: list[str]) -> None:
    """Else the whole table is read to find the few, or that there are none."""
    query = str(find_jobs(Job.objects.all(), text, user=owner).query)
    assert all(one in query for one in asked)


@pytest.mark.parametrize("text", ["created:>0001-01-01", "created:<9999-12-31T23:59Z"])
def test_ends_of_time_break_nothing(owner: User, jobs: None, text: str) -> None:
    assert len(found(owner, text)) == Job.objects.visible_to(owner).count()


@pytest.mark.parametrize(
    ("text", "is_read_on"),
    [
        ("", False),
        ("night", False),
        ("ni", True),
        ("name:night state:failed", False),
        ("name:ni,night state:failed", True),
        ("00000000-0000-7000-8000-000000000000", False),
        ("state:failed waiting:scan", False),
        ("-state:failed", True),
        ("-owner:me state:failed", False),
        ("priority:>0", True),
        ("colour:", False),
    ],
)
def test_it_is_known_what_reads_on_where_few_fit(text: str, is_read_on: bool) -> None:  # noqa: FBT001  a case
    assert reads_on(text) == is_read_on


def test_job_without_a_name_is_found_by_other_words_than_its_name_s(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, publish_pipeline(name="other"))
    for text in ("other", "ana", "-scan", "-name:scan", 'name:""', '""'):
        assert list(find_jobs(Job.objects.all(), text, user=owner)) == [job], text
    for text in ("scan", "name:other", "-other", '-name:""'):
        assert not find_jobs(Job.objects.all(), text, user=owner).exists(), text


def test_job_is_found_by_its_id_and_nobody_elses_is(owner: User, stranger: User, jobs: None) -> None:
    job = Job.objects.get(name="night")
    assert found(owner, str(job.pk)) == ["night"]
    assert found(stranger, str(job.pk)) == found(stranger, "") == []


def test_api_filters_and_says_where_the_mistake_is(ana: Visitor, jobs: None) -> None:
    items = ana.json("GET", "/jobs", params={"q": "state:open owner:me"})["items"]
    assert [item["name"] for item in items] == ["gone"]
    problem = ana.json("GET", "/jobs", 422, params={"q": "state:open colour:red"})
    assert problem["code"] == "invalid"
    assert problem["errors"][0]["loc"] == ["query", "q", 12]


def test_admin_searches_by_the_same_words(jobs: None) -> None:
    admin = make_user("root", is_staff=True, is_superuser=True)
    page = browser(admin).get("/admin/orchestration/job/?q=state:failed+label:batch").content.decode()
    assert "scan 12" in page
    assert "Scan 13" not in page
    assert "colour is no filter" in browser(admin).get("/admin/orchestration/job/?q=colour:red").content.decode()


def test_what_few_jobs_have_is_found_by_an_index(owner: User, lab: Workspace) -> None:
    """Three in a million: whoever looked at all of them would be slow."""
    one = make_job(owner, lab, state="SUCCEEDED")
    done = {f.attname: getattr(one, f.attname) for f in Job._meta.concrete_fields if f.attname != "id"}
    Job.objects.bulk_create(Job(**done) for _ in range(3_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orchestration_job")

    def plan(text: str) -> str:
        return find_jobs(Job.objects.filter(workspace=lab), text, user=owner).order_by("-id")[:50].explain()

    assert "job_by_state" in plan("state:canceled")
    assert "job_failed_of_late" in plan("state:failed,timed-out")
    assert "job_by_label" in plan("label:batch=7")
    assert "job_by_label" in plan("label:batch")
