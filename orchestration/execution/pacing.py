"""Hand-overs to an engine that may be asked only so often: by one dispatcher, in turn for each workspace."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now

from orchestration.execution.admission import admit
from orchestration.execution.hands import Hands
from orchestration.execution.leader import leading
from orchestration.models import Job, TokenBucket, Workspace
from orchestration.models.dispatching import LONGEST_CLOSED, Draw
from orchestration.models.job import CLAIM_LASTS
from orchestration.states import FINISHED, WaitingReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.engines.base import Pace
    from orchestration.execution.leader import Leader
    from orchestration.models.dispatching import Wait

log = logging.getLogger(__name__)

DUTY: Final = "dispatch"
STAY_S: Final = 5.0
"""After which a dispatcher goes, whatever is left: its message comes again at once."""
LOOK_S: Final = 1.0
PICK: Final = 16
LATERS: Final = 5
"""One after the other, and it is not the jobs': nobody is handed over for a while, longer than a dispatcher stays."""
# The first of every workspace, then the second of every one …; whoever was served longest ago comes first.
# What is due is decided when the job is claimed (`JobQuerySet.to_hand_over`); this only proposes. A step that goes on
# elsewhere when it is interrupted counts twice: by then nobody of us would be asked.
_PICK: Final = """
SELECT due.id, due.workspace_id,
  (SELECT count(*) + count(*) FILTER (WHERE EXISTS (
      SELECT FROM orchestration_pipelineversion v, jsonb_array_elements(v.spec->'steps') one
      WHERE v.id = due.pipeline_version_id AND one->>'name' = s.name AND jsonb_typeof(one->'spot') = 'object'))
   FROM orchestration_steprun s WHERE s.job_id = due.id AND s.state <> ALL(%(over)s::text[]))
FROM orchestration_workspace w CROSS JOIN LATERAL (
  SELECT id, workspace_id, pipeline_version_id, row_number() OVER (ORDER BY priority DESC, id) AS turn FROM (
    SELECT id, workspace_id, pipeline_version_id, priority FROM orchestration_job
    WHERE workspace_id = w.id AND state = 'QUEUED' AND execution_id IS NULL AND cancel_requested_at IS NULL
      AND (claimed_at IS NULL OR claimed_at < statement_timestamp() - %(claim_lasts)s)
      AND (next_try_at IS NULL OR next_try_at <= statement_timestamp())
      AND id <> ALL(%(but)s::uuid[])
      AND NOT EXISTS (
        SELECT FROM orchestration_pause p LEFT JOIN orchestration_pipelineversion v ON v.pipeline_id = p.pipeline_id
        WHERE p.workspace_id = w.id OR v.id = pipeline_version_id OR (p.workspace_id IS NULL AND p.pipeline_id IS NULL))
    ORDER BY priority DESC, id LIMIT %(number)s
  ) first
) due
ORDER BY due.turn, w.handed_over_at NULLS FIRST, due.id LIMIT %(number)s
"""


class Answer(Enum):
    SETTLED = "It is handed over, or never will be."
    BUSY = "The engine is there, and cannot take this just now."
    LATER = "The engine did not answer, or cannot take anything."


@dataclass(frozen=True, slots=True)
class Outcome:
    answer: Answer
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    job_id: UUID
    workspace_id: UUID
    steps: int


def hand_over_at_pace(
    pace: Pace, hand_over: Callable[[UUID], Outcome], *, pause: Callable[[float], None] = time.sleep
) -> bool:
    """Hand over what is due, as its turn comes. True: there is more, and it is to be done at once."""
    with leading(DUTY) as leader:
        return leader is not None and _Shift(leader, pace, hand_over, pause).work()


class _Shift:
    def __init__(
        self, leader: Leader, pace: Pace, hand_over: Callable[[UUID], Outcome], pause: Callable[[float], None]
    ) -> None:
        self._leader, self._pace, self._pause = leader, pace, pause
        self._hands = Hands(pace.at_once, hand_over, self._heed)
        self._end = time.monotonic() + STAY_S
        self._laters = 0
        self._is_told = False
        self._says = {one.scope: one.says for one in pace.allowances}

    def work(self) -> bool:
        with self._hands:
            try:
                return self._work()
            finally:
                while self._hands.jobs:
                    self._wait()

    def _work(self) -> bool:
        while time.monotonic() < self._end:
            admit()
            due = pick(PICK, but=self._hands.jobs)
            self._is_told = False
            for one in due:
                if (is_more := self._give(one)) is not None:
                    return is_more
            if due:
                continue
            if not self._hands.jobs:
                if self._leader.leave():
                    return False
            elif not self._wait():
                return False
        return True

    def _give(self, due: Due) -> bool | None:
        """None: go on. Otherwise it is over, and whether there is more to be done at once."""
        if not self._leader.stay():
            return False
        while self._hands.are_full:
            if not self._wait():
                return False
        while wait := TokenBucket.objects.take(self._draws(due.steps)):
            self._tell(wait)
            if time.monotonic() + wait.seconds > self._end:
                return wait.seconds < LOOK_S
            if not self._rest(wait.seconds):
                return False
        if claim(due):
            self._hands.give(due.job_id)
        return None

    def _wait(self) -> bool:
        self._hands.wait(LOOK_S)
        return self._leader.stay()

    def _rest(self, seconds: float) -> bool:
        """At least a millisecond: what is short of a whole token by less is nothing that a clock can tell."""
        self._pause(min(max(seconds, 0.001), LOOK_S))
        return self._leader.stay()

    def _draws(self, steps: int) -> list[Draw]:
        return [
            Draw(one.scope, one.per_second, one.burst, one.each_start + one.each_step * steps)
            for one in self._pace.allowances
        ]

    def _tell(self, wait: Wait) -> None:
        """Those that have no reason yet; not for each token that is waited for, as they may be many."""
        if self._is_told:
            return
        self._is_told = True
        _explain(Job.objects.not_handed_over().filter(waiting_reason=""), self._says[wait.scope])

    def _heed(self, outcome: Outcome) -> None:
        """Of an engine that takes nothing at all, not every job need find that out. One that is busy is there."""
        self._laters = self._laters + 1 if outcome.answer is Answer.LATER else 0
        if self._laters < LATERS:
            return
        self._laters = 0
        log.warning("the engine takes nothing: hand-overs pause", extra={"error": outcome.detail})
        pause = LONGEST_CLOSED.total_seconds() * (1 + random.random()) / 2  # noqa: S311  spreads tries, guards nothing
        TokenBucket.objects.close(list(self._says), pause)
        if outcome.detail:
            _explain(Job.objects.not_handed_over().exclude(waiting_detail=outcome.detail), outcome.detail)


def _explain(jobs: QuerySet[Job], detail: str) -> None:
    jobs.update(waiting_reason=WaitingReason.PLATFORM, waiting_detail=detail)


def pick(number: int, *, but: Collection[UUID] = ()) -> list[Due]:
    given: dict[str, Any] = {
        "number": number,
        "but": list(but),
        "claim_lasts": CLAIM_LASTS,
        "over": sorted(FINISHED),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PICK, given)
        return [Due(*row) for row in cursor.fetchall()]


@transaction.atomic
def claim(due: Due) -> bool:
    """Before anybody is asked to start it. False: it is not to be handed over any more, or somebody has it in hand."""
    if not Job.objects.to_hand_over().filter(pk=due.job_id).update(claimed_at=Now()):
        return False
    Workspace.objects.filter(pk=due.workspace_id).update(handed_over_at=Now())
    return True
