"""Whether what is asked fits: parameters, labels and files of a job, against its pipeline and workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orchestration.errors import Invalid, NotFound
from orchestration.models import File
from orchestration.models.ready import Ready
from orchestration.spec.params import ParamsError, validate_params
from orchestration.spec.units import format_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestration.models import Workspace
    from orchestration.spec.model import PipelineSpec

FILES_IN: Final = Ready(
    lambda workspace, ids: File.objects.current().filter(workspace=workspace, pk__any=ids), workspace=UUID, ids=list
)
MAX_LABELS: Final = 32
MAX_LABEL_LENGTH: Final = 100


def checked_params(spec: PipelineSpec, given: dict[str, Any]) -> dict[str, Any]:
    try:
        return validate_params(spec.params, given)
    except ParamsError as exc:
        errors = [{"loc": ["params", p.key], "msg": p.message} for p in exc.problems]
        sentence = "; ".join(p.message for p in exc.problems)
        raise Invalid(f"Some parameters do not fit: {sentence}", errors=errors) from exc


def check_labels(labels: dict[str, str]) -> None:
    if len(labels) > MAX_LABELS or any(
        len(k) > MAX_LABEL_LENGTH or len(v) > MAX_LABEL_LENGTH for k, v in labels.items()
    ):
        raise Invalid(f"A job takes at most {MAX_LABELS} labels of {MAX_LABEL_LENGTH} characters.")


def check_number(spec: PipelineSpec, inputs: tuple[UUID, ...]) -> None:
    if len(set(inputs)) != len(inputs):
        raise Invalid("A file is named twice among the inputs.")
    if not spec.accepts.min_files <= len(inputs) <= spec.accepts.max_files:
        raise Invalid(
            f"This pipeline takes {spec.accepts.min_files} to {spec.accepts.max_files} files; you gave {len(inputs)}."
        )


def files_of(workspace: Workspace, ids: Collection[UUID]) -> dict[UUID, File]:
    """The workspace was found through what the user may see; its files are what she may name here."""
    return {file.pk: file for file in FILES_IN(workspace=workspace.pk, ids=list(ids))}


def fitting(
    workspace: Workspace, spec: PipelineSpec, inputs: tuple[UUID, ...], found: Mapping[UUID, File]
) -> list[File]:
    """The files in the order given. Nothing is run on a file that the pipeline does not accept."""
    if missing := [str(i) for i in inputs if i not in found]:
        raise NotFound(f"There is no such file in workspace {workspace.slug}: {', '.join(missing[:5])}.")
    files = [found[i] for i in inputs]
    for file in files:
        # What nobody has examined yet is known by its name alone: admission judges it when its true type is known.
        if file.sha256 and not spec.accepts.accepts_type(file.media_type):
            raise Invalid(
                f"{file.name} is {file.media_type}; this pipeline accepts {', '.join(spec.accepts.types)}.",
                errors=[{"loc": ["inputs", str(file.pk)], "msg": "type not accepted"}],
            )
        if spec.accepts.max_size_bytes is not None and file.size > spec.accepts.max_size_bytes:
            limit = format_size(spec.accepts.max_size_bytes)
            raise Invalid(f"{file.name} has {format_size(file.size)}; this pipeline accepts up to {limit} a file.")
    return files
