"""What AWS lets an account do a second in one Region, and the half of it that is ours to use.

The other half is for whoever else works in the account, and for the state machine's own questions to Batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.engines.base import Allowance

if TYPE_CHECKING:
    from orchestration.engines.step_functions.cell import Cell

STEP_FUNCTIONS_PAGE: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
BATCH_PAGE: Final = "https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html"
OUR_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket of AWS: it holds `burst` and gets `per_second`. `source` is where AWS says so."""

    operation: str
    burst: float
    per_second: float
    source: str


BIG_REGIONS: Final = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
START_EXECUTION_BIG: Final = Quota("StartExecution", 1_300, 300, STEP_FUNCTIONS_PAGE)
START_EXECUTION: Final = Quota("StartExecution", 800, 150, STEP_FUNCTIONS_PAGE)
# Not to be raised. The page knows no burst beyond the second's own fifty.
SUBMIT_JOB: Final = Quota("SubmitJob", 50, 50, BATCH_PAGE)


def start_execution(region: str) -> Quota:
    return START_EXECUTION_BIG if region in BIG_REGIONS else START_EXECUTION


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
