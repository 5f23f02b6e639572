"""A pause holds what has not begun, says why, and lets go on what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.execution.admission import admit
from orchestration.execution.dispatch import dispatch
from orchestration.execution.pacing import pick
from orchestration.models import AuditEntry, Job, Pause, User
from orchestration.services.job_check import check_job
from orchestration.services.jobs import Request, cancel
from orchestration.services.pauses import pause, pauses, resume
from orchestration.states import JobState
from tests.factories import join, make_file, make_job, make_user, publish_pipeline

if TYPE_CHECKING:
    from orchestration.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", is_superuser=True)


def state(job: Job) -> tuple[str, str, str]:
    job.refresh_from_db()
    return job.state, job.waiting_reason, job.waiting_detail


def test_paused_workspace_s_jobs_wait_with_the_reason_and_others_go_on(root: User, owner: User, people: object) -> None:
    lab, elsewhere = people.lab, people.elsewhere  # type: ignore[attr-defined]
    join(owner, elsewhere)
    held, free = make_job(owner, lab), make_job(owner, elsewhere)
    pause(user=root, workspace=lab, reason="The disk is being changed.")
    admit()
    assert state(held) == ("WAITING", "paused", "The workspace lab is paused: The disk is being changed.")
    assert state(free)[0] == "QUEUED"


def test_paused_pipeline_s_jobs_wait(root: User, owner: User, lab: Workspace) -> None:
    other = publish_pipeline(name="other")
    held, free = make_job(owner, lab), make_job(owner, lab, version=other)
    pause(user=root, pipeline=held.pipeline_version.pipeline, reason="It eats files.")
    admit()
    assert state(held)[1:] == ("paused", "The pipeline noop is paused: It eats files.")
    assert state(free)[0] == "QUEUED"


def test_paused_platform_holds_everything_and_has_the_word(root: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    pause(user=root, workspace=lab, reason="first")
    pause(user=root, reason="A release.")
    admit()
    assert state(job) == ("WAITING", "paused", "The platform is paused: A release.")
    resume(user=root, pause_id=Pause.objects.get(workspace=None).pk)
    admit()
    assert state(job)[2] == "The workspace lab is paused: first"


def test_admitted_job_is_not_handed_over(root: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state=JobState.QUEUED)
    held = pause(user=root, reason="A release.")
    assert state(job)[1] == "paused"
    assert pick(16) == []
    dispatch()
    assert state(job)[0] == "QUEUED"
    assert Job.objects.get(pk=job.pk).execution is None
    resume(user=root, pause_id=held.pk)
    assert state(job)[1:] == ("", "")
    assert [one.job_id for one in pick(16)] == [job.pk]


def test_pipeline_s_pause_is_seen_where_hand_overs_are_paced(root: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state=JobState.QUEUED)
    pause(user=root, pipeline=job.pipeline_version.pipeline, reason="x")
    free = make_job(owner, lab, version=publish_pipeline(name="other"), state=JobState.QUEUED)
    assert [one.job_id for one in pick(16)] == [free.pk]


def test_what_runs_goes_on_and_is_counted_until_none_does(root: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    admit()
    dispatch()
    pause(user=root, reason="A release.")
    (held,) = pauses()
    assert held.running == 1
    assert state(job)[1] != "paused"
    cancel(user=owner, job=job)
    assert pauses()[0].running == 0


def test_after_the_end_the_job_goes_on(root: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    held = pause(user=root, reason="A release.")
    admit()
    resume(user=root, pause_id=held.pk)
    assert state(job) == ("WAITING", "", "")
    admit()
    assert state(job)[0] == "QUEUED"


def test_whoever_checks_a_job_hears_of_it_first(root: User, owner: User, lab: Workspace) -> None:
    publish_pipeline()
    pause(user=root, workspace=lab, reason="The disk is being changed.")
    waits = check_job(user=owner, request=Request(pipeline="noop", inputs=(make_file(lab, owner).pk,), params={})).waits
    assert waits[0] == ("paused", "The workspace lab is paused: The disk is being changed.")


def test_only_operators_pause_and_say_why_and_once(root: User, owner: User, lab: Workspace) -> None:
    with pytest.raises(Forbidden):
        pause(user=owner, workspace=lab, reason="mine")
    with pytest.raises(Invalid):
        pause(user=root, reason=" ")
    held = pause(user=root, reason="x")
    with pytest.raises(Conflict, match="The platform is paused already"):
        pause(user=root, reason="y")
    with pytest.raises(Forbidden):
        resume(user=owner, pause_id=held.pk)
    resume(user=root, pause_id=held.pk)
    with pytest.raises(NotFound):
        resume(user=root, pause_id=held.pk)
    assert list(AuditEntry.objects.order_by("id").values_list("action", "subject", "actor")) == [
        ("platform.paused", "the platform", "root"),
        ("platform.resumed", "the platform", "root"),
    ]
