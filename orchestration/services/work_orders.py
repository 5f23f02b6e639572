"""What a runner is told to do: command, files, limits (docs/design/0001, sections 3 and 4)."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Q

from orchestration.engines.leasing import piece_of_holder
from orchestration.models import Attempt, File, Item, JobInput
from orchestration.models.traced import command_place
from orchestration.services.addresses import for_runner
from orchestration.services.pipelines import STORAGE as CODE
from orchestration.services.pipelines import bundle_key
from orchestration.services.tasks.order import task_order
from orchestration.spec.model import PipelineSpec, StepSpec
from orchestration.states import FileKind, WorkState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.models import PipelineVersion

HEARTBEAT_S: Final = 2
PATIENCE_S: Final = 900
STOP_GRACE_S: Final = 30
# A cancel promises that nothing runs after 10 s, so it cannot grant a step its 30 s.
CANCEL_GRACE_S: Final = 5
MAX_PROCESSES: Final = 512
MAX_OUTPUT_FILES: Final = 20_000
MAX_LOG_BYTES: Final = 2 << 30
IN_CONTAINER: Final = "container"
_SHOWN: Final = [FileKind.RESULT, FileKind.INTERMEDIATE]


def work_order(attempt: Attempt) -> dict[str, Any]:
    version: PipelineVersion = attempt.job.pipeline_version
    spec = PipelineSpec.from_json(version.spec)
    step = next(step for step in spec.steps if step.name == attempt.step)
    names = _Names(attempt)
    return {
        "attempt_id": str(attempt.pk),
        "job_id": str(attempt.job_id),
        "step": attempt.step,
        "item": attempt.item_index,
        "number": attempt.number,
        "run": attempt.run,
        "command": list(step.command),
        "env": dict(step.env),
        "params": attempt.job.params,
        "code": _code(attempt, version),
        "inputs": [*_job_inputs(attempt, step), *_step_inputs(attempt, step, spec, names)],
        "failed_items": _failed_items(attempt, step, names),
        **_place(attempt, step),
        "limits": _limits(step),
        "network": step.network,
        "heartbeat_s": HEARTBEAT_S,
        "patience_s": PATIENCE_S,
        "cancel": attempt.job.cancel_requested_at is not None,
        "traceparent": str(command_place(attempt) or ""),
        **(task_order(attempt.job) if version.pipeline.is_internal else {}),
    }


def _place(attempt: Attempt, step: StepSpec) -> dict[str, Any]:
    """Whose programs the command finds, and what stands around it.

    The image of a container is the step's own or the platform's; only in the platform's is our Python where ours is.
    """
    if piece_of_holder(attempt.leased_by) is None:
        return {"python": sys.executable, "isolation": settings.STEP_ISOLATION}
    return {"python": sys.executable if step.is_builtin else None, "isolation": IN_CONTAINER}


def _limits(step: StepSpec) -> dict[str, int]:
    disk = step.resources.disk_bytes
    return {
        "wall_s": step.timeout_s,
        "memory_bytes": step.resources.memory_bytes,
        "processes": MAX_PROCESSES,
        "file_size_bytes": disk,
        "output_files": MAX_OUTPUT_FILES,
        "output_bytes": disk,
        "log_bytes": MAX_LOG_BYTES,
        "stop_grace_s": STOP_GRACE_S,
        "cancel_grace_s": CANCEL_GRACE_S,
    }


def _code(attempt: Attempt, version: PipelineVersion) -> dict[str, Any] | None:
    if not version.bundle_sha256:
        return None
    url = get_storage(CODE).read_url(bundle_key(version.bundle_sha256))
    return {"url": for_runner(url, attempt), "size": version.bundle_size, "sha256": version.bundle_sha256}


class _Names:
    """Which input file of the job an item stands for; looked up once, and only if asked."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._names: dict[int, str] | None = None

    def source(self, item: int | None) -> str | None:
        if item is None:
            return None
        if self._names is None:
            inputs = JobInput.objects.filter(job=self._attempt.job_id)
            self._names = dict(inputs.values_list("position", "file__name"))
        return self._names.get(item)


def _entry(
    attempt: Attempt, file: File, path: str, *, step: str | None, item: int | None, source: str | None
) -> dict[str, Any]:
    index = {
        "path": path,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "file_id": str(file.pk),
        "step": step,
        "item": item,
        "source": source,
    }
    url = for_runner(get_storage(file.storage).read_url(file.key, file.version), attempt)
    return {"path": path, "url": url, "size": file.size, "sha256": file.sha256, "index": index}


def _job_inputs(attempt: Attempt, step: StepSpec) -> list[dict[str, Any]]:
    if step.needs and not step.for_each:
        return []
    rows = JobInput.objects.filter(job=attempt.job_id).select_related("file").order_by("position")
    if step.for_each:
        rows = rows.filter(position=attempt.item_index)
    files = [row.file for row in rows]
    paths = _distinct(file.name for file in files)
    return [_entry(attempt, f, path, step=None, item=None, source=None) for f, path in zip(files, paths, strict=True)]


def _distinct(names: Iterable[str]) -> list[str]:
    """`a.csv`, `a-2.csv`, … for files of the same name; index.json is ours."""
    seen: Counter[str] = Counter({"index.json": 1})
    paths = []
    for name in names:
        seen[name] += 1
        path = name
        while seen[name] > 1:
            stem, dot, extension = name.rpartition(".")
            path = f"{stem}-{seen[name]}{dot}{extension}" if dot else f"{name}-{seen[name]}"
            if path not in seen:
                break
            seen[name] += 1
        seen[path] = max(seen[path], 1)
        paths.append(path)
    return paths


def _step_inputs(attempt: Attempt, step: StepSpec, spec: PipelineSpec, names: _Names) -> list[dict[str, Any]]:
    fans_out = {s.name for s in spec.steps if s.for_each}
    wanted = Q(step__in=step.needs)
    if step.for_each:
        wanted &= ~Q(step__in=fans_out) | Q(item_index=attempt.item_index)
    files = File.objects.current().filter(wanted, job=attempt.job_id, kind__in=_SHOWN)
    entries = []
    for file in files.order_by("step", "item_index", "id"):
        path = f"{file.step}/{file.item_index}/{file.name}"
        source = names.source(file.item_index) if file.step in fans_out else None
        entries.append(_entry(attempt, file, path, step=file.step, item=file.item_index, source=source))
    return entries


def _failed_items(attempt: Attempt, step: StepSpec, names: _Names) -> list[dict[str, Any]]:
    failed = Item.objects.filter(
        step_run__job=attempt.job_id,
        step_run__name__in=step.needs,
        state__in=[WorkState.FAILED, WorkState.TIMED_OUT],
    )
    return [
        {
            "step": item.step_run.name,
            "item": item.index,
            "source": names.source(item.index),
            "failure_kind": item.failure_kind,
            "detail": item.failure_detail,
        }
        for item in failed.select_related("step_run").order_by("step_run__position", "index")
    ]
