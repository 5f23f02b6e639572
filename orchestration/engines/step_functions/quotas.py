"""What AWS lets an account do a second in one Region, and how much of anything there may be; each with its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.engines.base import Allowance

if TYPE_CHECKING:
    from orchestration.engines.step_functions.cell import Cell

STEP_FUNCTIONS_PAGE: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
BATCH_PAGE: Final = "https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html"
EVENTBRIDGE_PAGE: Final = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"
OUR_SHARE: Final = 0.5
"""The other half is for whoever else works in the account, and for the state machine's own questions to Batch."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket of AWS: it holds `burst` and gets `per_second`. `source` is where AWS says so."""

    operation: str
    burst: float
    per_second: float
    source: str


@dataclass(frozen=True, slots=True)
class Limit:
    """No more of it than `most` at once."""

    what: str
    most: int
    source: str


BIG_REGIONS: Final = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
START_EXECUTION_BIG: Final = Quota("StartExecution", 1_300, 300, STEP_FUNCTIONS_PAGE)
START_EXECUTION: Final = Quota("StartExecution", 800, 150, STEP_FUNCTIONS_PAGE)
STATE_TRANSITION_BIG: Final = Quota("StateTransition", 5_000, 5_000, STEP_FUNCTIONS_PAGE)
STATE_TRANSITION: Final = Quota("StateTransition", 800, 800, STEP_FUNCTIONS_PAGE)
# Not to be raised. The page knows no burst beyond the second's own fifty.
SUBMIT_JOB: Final = Quota("SubmitJob", 50, 50, BATCH_PAGE)
# Of the smallest Regions; events above it are late and not lost.
EVENTS: Final = Quota("EventBridge invocations", 1_100, 1_100, EVENTBRIDGE_PAGE)

ARRAY_CHILDREN: Final = Limit("children of an array job", 10_000, BATCH_PAGE)
SUBMITTED_JOBS: Final = Limit("jobs in SUBMITTED", 1_000_000, BATCH_PAGE)
OPEN_EXECUTIONS: Final = Limit("open executions", 1_000_000, STEP_FUNCTIONS_PAGE)
HISTORY_EVENTS: Final = Limit("events in the history of an execution", 25_000, STEP_FUNCTIONS_PAGE)


def start_execution(region: str) -> Quota:
    return START_EXECUTION_BIG if region in BIG_REGIONS else START_EXECUTION


def state_transition(region: str) -> Quota:
    return STATE_TRANSITION_BIG if region in BIG_REGIONS else STATE_TRANSITION


def allowances(cell: Cell) -> tuple[Allowance, ...]:
    """By account and Region, as AWS counts: cells that share them share these."""
    place = f"{cell.account}/{cell.region}"
    return (
        _ours(
            start_execution(cell.region),
            place,
            each_start=1,
            says="Waiting for AWS: no more executions are started a second than half of the account's quota.",
        ),
        _ours(
            SUBMIT_JOB,
            place,
            each_step=1,
            says="Waiting for AWS: no more Batch jobs are submitted a second than half of the account's quota.",
        ),
    )


def _ours(quota: Quota, place: str, *, says: str, each_start: int = 0, each_step: int = 0) -> Allowance:
    return Allowance(
        scope=f"aws/{place}/{quota.operation}",
        per_second=quota.per_second * OUR_SHARE,
        burst=quota.burst * OUR_SHARE,
        each_start=each_start,
        each_step=each_step,
        says=says,
    )
