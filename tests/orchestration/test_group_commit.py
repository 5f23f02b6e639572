"""Submissions that are written together: each gets what it would have got alone, and none waits for another's lock."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from orchestration.errors import BudgetExceeded, IdempotencyKeyReused, NotFound
from orchestration.models import ApiToken, Event, File, Job, StepRun, Workspace
from orchestration.models.entry import enter_jobs
from orchestration.services import group_commit
from orchestration.services.ahead import ahead_of_submit
from orchestration.services.group_commit import Call, run_together
from orchestration.services.jobs import Request, submission
from orchestration.services.tokens import authenticate, issue
from tests.factories import join, make_file, make_user, make_workspace, publish_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import User
    from orchestration.services.jobs import Submission


def call(user: User, *files: File, key: str = "", token: str = "") -> Call:
    request = Request("noop", tuple(file.pk for file in files), {})
    ahead = ahead_of_submit(token, request) if token else None
    return Call(partial(begun, user, request, key, token), ahead, copy_context())


def begun(user: User, request: Request, key: str, token: str) -> Submission[Any]:
    if token:
        found = authenticate(token=token)
        assert found is not None
        user = found.user
    return (yield from submission(user, request, key))


def done(*calls: Call) -> list[Any]:
    run_together(calls)
    for one in calls:
        if not one.is_done:
            one.finish()
    return [one.failed or one.result for one in calls]


@pytest.mark.django_db
def test_eight_jobs_are_read_in_one_trip_and_written_by_one_statement(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    _, token = issue(user=owner, name="here")
    ApiToken.objects.update(last_used_at="2999-01-01T00:00Z")
    files = [make_file(lab, owner) for _ in range(8)]
    done(call(owner, make_file(lab, owner), token=token))  # reads what the version is, once
    with CaptureQueriesContext(connection) as captured:
        made = done(*(call(owner, file, token=token, key=f"k{n}") for n, file in enumerate(files)))
    assert [query["sql"].lstrip()[:13] for query in captured] == ["WITH patience"], (
        "and what is read goes beside Django"
    )
    assert [(job.inputs.get(), created) for job, created in made] == [(file, True) for file in files]
    assert all(job.created_at == Job.objects.get(pk=job.pk).created_at for job, _ in made)
    assert StepRun.objects.count() == Event.objects.count() == 9


@pytest.mark.django_db
def test_each_is_refused_for_itself(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    bea, other = make_user("bea"), make_workspace("others")
    join(bea, other)
    hers, mine = make_file(other, bea), make_file(lab, owner)
    first, second, third = done(call(owner, mine), call(owner, hers), call(bea, hers))
    assert isinstance(second, NotFound)
    assert (first[0].workspace, third[0].workspace) == (lab, other)
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_one_key_in_one_group_makes_one_job(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    file, another = make_file(lab, owner), make_file(lab, owner)
    calls = call(owner, file, key="k"), call(owner, file, key="k"), call(owner, another, key="k")
    (one, is_new), (same, again), third = done(*calls)
    assert (one.pk, is_new, again) == (same.pk, True, False)
    assert isinstance(third, IdempotencyKeyReused)
    assert Job.objects.get().inputs.get() == file


@pytest.mark.django_db
def test_file_that_is_deleted_meanwhile_costs_its_own_job_only(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pipeline()
    kept, gone = make_file(lab, owner), make_file(lab, owner)
    write = enter_jobs

    def deleting(entries: Any) -> Any:
        File.objects.filter(pk=gone.pk).update(deleted_at="2026-01-01T00:00Z", expires_at="2026-01-01T00:00Z")
        return write(entries)

    monkeypatch.setattr(group_commit, "enter_jobs", deleting)
    first, second = done(call(owner, kept), call(owner, gone))
    assert first[1]
    assert "deleted just now" in str(second)
    assert Job.objects.get() == first[0]


@pytest.mark.django_db
def test_where_a_budget_is_held_each_is_written_alone(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody waits for the lock that holds it, and each knows what the one before it left."""

    def used_up(*_: object) -> None:
        raise BudgetExceeded("It is used up.")

    monkeypatch.setattr("orchestration.services.jobs.check_budget", used_up)
    publish_pipeline()
    Workspace.objects.filter(pk=lab.pk).update(budget_usd="0.01")
    other = make_workspace("others")
    bea = make_user("bea")
    join(bea, other)
    calls = call(owner, make_file(lab, owner)), call(bea, make_file(other, bea)), call(bea, make_file(other, bea))
    run_together(calls)
    assert [one.is_done for one in calls] == [False, True, True]
    calls[0].finish()
    assert isinstance(calls[0].failed, BudgetExceeded)


@pytest.mark.django_db
def test_error_of_the_database_is_heard_by_whose_fault_it_is(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pipeline()

    def broken(_: Any) -> Any:
        raise DatabaseError

    monkeypatch.setattr(group_commit, "enter_jobs", broken)
    monkeypatch.setattr(group_commit, "read_together", broken)
    made = done(*(call(owner, make_file(lab, owner)) for _ in range(3)))
    assert [created for _, created in made] == [True] * 3


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_lock_holds_nobody_up(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    free, held = make_file(lab, owner), make_file(lab, owner)
    with somebody_holds(held) as let_go:
        calls = call(owner, free), call(owner, held)
        run_together(calls)
        assert not Job.objects.exists(), "together or not at all"
        calls[0].finish()
        assert calls[0].result[1]
        let_go.set()
        calls[1].finish()
    assert calls[1].result[1]
    assert Job.objects.count() == 2


@contextmanager
def somebody_holds(file: File) -> Iterator[threading.Event]:
    has, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            File.objects.select_for_update().get(pk=file.pk)
            has.set()
            let_go.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    has.wait(30)
    try:
        yield let_go
    finally:
        let_go.set()
        thread.join(30)
