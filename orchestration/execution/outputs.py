"""What a successful attempt left behind becomes Files, in the transaction that records its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models.functions import Now

from orchestration.errors import Invalid
from orchestration.models import Attempt, File
from orchestration.spec.model import PipelineSpec
from orchestration.states import FileKind, ScanState
from orchestration.storage.base import Stored
from orchestration.storage.registry import get_direct, get_storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestration.engines.base import AttemptReport, Output

INTERMEDIATE: Final = "_intermediate/"
STORAGE: Final = "results"


def output_key(attempt: Attempt, number: int) -> str:
    """Where output `number` of an attempt lies. Nobody but that attempt has this key."""
    return f"{attempt.job.workspace_id}/{attempt.pk}/{attempt.fence}-{number}"


def listed_outputs(report: AttemptReport) -> dict[str, Stored]:
    """What object storage has of an attempt, by key: asked for before the transaction, which waits for no network."""
    direct = get_direct(STORAGE)
    if direct is None:
        return {}
    attempt = Attempt.objects.select_related("job").filter(pk=report.attempt_id).first()
    if attempt is None:
        return {}
    return dict(direct.listed(f"{attempt.job.workspace_id}/{attempt.pk}/"))


def _stored(key: str, listed: Mapping[str, Stored]) -> Stored | None:
    if get_direct(STORAGE) is not None:
        return listed.get(key)
    size = get_storage(STORAGE).size(key)
    return None if size is None else Stored(size, None, "")


def attach_outputs(attempt: Attempt, outputs: Iterable[Output], listed: Mapping[str, Stored]) -> None:
    """Raises Invalid, and the caller's transaction goes back, when an output is not where it should be."""
    spec = PipelineSpec.from_json(attempt.job.pipeline_version.spec)
    days = spec.retention_days or attempt.job.workspace.result_retention_days
    files = []
    for output in outputs:
        key = output_key(attempt, output.number)
        stored = _stored(key, listed)
        if stored is None or stored.size != output.size:
            there = stored.size if stored else None
            raise Invalid(f"Output {output.path!r} has {there} bytes in storage, {output.size} were announced.")
        kind = FileKind.INTERMEDIATE if output.path.startswith(INTERMEDIATE) else FileKind.RESULT
        files.append(
            File(
                workspace_id=attempt.job.workspace_id,
                kind=kind,
                name=output.path,
                size=output.size,
                sha256=output.sha256,
                media_type=output.media_type,
                scan_state=ScanState.CLEAN,
                storage=STORAGE,
                key=key,
                version=stored.version,
                job=attempt.job,
                step=attempt.step,
                item_index=attempt.item_index,
                attempt_id=attempt.pk,
                created_by_id=attempt.job.created_by_id,
                expires_at=Now() + timedelta(days=days),
            )
        )
    File.objects.bulk_create(files, batch_size=1_000)
