"""How much of what AWS lets us do a second is used, and that no more is tried than that."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tests.bench.load import halted, post_all
from tests.bench.paced_aws import SETTINGS, Bucket, PacedAws, paced_aws
from tests.bench.rows import Row
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Callable

PIPELINE: Final = """\
pipeline: bench-paced
version: 1.0.0
title: Nothing, on AWS
steps:
  - name: nothing
    command: ["true"]
"""
# Our half of the quotas in eu-west-1. The other half somebody else is using up all the time.
STARTS: Final = (650, 150)
SUBMITS: Final = (25, 25)
SCARCE: Final = (10, 10)
PLENTY: Final = (1_000_000, 1_000_000)
UNDER_WAY: Final = 8
"""Starts that may arrive together, as some were longer on their way than others."""
GIVE_UP_S: Final = 300


def dispatch_rows(_platform: Platform, _file: str, scale: int) -> list[Row]:
    """On a platform of its own, whose jobs go to a stand-in of AWS."""
    with (
        paced_aws(Bucket(*STARTS), Bucket(SUBMITS[0] + UNDER_WAY, SUBMITS[1])) as aws,
        running(SETTINGS | {"ESTEIRA_AWS_ENDPOINT": aws.url}) as on_aws,
    ):
        on_aws.publish(PIPELINE)
        file = on_aws.upload("a.txt", b"hello")["id"]
        rows = _measured(on_aws, aws, file, 400 // scale, SUBMITS, "our half of AWS's quotas")
        rows.append(
            Row(
                "  answered with a throttle, or submitted too fast",
                str(aws.throttled + aws.overrun),
                "0",
                not aws.throttled + aws.overrun,
            )
        )
        aws.again(Bucket(*SCARCE), Bucket(*PLENTY))
        return rows + _measured(on_aws, aws, file, 150 // scale, SCARCE, "10 starts/s, all that is left")


def _measured(
    on_aws: Platform, aws: PacedAws, file: str, number: int, allowed: tuple[float, float], what: str
) -> list[Row]:
    headers = {"Authorization": f"Bearer {on_aws.token}"}
    with halted(on_aws, "worker"):
        load = asyncio.run(
            post_all(
                f"{on_aws.url}/api/v1/jobs",
                lambda _: {"pipeline": "bench-paced", "inputs": [file]},
                lambda _: headers | {"Idempotency-Key": uuid4().hex},
                total=number,
                connections=4,
            )
        )
    _until(lambda: len(aws.times) >= number)
    burst, per_second = allowed
    # While there is enough to do: of the last ones some wait for their next try.
    share = aws.times[: max(2, number * 8 // 10)]
    used = len(share) / (burst + per_second * (share[-1] - share[0]))
    failed = on_aws.sql("SELECT count(*) FROM orchestration_job WHERE state = 'FAILED'")[0][0] + load.failed
    return [
        Row(f"jobs handed to AWS at {what}: used", f"{used:.2f}", "≥ 0.9", used >= 0.9),
        Row(
            "  failed, or executions beyond one a job",
            f"{failed + len(aws.given) - number}",
            "0",
            failed + len(aws.given) == number,
        ),
    ]


def _until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not is_done():
        assert time.monotonic() < deadline, "not all jobs were handed over"
        time.sleep(0.05)
