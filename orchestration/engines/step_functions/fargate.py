"""What Batch takes on Fargate, which has no machines: certain pairs of processors and memory, and disks by size."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import EngineRejected

if TYPE_CHECKING:
    from orchestration.engines.step_functions.cell import Cell
    from orchestration.spec.model import Resources, StepSpec

FARGATE: Final = "FARGATE"
_GIB: Final = 1 << 30
# Processors → memory in GiB, from the model of RegisterJobDefinition; halves and quarters are not asked for.
SIZES: Final = {1: range(2, 9), 2: range(4, 17), 4: range(8, 31), 8: range(16, 61, 4), 16: range(32, 121, 8)}
LEAST_DISK_GIB: Final = 21
MOST_DISK_GIB: Final = 200


def fitted(step: StepSpec, cell: Cell) -> StepSpec:
    """With resources that its cell has: on Fargate the smallest size that holds what the step asks."""
    if cell.platform != FARGATE or step.resources.gpu:
        return step
    return replace(step, resources=_size(step.name, step.resources))


def _size(name: str, wanted: Resources) -> Resources:
    for vcpu, sizes in SIZES.items():
        memory = next((gib for gib in sizes if gib * _GIB >= wanted.memory_bytes), None)
        if vcpu >= wanted.vcpu and memory:
            return replace(wanted, vcpu=vcpu, memory_bytes=memory * _GIB)
    asked = f"{wanted.vcpu:g} vCPUs and {_gib(wanted.memory_bytes)} GiB of memory"
    raise EngineRejected(f"Step {name} needs {asked}; Fargate has nothing so large.")


def container(step: StepSpec) -> dict[str, Any]:
    """What is said here alone."""
    disk = max(LEAST_DISK_GIB, _gib(step.resources.disk_bytes))
    if disk > MOST_DISK_GIB:
        raise EngineRejected(f"Step {step.name} needs a disk of {disk} GiB; on Fargate it has at most {MOST_DISK_GIB}.")
    return {
        "ephemeralStorage": {"sizeInGiB": disk},
        "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
        "networkConfiguration": {"assignPublicIp": "DISABLED"},
        "volumes": [{"name": "work"}],
    }


def _gib(size: int) -> int:
    return math.ceil(size / _GIB)
