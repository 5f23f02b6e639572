"""As much of each job as is asked for, in as few questions as that needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from api_app import job_reads
from orchestration.models import Attempt, Job
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db(transaction=True)
AUTH = 1
"""The token, whatever is asked."""


@pytest.fixture
def jobs(owner: User, lab: Workspace) -> list[Job]:
    """Three of two files each that have run, one of them with a failed item; and one that waits."""
    version = publish_pipeline(TWO_STEPS)
    files = (make_file(lab, owner, "a.csv"), make_file(lab, owner, "b.csv", data=b"b\n1\n"))
    found = [submitted(owner, version, files, name=f"job {n}") for n in range(3)]
    for number, job in enumerate(found):
        run_all(job, failing={1: "INPUT"} if number == 0 else None)
    return [*found, submitted(owner, version, files, name="job 3")]


def asked(who: Visitor, path: str) -> tuple[Any, int]:
    """The answer, and how many questions the database was asked for it."""
    who.json("GET", "/me")  # the note of when the token was last used is made once a minute
    with CaptureQueriesContext(connection) as queries:
        said = who.json("GET", path)
    return said, len(queries)


def test_list_has_the_fields_that_are_named_and_no_others(ana: Visitor, jobs: list[Job]) -> None:
    said, number = asked(ana, "/jobs?fields=id,state,name,priority")
    assert [list(item) for item in said["items"]] == [list(said["items"][0])] * 4
    assert said["items"][0].keys() == {"id", "state", "name", "priority"}
    assert [item["name"] for item in said["items"]] == ["job 3", "job 2", "job 1", "job 0"]
    assert number == AUTH + 1
    page = ana.json("GET", "/jobs?fields=id&limit=1")
    assert page["items"] == [{"id": str(jobs[3].pk)}]
    following = ana.json("GET", f"/jobs?fields=name&limit=1&cursor={page['next_cursor']}")
    assert following["items"] == [{"name": "job 2"}]


def test_job_has_the_fields_that_are_named_and_no_others(ana: Visitor, jobs: list[Job]) -> None:
    path = f"/jobs/{jobs[0].pk}"
    said, number = asked(ana, f"{path}?fields=id,state,failure_kind,version,pipeline_title")
    whole, of_all = asked(ana, path)
    assert said == {name: whole[name] for name in said}
    assert said.keys() == {"id", "state", "failure_kind", "version", "pipeline_title"}
    assert number == of_all == 1, "with the token"
    results, _ = asked(ana, f"{path}?fields=results,result_count,steps")
    assert results == {name: whole[name] for name in ("results", "result_count", "steps")}


def test_without_a_wish_it_is_as_ever(ana: Visitor, jobs: list[Job]) -> None:
    item = ana.json("GET", "/jobs")["items"][0]
    assert not item.keys() & {"steps", "attempts", "inputs", "results"}
    whole = ana.json("GET", f"/jobs/{jobs[0].pk}")
    assert "attempts" not in whole
    assert item.keys() < whole.keys()


def test_list_brings_along_what_one_job_would_have(ana: Visitor, jobs: list[Job]) -> None:
    listed = ana.json("GET", "/jobs?expand=steps,attempts,files&limit=4")["items"]
    for item in listed:
        one = ana.json("GET", f"/jobs/{item['id']}?expand=attempts")
        for name in ("steps", "inputs", "results", "attempts"):
            assert item[name] == one[name], name
        assert item["attempts"] == ana.json("GET", f"/jobs/{item['id']}/attempts")["items"]
    assert [len(item["attempts"]) for item in listed] == [0, 3, 3, 3]
    assert {attempt["source"] for attempt in listed[1]["attempts"]} == {"a.csv", "b.csv", None}


def test_number_of_questions_does_not_grow_with_the_page(ana: Visitor, jobs: list[Job]) -> None:
    for expand in ("steps", "attempts", "files", "steps,attempts,files"):
        _, few = asked(ana, f"/jobs?expand={expand}&limit=2")
        _, more = asked(ana, f"/jobs?expand={expand}&limit=4")
        assert more <= few + 3, expand  # the last page has one that waits: its progress is counted
        _, again = asked(ana, f"/jobs?expand={expand}&fields=id&limit=4&q=state:ended")
        _, fewer = asked(ana, f"/jobs?expand={expand}&fields=id&limit=2&q=state:ended")
        assert again == fewer, expand


def test_no_more_than_the_most_of_each_goes_along(
    ana: Visitor, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_reads, "MOST_IN_LIST", 1)
    monkeypatch.setattr(job_reads, "MOST_OF_ONE", 2)
    item = ana.json("GET", "/jobs?expand=attempts,files&q=state:ended")["items"][0]
    assert [len(item[name]) for name in ("attempts", "inputs")] == [1, 1]
    newest = Attempt.objects.filter(job=item["id"]).latest("id")
    assert item["attempts"][0]["id"] == str(newest.pk)
    assert len(ana.json("GET", f"/jobs/{item['id']}?expand=attempts")["attempts"]) == 2


@pytest.mark.parametrize(
    ("query", "said", "where"),
    [
        ("fields=id,colour", "fields has no colour. There are: id, name,", "fields"),
        ("fields=", "fields has no empty name", "fields"),
        ("expand=log", "expand has no log. There are: steps, attempts, files.", "expand"),
        ("expand=steps&limit=51", "a page has at most 50 jobs; say limit=50", "limit"),
    ],
)
def test_what_there_is_not_is_told(ana: Visitor, lab: Workspace, query: str, said: str, where: str) -> None:
    problem = ana.json("GET", f"/jobs?{query}", 422)
    assert said in problem["detail"]
    assert problem["errors"][0]["loc"] == ["query", where]


def test_fields_of_one_job_are_not_those_of_a_list(ana: Visitor, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    assert "fields has no steps" in ana.json("GET", "/jobs?fields=steps", 422)["detail"]
    assert ana.json("GET", f"/jobs/{job.pk}?fields=steps").keys() == {"steps"}
    assert ana("GET", f"/jobs/{job.pk}?expand=steps&fields=id").json().keys() == {"id", "steps"}
