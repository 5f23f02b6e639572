"""The internal pipeline that a task is a job of: one version for each size of machine that was asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from django.db import transaction

from orchestration.models import Pipeline, PipelineVersion
from orchestration.services.pipelines import BUILT_IN, Source, load, store_bundle
from orchestration.spec.model import Resources

if TYPE_CHECKING:
    from orchestration.spec.model import StepSpec

FOLDER: Final = "task"
# With a `_`, which no published pipeline can have: nobody's own pipeline is ever taken for it.
NAME: Final = "tes_task"
MIB: Final = 1 << 20
GB: Final = 10**9


def version_for(*, vcpu: int | None, ram_gb: float | None, disk_gb: float | None) -> PipelineVersion:
    """Made at its first use; two at once make one."""
    source = _source()
    step = source.spec.steps[0]
    size = _size(step, vcpu, ram_gb, disk_gb)
    name = f"{size.vcpu:g}c-{size.memory_bytes // MIB}m-{size.disk_bytes // MIB}d-{_code(source)}"
    found: PipelineVersion | None = (
        PipelineVersion.objects.select_related("pipeline").filter(pipeline__name=NAME, version=name).first()
    )
    return found or _make(source, name, size)


@cache
def _source() -> Source:
    """As it lies in this installation; another one has other versions."""
    return load(BUILT_IN / FOLDER)


def _code(source: Source) -> str:
    return f"{source.digest[:6]}{source.bundle_sha256[:6]}"


def _size(step: StepSpec, vcpu: int | None, ram_gb: float | None, disk_gb: float | None) -> Resources:
    usual = step.resources
    return Resources(
        vcpu=vcpu or usual.vcpu,
        memory_bytes=_whole_mib(ram_gb) if ram_gb else usual.memory_bytes,
        disk_bytes=_whole_mib(disk_gb) if disk_gb else usual.disk_bytes,
    )


def _whole_mib(gb: float) -> int:
    """Rounded up."""
    return -(-int(gb * GB) // MIB) * MIB


def _make(source: Source, name: str, size: Resources) -> PipelineVersion:
    store_bundle(source)
    spec = source.spec
    sized = replace(
        spec,
        name=NAME,
        version=name,
        # A task may do without files.
        accepts=replace(spec.accepts, min_files=0),
        steps=(replace(spec.steps[0], resources=size),),
    )
    with transaction.atomic(durable=True):
        pipeline, _ = Pipeline.objects.get_or_create(name=NAME, defaults={"is_internal": True})
        version, _ = PipelineVersion.objects.get_or_create(
            pipeline=pipeline,
            version=name,
            defaults={
                "digest": source.digest,
                "yaml": source.text,
                "spec": sized.to_json(),
                "bundle_sha256": source.bundle_sha256,
                "bundle_size": len(source.bundle),
            },
        )
    return version
