"""Rights are asked for when the turn of a job comes, not when it was submitted (SEC-044)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from orchestration.engines.registry import get_engine
from orchestration.errors import EngineUnavailable, Forbidden
from orchestration.execution import dispatch as dispatching
from orchestration.execution.admission import admit
from orchestration.execution.advance import advance
from orchestration.execution.dispatch import dispatch
from orchestration.execution.leave import WHY
from orchestration.models import Attempt, Event, Job, Membership, User, Workspace
from orchestration.services.jobs import cancel
from orchestration.services.members import change_role, remove_member
from orchestration.services.reruns import retry
from tests.factories import join, make_file, make_user
from tests.orchestration import play
from tests.orchestration.play import end, lease, run_all

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)


def submitted(user: User, lab: Workspace) -> Job:
    return play.submitted(user, files=(make_file(lab, user),), workspace=lab.slug)


def leaves(manager: User, lab: Workspace, owner: User) -> None:
    remove_member(user=manager, workspace=lab, member_id=owner.pk)


def becomes_viewer(manager: User, lab: Workspace, owner: User) -> None:
    change_role(user=manager, workspace=lab, member_id=owner.pk, role="viewer")


def is_switched_off(_manager: User, _lab: Workspace, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


LOSSES = [leaves, becomes_viewer, is_switched_off]


def assert_refused(job: Job) -> None:
    job.refresh_from_db()
    assert job.state == "CANCELED"
    assert not Attempt.objects.filter(job=job, run=job.run).exists()
    assert Event.objects.filter(job_id=job.pk, reason=WHY).count() == 1


@pytest.mark.parametrize("loses", LOSSES)
def test_job_that_waits_is_not_begun_for_who_may_run_nothing_any_more(
    owner: User, manager: User, lab: Workspace, loses: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    job = submitted(owner, lab)
    loses(manager, lab, owner)
    with caplog.at_level(logging.WARNING):
        dispatch()
    assert_refused(job)
    assert [vars(one)["user_id"] for one in caplog.records if one.message == "job refused"] == [str(owner.pk)]


@pytest.mark.parametrize("loses", LOSSES)
def test_job_that_is_admitted_is_not_handed_over(
    owner: User, manager: User, lab: Workspace, loses: Callable[..., None]
) -> None:
    job = submitted(owner, lab)
    admit()
    loses(manager, lab, owner)
    dispatch()
    assert_refused(job)


def test_others_and_who_is_back_are_served(owner: User, teammate: User, manager: User, lab: Workspace) -> None:
    job, of_another = submitted(owner, lab), submitted(teammate, lab)
    leaves(manager, lab, owner)
    join(owner, lab)
    assert run_all(job).state == "SUCCEEDED"
    of_another.refresh_from_db()
    assert of_another.state == "SUCCEEDED"


def test_administrator_needs_no_membership(lab: Workspace) -> None:
    root = make_user("root", is_superuser=True)
    assert run_all(submitted(root, lab)).state == "SUCCEEDED"


def test_retry_is_of_who_asked_for_it(owner: User, teammate: User, manager: User, lab: Workspace) -> None:
    first, second = (run_all(submitted(owner, lab), failing={0: "USER_CODE"}) for _ in range(2))
    retry(user=owner, job=first)
    leaves(manager, lab, owner)
    retry(user=teammate, job=second)
    dispatch()
    assert_refused(first)
    assert run_all(second).state == "SUCCEEDED"


def test_what_runs_goes_on_and_is_nothing_of_hers_any_more(owner: User, manager: User, lab: Workspace) -> None:
    job = submitted(owner, lab)
    dispatch()
    [attempt] = lease()
    leaves(manager, lab, owner)
    assert not Job.objects.visible_to(owner).exists()
    with pytest.raises(Forbidden):
        cancel(user=owner, job=job)
    advance(job.pk)
    end(attempt)
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"


def test_engine_that_is_away_begins_nothing_for_her_when_it_is_back(
    owner: User, manager: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        pace = get_engine("local").pace

        def start(self, _spec: object) -> str:
            raise EngineUnavailable("away")

    job = submitted(owner, lab)
    with monkeypatch.context() as away:
        away.setattr(dispatching, "get_engine", lambda _name: Away())
        dispatch()
    Membership.objects.filter(user=owner).delete()
    Job.objects.update(next_try_at=None)
    dispatch()
    assert_refused(job)
