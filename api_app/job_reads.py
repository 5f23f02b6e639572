"""Jobs as they are read: as much of each as is asked for by `fields` and `expand`, and no question for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query
from pydantic import BaseModel, create_model

from api_app.answers import attempt_out, file_out, job_fields, job_parts, step_out
from api_app.job_schemas import JobBrief, JobListed, JobOut, JobShown
from orchestration.errors import Invalid
from orchestration.services.expanding import attempts_of_many, inputs_of_many, results_of_many, sources_of_many
from orchestration.services.pipelines import specs_of
from orchestration.services.progress import with_progress
from orchestration.services.status import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from api_app.job_schemas import AttemptOut
    from orchestration.models import Job
    from orchestration.services.whole import Whole
    from orchestration.spec.model import PipelineSpec

EXPANDS: Final = ("steps", "attempts", "files")
MOST_LETTERS: Final = 500
MOST_JOBS: Final = 50
"""On a page with `expand`."""
MOST_IN_LIST: Final = 20
MOST_OF_ONE: Final = 200
_FILES: Final = ("inputs", "results")


def _names(known: Iterable[str]) -> dict[str, Any]:
    """For the document alone: what is refused is said in better words than a pattern's."""
    one = f" *({'|'.join(known)}) *"
    return {"anyOf": [{"type": "string", "maxLength": MOST_LETTERS, "pattern": f"^{one}(,{one})*$"}, {"type": "null"}]}


Fields = Annotated[
    str | None,
    Query(
        max_length=MOST_LETTERS,
        description="Only these fields of each job, with commas between; the answer then has no others.",
        examples=["id,state,progress"],
        json_schema_extra=_names(JobBrief.model_fields),
    ),
]
Expand = Annotated[
    str | None,
    Query(
        max_length=MOST_LETTERS,
        description=f"What goes with each job: {', '.join(EXPANDS)} (its inputs and results), with commas between. "
        f"In a list the first {MOST_IN_LIST} of each and the newest {MOST_IN_LIST} attempts, of at most "
        f"{MOST_JOBS} jobs; of one job up to {MOST_OF_ONE}.",
        examples=["steps,files"],
        json_schema_extra=_names(EXPANDS),
    ),
]


@dataclass(frozen=True, slots=True)
class Shape:
    """`names` are all keys of an answer; `is_sparse`: they were chosen."""

    names: frozenset[str]
    is_sparse: bool

    def has(self, *names: str) -> bool:
        return not self.names.isdisjoint(names)


def list_shape(fields: str | None, expand: str | None, limit: int) -> Shape:
    more = _expanded(expand)
    if more and limit > MOST_JOBS:
        raise Invalid(
            f"With expand a page has at most {MOST_JOBS} jobs; say limit={MOST_JOBS}.",
            errors=[{"loc": ["query", "limit"], "msg": f"at most {MOST_JOBS} with expand"}],
        )
    return _shape(fields, JobBrief, more)


def one_shape(fields: str | None, expand: str | None) -> Shape:
    return _shape(fields, JobOut, _expanded(expand))


def _shape(fields: str | None, model: type[BaseModel], more: frozenset[str]) -> Shape:
    if fields is None:
        return Shape(frozenset(model.model_fields) | more, is_sparse=False)
    return Shape(_named("fields", fields, tuple(model.model_fields)) | more, is_sparse=True)


def _expanded(expand: str | None) -> frozenset[str]:
    names = _named("expand", expand, EXPANDS) if expand is not None else frozenset()
    return names - {"files"} | (frozenset(_FILES) if "files" in names else frozenset())


def _named(parameter: str, text: str, known: Sequence[str]) -> frozenset[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise Invalid(
                f"{parameter} has no {name or 'empty name'}. There are: {', '.join(known)}.",
                errors=[{"loc": ["query", parameter], "msg": f"unknown: {name}"}],
            )
    return frozenset(names)


def readable(rows: QuerySet[Job], shape: Shape) -> QuerySet[Job]:
    """With all that `listed` looks at."""
    rows = rows.select_related("pipeline_version__pipeline", "workspace", "created_by")
    # The text and the form of a pipeline are long, and the same for most rows: read once each.
    rows = rows.defer("pipeline_version__yaml", "pipeline_version__spec")
    return with_progress(rows) if shape.has("progress") else rows


def listed(rows: Sequence[Job], shape: Shape) -> list[dict[str, Any]]:
    """The same number of queries for any number of rows, which `readable` has found."""
    specs = (
        specs_of(job.pipeline_version_id for job in rows) if shape.has("pipeline_title", "steps", "attempts") else {}
    )
    more = _more(rows, shape, specs)
    items = []
    for job in rows:
        spec = specs.get(job.pipeline_version_id)
        title = spec.title.text() if spec else ""
        progress = getattr(job, "progress_now", None)
        fields = job_fields(job, title=title, progress=1.0 if progress is None else progress, queue_position=None)
        items.append(_said(fields | {name: found[job.pk] for name, found in more.items()}, shape, JobListed))
    return items


def shown(whole: Whole, shape: Shape) -> dict[str, Any]:
    fields, job = job_parts(whole, shape.names), whole.job
    if shape.has("attempts"):
        fields["attempts"] = _attempts([job], specs_of([job.pipeline_version_id]), most=MOST_OF_ONE)[job.pk]
    return _said(fields, shape, JobShown)


def _more(rows: Sequence[Job], shape: Shape, specs: Mapping[UUID, PipelineSpec]) -> dict[str, dict[UUID, list[Any]]]:
    found: dict[str, dict[UUID, list[Any]]] = {}
    if shape.has("steps"):
        found["steps"] = {pk: [step_out(one) for one in steps] for pk, steps in steps_of(rows, specs).items()}
    if shape.has("attempts"):
        found["attempts"] = {**_attempts(rows, specs, most=MOST_IN_LIST)}
    for name, of_many in (("inputs", inputs_of_many), ("results", results_of_many)):
        if shape.has(name):
            files = of_many(rows, most=MOST_IN_LIST)
            found[name] = {job.pk: [file_out(file) for file in files.get(job.pk, ())] for job in rows}
    return found


def _attempts(rows: Sequence[Job], specs: Mapping[UUID, PipelineSpec], *, most: int) -> dict[UUID, list[AttemptOut]]:
    found = attempts_of_many(rows, most=most)
    fans_out = {(pk, step.name) for pk, spec in specs.items() for step in spec.steps if step.fans_out}
    version = {job.pk: job.pipeline_version_id for job in rows}
    of_items = [one for many in found.values() for one in many if (version[one.job_id], one.step) in fans_out]
    sources, ids = sources_of_many(of_items), {one.pk for one in of_items}
    return {
        job.pk: [
            attempt_out(one, sources.get((one.job_id, one.item_index)) if one.pk in ids else None)
            for one in found.get(job.pk, ())
        ]
        for job in rows
    }


def _said(fields: Mapping[str, Any], shape: Shape, model: type[BaseModel]) -> dict[str, Any]:
    chosen = {name: value for name, value in fields.items() if name in shape.names}
    made: dict[str, Any] = _model(model, frozenset(chosen))(**chosen).model_dump(mode="json")
    return made


@lru_cache(maxsize=64)
def _model(model: type[BaseModel], names: frozenset[str]) -> type[BaseModel]:
    """With these fields of `model` alone, so that what is sent is checked as ever."""
    fields: dict[str, Any] = {name: (model.model_fields[name].annotation, ...) for name in names}
    return create_model(f"{model.__name__}Part", **fields)
