"""Many jobs in one call: each taken or refused by itself, nothing made twice, few questions to the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.cost.estimate import Basis, Estimate
from orchestration.errors import BudgetExceeded, NotAllTaken
from orchestration.models import Event, File, Job, StepRun
from orchestration.services import submissions
from orchestration.services.jobs import Request
from orchestration.services.submissions import Taken, submit_many
from tests.factories import make_file, make_workspace, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(owner: User, lab: Workspace) -> File:
    publish_pipeline()
    return make_file(lab, owner)


def one(*files: File, **fields: Any) -> dict[str, Any]:
    return {"pipeline": "noop", "inputs": [str(file.pk) for file in files], **fields}


def sent(who: Visitor, *jobs: dict[str, Any], key: str = "", **body: Any) -> list[Any]:
    headers = {"Idempotency-Key": key} if key else {}
    said = who.json("POST", "/jobs:batch", json={"jobs": list(jobs), **body}, headers=headers)
    found: list[Any] = said["results"]
    assert [result["index"] for result in found] == list(range(len(jobs)))
    return found


def codes(results: list[Any]) -> list[str | None]:
    return [result["problem"] and result["problem"]["code"] for result in results]


def test_each_job_is_as_if_it_had_been_submitted_alone(ana: Visitor, owner: User, lab: Workspace, file: File) -> None:
    publish_pipeline(TWO_STEPS)
    second = make_file(lab, owner, "b.csv")
    fields = {"name": "first", "labels": {"a": "b"}, "priority": 3, "deadline": "2027-01-02T03:04:05Z"}
    two = {"pipeline": "two-steps", "inputs": [str(second.pk), str(file.pk)]}
    results = sent(ana, one(file, **fields), two)
    alone = [ana.json("POST", "/jobs", 201, json=body) for body in (one(file, **fields), two)]
    assert codes(results) == [None, None]
    different = {"id", "url", "created_at", "version", "queue_position"}
    for result, single in zip(results, alone, strict=True):
        assert result["created"] is True
        made = ana.json("GET", f"/jobs/{result['job']['id']}")
        expected = ana.json("GET", f"/jobs/{single['id']}")
        same = made.keys() - different
        assert {k: made[k] for k in same} == {k: expected[k] for k in same}
        assert result["job"] == {key: made[key] for key in result["job"]} | {"queue_position": None}
        events = [
            Event.objects.filter(job_id=job["id"]).values("kind", "old", "new", "reason", "data", "step")
            for job in (made, single)
        ]
        assert list(events[0]) == list(events[1])
    job = Job.objects.get(pk=results[1]["job"]["id"])
    run_all(job)
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"


def test_one_that_is_refused_keeps_no_other_from_being_taken(
    ana: Visitor, eva: Visitor, owner: User, file: File
) -> None:
    strange = make_workspace("attic")
    theirs = make_file(strange, owner)
    results = sent(
        ana,
        one(file),
        one(file, pipeline="never"),
        one(file, params={"no": 1}),
        one(theirs),
        one(file, workspace="attic"),
        one(file, file),
        one(file, deadline="2020-01-01T00:00:00Z"),
        one(file, name="last"),
    )
    assert codes(results) == [None, "not_found", "invalid", "not_found", "not_found", "invalid", "invalid", None]
    assert results[2]["problem"]["errors"][0]["loc"] == ["params", "no"]
    assert list(Job.objects.order_by("id").values_list("name", flat=True)) == ["", "last"]
    assert codes(sent(eva, one(file))) == ["not_found"]


@pytest.mark.parametrize("body", [{"jobs": []}, {"jobs": [{"pipeline": "noop"}] * 1_001}, {"jobs": [{"pipelin": "x"}]}])
def test_what_is_no_batch_is_refused_as_a_whole(ana: Visitor, file: File, body: dict[str, Any]) -> None:
    assert ana("POST", "/jobs:batch", json=body).status_code == 422
    assert not Job.objects.exists()


def test_repeated_with_its_key_it_gives_the_same_jobs(ana: Visitor, file: File) -> None:
    body = [one(file, name="a"), one(file, pipeline="late"), one(file, name="c")]
    first = sent(ana, *body, key="k")
    publish_pipeline(name="late")
    again = sent(ana, *body, key="k")
    assert [result["created"] for result in again] == [False, True, False]
    assert [again[n]["job"]["id"] for n in (0, 2)] == [first[n]["job"]["id"] for n in (0, 2)]
    changed = sent(ana, one(file, name="other"), *body[1:], key="k")
    assert codes(changed) == ["idempotency_key_reused", None, None]
    assert Job.objects.count() == 3
    sent(ana, *body)
    assert Job.objects.count() == 6, "without a key they are others"


def test_same_call_twice_at_once_makes_its_jobs_once(owner: User, file: File) -> None:
    requests = [Request(pipeline="noop", inputs=(file.pk,), params={}, name=str(n)) for n in range(20)]

    def submit(_: int) -> list[Any]:
        try:
            return [
                one.job.pk
                for one in submit_many(user=owner, requests=requests, idempotency_key="k")
                if isinstance(one, Taken)
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(submit, range(4)))
    assert Job.objects.count() == 20
    assert all(ids == found[0] for ids in found)


def test_job_over_a_file_that_is_deleted_just_now_is_refused_alone(
    owner: User, lab: Workspace, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_file(lab, owner, "b.csv")
    real = submissions._keep_files

    def deleted_first(ids: set[Any]) -> set[Any]:
        File.objects.filter(pk=other.pk).update(deleted_at="2026-01-01T00:00Z")
        return real(ids)

    monkeypatch.setattr(submissions, "_keep_files", deleted_first)
    requests = [Request(pipeline="noop", inputs=(each.pk,), params={}) for each in (other, file)]
    refused, taken = submit_many(user=owner, requests=requests)
    assert str(refused) == "One of the files was deleted just now."
    assert isinstance(taken, Taken)
    assert Job.objects.get().inputs.get() == file


def test_where_a_budget_is_held_each_job_is_asked_for(
    ana: Visitor, lab: Workspace, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.budget_usd, lab.budget_mode = 0, "block"
    lab.save()
    assert codes(sent(ana, one(file), one(file))) == ["budget_exceeded"] * 2
    assert not Job.objects.exists()


def test_atomic_takes_all_or_none_and_names_what_it_refused(ana: Visitor, file: File) -> None:
    body = {"atomic": True, "jobs": [one(file), one(file, pipeline="nope"), one(file), {**one(file), "inputs": []}]}
    problem = ana.json("POST", "/jobs:batch", 422, json=body, headers={"Idempotency-Key": "k"})
    assert problem["code"] == "not_all_taken"
    assert problem["detail"].startswith(
        "No job was taken, as 2 would be refused; the first is jobs[1]: There is no pipe"
    )
    assert [(e["loc"], e["code"]) for e in problem["errors"]] == [
        (["body", "jobs", 1], "not_found"),
        (["body", "jobs", 3], "invalid"),
    ]
    assert not Job.objects.exists()
    for created in (True, False):
        results = sent(ana, one(file), one(file), key="k", atomic=True)
        assert [(result["created"], result["problem"]) for result in results] == [(created, None)] * 2


def test_atomic_under_the_key_of_a_batch_that_was_partly_taken_does_not_say_that_none_was(
    ana: Visitor, file: File
) -> None:
    wrong = one(file, pipeline="nope")
    assert codes(sent(ana, one(file), wrong, key="k")) == [None, "not_found"]
    body = {"atomic": True, "jobs": [one(file), wrong]}
    said = ana.json("POST", "/jobs:batch", 422, json=body, headers={"Idempotency-Key": "k"})["detail"]
    assert said.startswith("No further job was taken (1 were before), as 1 would be refused")


def test_atomic_takes_none_when_a_file_goes_at_the_last_moment(
    owner: User, lab: Workspace, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = make_file(lab, owner, "b.csv")
    monkeypatch.setattr(submissions, "_keep_files", lambda ids: ids - {gone.pk})
    requests = [Request(pipeline="noop", inputs=(pk,), params={}) for pk in (file.pk, gone.pk)]
    with pytest.raises(NotAllTaken, match=r"jobs\[1\]: One of the files was deleted just now"):
        submit_many(user=owner, requests=requests, is_atomic=True)
    assert not Job.objects.exists()


def test_atomic_asks_the_budget_for_the_sum(
    owner: User, lab: Workspace, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Estimate(Decimal(4), Basis.TIMEOUTS)
    monkeypatch.setattr(submissions, "estimate_of", lambda *_: expected)
    lab.budget_usd, lab.budget_mode = 10, "block"
    lab.save()
    one_job = Request(pipeline="noop", inputs=(file.pk,), params={})
    with pytest.raises(BudgetExceeded, match="may cost"):
        submit_many(user=owner, requests=[one_job] * 3, is_atomic=True)
    assert not Job.objects.exists()
    assert len(submit_many(user=owner, requests=[one_job] * 2, is_atomic=True)) == 2
    assert list(Job.objects.values_list("estimate_usd", flat=True)) == [4, 4]


def test_a_thousand_jobs_take_few_questions(ana: Visitor, lab: Workspace, owner: User, file: File) -> None:
    files = [make_file(lab, owner, f"{n}.csv", data=f"a\n{n}\n".encode()) for n in range(20)]
    body = [one(files[n % 20], name=f"job {n}", labels={"batch": "7"}) for n in range(1_000)]
    with CaptureQueriesContext(connection) as asked:
        results = sent(ana, *body, key="k")
    assert codes(results) == [None] * 1_000
    assert (Job.objects.count(), StepRun.objects.count(), Event.objects.count()) == (1_000, 1_000, 1_000)
    assert len(asked) <= 18, "\n".join(str(query["sql"])[:200] for query in asked)
