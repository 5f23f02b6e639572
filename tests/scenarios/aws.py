"""The engine on AWS for scenarios: the tests' double as a process, and its events as they would come by the queue."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from django.test import override_settings

from orchestration.engines.leasing import piece_of_holder
from orchestration.engines.registry import get_engine
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.events import BATCH_JOB
from orchestration.models import Attempt
from orchestration.services.events import record_event
from tests.aws_double.batch import ACCOUNT
from tests.aws_double.running import BUCKET, KEYS, QUEUE, REGION, AwsDouble, aws_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orchestration.models import Job

LOOK_S: Final = 0.1
"""So often the state machine asks how its Batch jobs are; AWS tells it by an event."""


class AwsWorld:
    def __init__(self, double: AwsDouble) -> None:
        self._double = double
        self._times = 1
        self._heard = 0
        self._told: defaultdict[str, list[str]] = defaultdict(list)

    def hold(self, *, is_held: bool) -> None:
        self._double.hold(is_held=is_held)

    def complain(self, reason: str) -> int:
        return self._double.complain(reason)

    def kill_host(self, job: Job, step: str) -> int:
        holders = Attempt.objects.live().filter(job=job, step=step).values_list("leased_by", flat=True)
        return sum(self._double.interrupt(ref) for ref in map(piece_of_holder, holders) if ref)

    def kill_container(self, job: Job, step: str) -> int:
        return self._double.interrupt(f"{job.execution_name}-{step}")

    def restart(self, *, meanwhile: Callable[[], object]) -> None:
        """Of what runs nothing is in our processes, and what they knew is gone with them."""
        meanwhile()
        get_engine.cache_clear()

    def listen(self) -> None:
        news = self._double.news(after=self._heard)
        self._heard += len(news)
        for detail in news:
            body = as_event(detail)
            self._told[detail["jobName"]].append(body)
            for _ in range(self._times):
                record_event(body=body)

    def set_news(self, *, times: int) -> None:
        self._times = times

    def tell_again(self, job: Job) -> None:
        self.listen()
        of_job = [body for name, bodies in self._told.items() if name.startswith(str(job.pk)) for body in bodies]
        for body in reversed(of_job):
            record_event(body=body)

    def leftover(self, job: Job) -> int:
        return self._double.unfinished(str(job.pk))


def as_event(detail: dict[str, Any]) -> str:
    around = {"source": "aws.batch", "detail-type": BATCH_JOB, "account": ACCOUNT, "region": REGION}
    return json.dumps(around | {"detail": detail})


@contextmanager
def aws_world(folder: Path, server: str) -> Iterator[AwsWorld]:
    with mock.patch.dict(os.environ, KEYS), aws_double(folder, look_s=LOOK_S) as double:
        cell = Cell(
            state_machine=double.state_machine,
            queue=QUEUE,
            image=f"platform@sha256:{'a' * 64}",
            log_group="/esteira/steps",
            server=server,
            manifests=f"s3://{BUCKET}/runs",
            endpoint=double.url,
            sees_our_folders="yes",
        )
        with override_settings(AWS_CELL=asdict(cell)):
            get_engine.cache_clear()
            yield AwsWorld(double)
