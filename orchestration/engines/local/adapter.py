"""The engine on this machine: rows are the queue, `supervisor` does the work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models.functions import Now

from orchestration.engines.base import Capacity, ExecutionSpec, OpenExecution, Pace, Report
from orchestration.engines.leasing import GRACE, lost_report
from orchestration.models import Attempt
from orchestration.wake import wake_engine

if TYPE_CHECKING:
    from collections.abc import Sequence


class LocalEngine:
    pace: Final = Pace()
    is_elsewhere: Final = False

    def start(self, spec: ExecutionSpec) -> str:
        """Nothing to do yet: the attempts that `advance` writes are what the supervisor takes."""
        return spec.name

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:  # noqa: ARG002  the rows say it already
        wake_engine()
        return not Attempt.objects.unfinished().filter(job=spec.job_id, run=spec.run).exists()

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:  # noqa: ARG002  rows cost no look
        """Attempts that nobody vouches for any more: neither supervisor nor runner renewed the lease.

        With time to spare: after an outage the supervisor renews what it has before it looks for the lost.
        """
        long_ago = Now() - GRACE
        lost = Attempt.objects.live().filter(job__in=[spec.job_id for spec in specs], lease_until__lt=long_ago)
        fences = lost.values_list("pk", "fence")
        return Report(attempts=tuple(lost_report(pk, fence, only_if_expired=True) for pk, fence in fences))

    def open_executions(self) -> tuple[OpenExecution, ...]:
        """Rows are all it has."""
        return ()

    def capacity(self) -> Capacity:
        return Capacity(*limits())


def limits() -> tuple[float, int]:
    """VCPUs and bytes of memory of this machine that steps may use at once."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = settings.LOCAL_MEMORY_MIB << 20 or int(machine * 0.8)
    return float(settings.LOCAL_VCPUS), memory
