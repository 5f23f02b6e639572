"""What a bulk operation does to some jobs in one transaction. What cannot be done so is left out and done by itself.

For each job the outcome is the one that it would have by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.errors import OrchestrationError
from orchestration.models.operation import Settled
from orchestration.services.jobs import cancel_unstarted
from orchestration.services.reruns import RERUN, RETRY, go_again_many
from orchestration.services.submissions import resubmit_many
from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.models import BulkItem, Job, User
    from orchestration.services.going_again import Wish

type Pairs = Sequence[tuple[BulkItem, Job]]
type Outcomes = dict[int, Settled]
"""By the item's id."""

DONE: Final = Settled(BulkOutcome.DONE)


def refusal(exc: OrchestrationError) -> Settled:
    return Settled(BulkOutcome.REFUSED, code=exc.code[:40], detail=str(exc)[:500])


def _cancel(user: User, pairs: Pairs) -> Outcomes:
    gone = cancel_unstarted(user=user, jobs=[job for _, job in pairs])
    return {item.pk: DONE for item, job in pairs if job.pk in gone}


def _go_again(wish: Wish) -> Callable[[User, Pairs], Outcomes]:
    def together(user: User, pairs: Pairs) -> Outcomes:
        # One of another run has gone on since it was chosen: by this operation, before a kill, or by somebody.
        now = {job: item.run for item, job in pairs if job.run == item.run}
        outcomes = go_again_many(user=user, jobs=now, wish=wish)
        settled = {item.pk: DONE for item, job in pairs if job not in now}
        for item, job in pairs:
            if job.pk in outcomes:
                refused = outcomes[job.pk]
                settled[item.pk] = DONE if refused is None else refusal(refused)
        return settled

    return together


def _resubmit(user: User, pairs: Pairs) -> Outcomes:
    outcomes = resubmit_many(user=user, jobs={resubmit_key(item): job for item, job in pairs})
    return {
        item.pk: refusal(made) if isinstance(made, OrchestrationError) else Settled(BulkOutcome.DONE, made=made.job.pk)
        for (item, _), made in zip(pairs, outcomes, strict=True)
    }


def resubmit_key(item: BulkItem) -> str:
    return f"bulk-{item.pk}"


TOGETHER: Final[dict[BulkAction, Callable[[User, Pairs], Outcomes]]] = {
    BulkAction.CANCEL: _cancel,
    BulkAction.RETRY: _go_again(RETRY),
    BulkAction.RERUN: _go_again(RERUN),
    BulkAction.RESUBMIT: _resubmit,
}
