"""A dispatcher that dies right after AWS took its start: the execution is found there, and taken up or ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.execution import dispatch as dispatching
from orchestration.execution import stopping
from orchestration.execution.dispatch import dispatch
from orchestration.execution.unknown import find_unknown
from orchestration.models import Execution, Job
from orchestration.services.jobs import cancel
from tests.engines.test_cancel_on_aws import SURE, on_aws
from tests.factories import make_file
from tests.orchestration.clock import Clock, clock
from tests.orchestration.play import submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

__all__ = ["clock", "on_aws"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(on_aws: Cloud, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> Job:
    class Killed(BaseException):
        pass

    def killed(name: str) -> None:
        if name == "dispatch.started":
            raise Killed

    job = submitted(owner, files=(make_file(lab, owner),))
    with monkeypatch.context() as patch:
        patch.setattr(dispatching, "point", killed)
        with pytest.raises(Killed):
            dispatch()
    assert [one["name"] for one in on_aws.executions()] == [job.execution_name]
    assert not Execution.objects.exists()
    return job


def test_it_is_taken_up_before_the_claim_of_the_dead_has_run_out(job: Job, on_aws: Cloud) -> None:
    dispatch()
    assert not Execution.objects.exists()
    assert find_unknown() == 1
    job.refresh_from_db()
    assert job.execution is not None
    assert job.execution.external_ref == on_aws.executions()[0]["executionArn"]


def test_it_is_ended_when_nobody_wants_it_any_more(job: Job, on_aws: Cloud, owner: User, clock: Clock) -> None:
    assert cancel(user=owner, job=job).state == "CANCELED"
    assert find_unknown() == 1
    for n in range(2):
        clock.set(SURE * n)
        stopping.stop_unwanted()
    assert [one["status"] for one in on_aws.executions()] == ["ABORTED"]
    assert Execution.objects.get().settled_at is not None
    assert find_unknown() == 0


def test_list_is_read_to_its_end_and_no_further_than_the_quota_allows(
    on_aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = on_aws.client("stepfunctions")
    for n in range(7):
        client.start_execution(stateMachineArn=on_aws.cell.state_machine, name=f"one-{n}")
    monkeypatch.setattr("orchestration.engines.step_functions.adapter.IN_A_LIST", 2)
    assert len(on_aws.engine.open_executions()) == 7
    assert on_aws.calls.count("ListExecutions") == 4
    monkeypatch.setattr("orchestration.engines.step_functions.adapter.MOST_LISTS", 3)
    assert len(on_aws.engine.open_executions()) == 6
