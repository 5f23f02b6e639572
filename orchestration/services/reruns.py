"""Going again: the only way out of a terminal state. Good outputs are kept; job.run grows by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction

from orchestration.errors import Forbidden, NotFound, OrchestrationError
from orchestration.points import point
from orchestration.services.access import require_role
from orchestration.services.going_again import Wish, go_again
from orchestration.states import Role
from orchestration.tasks import nudge_dispatch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from orchestration.models import Job, User

RETRY: Final = Wish("retry")
RERUN: Final = Wish("rerun items")


def retry(*, user: User, job: Job, run: int | None = None) -> Job:
    """Same inputs and version, from the failed steps on. `run`: only if it is still the job's last one."""
    return _alone(user, job, RETRY, run)


def rerun_items(*, user: User, job: Job, step: str = "", items: Collection[int] = (), run: int | None = None) -> Job:
    """Only the failed items of fan-outs (of `step`, of `items`), and the steps that depend on them. `run`: as above."""
    return _alone(user, job, Wish(RERUN.reason, step, frozenset(items)), run)


@transaction.atomic(durable=True)
def _alone(user: User, job: Job, wish: Wish, run: int | None) -> Job:
    require_role(user=user, workspace=job.workspace, role=Role.SUBMITTER)
    refused = go_again({job.pk: run}, wish, by=user.pk, is_alone=True).get(job.pk, NotFound())
    if refused is not None:
        raise refused
    point("retry.before_commit")
    transaction.on_commit(nudge_dispatch)
    job.refresh_from_db()
    return job


def go_again_many(*, user: User, jobs: Mapping[Job, int], wish: Wish) -> dict[UUID, OrchestrationError | None]:
    """Each only if that run is still its last one: None, or why not. What is missing is to be done one by one."""
    may = {place: place.lets(user, Role.SUBMITTER) for place in {job.workspace for job in jobs}}
    outcomes: dict[UUID, OrchestrationError | None] = {
        job.pk: Forbidden(f"That needs the role {Role.SUBMITTER} in workspace {job.workspace.slug}.")
        for job in jobs
        if not may[job.workspace]
    }
    with transaction.atomic(durable=True):
        mine = {job.pk: run for job, run in jobs.items() if may[job.workspace]}
        outcomes |= go_again(mine, wish, by=user.pk, is_alone=False)
        point("retry.before_commit")
        transaction.on_commit(nudge_dispatch)
    return outcomes
