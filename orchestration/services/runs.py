"""A run, as GA4GH's WES speaks of one of our jobs: looked at first, then submitted with the files that came along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from orchestration.errors import Invalid, NotFound
from orchestration.services import jobs
from orchestration.services.access import find_workspace
from orchestration.services.fitting import checked_params
from orchestration.services.pipelines import find_version, spec_of
from orchestration.services.references import SCHEME, file_named
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from orchestration.models import Job, User

INPUTS: Final = "inputs"
"""The one name in a run's parameters that is ours: the files, in the order in which the pipeline gets them."""


@dataclass(frozen=True, slots=True)
class Run:
    """`workflow` is a pipeline's name or address; `params` holds its parameters and, under INPUTS, its files."""

    workflow: str
    params: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    name: str = ""
    workspace: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that fits, as far as can be told without its files' bytes. Inputs are attachments by name, or ids."""

    pipeline: str
    workspace: str
    params: dict[str, Any]
    inputs: tuple[str | UUID, ...]


def plan(*, user: User, run: Run, attached: Sequence[str]) -> Planned:
    """Before a byte is kept: what would be refused later is refused now. Raises Invalid, Forbidden."""
    if len(set(attached)) != len(attached):
        raise Invalid("Two attachments have the same name. Give each a name of its own.")
    try:
        workspace = find_workspace(user=user, slug=run.workspace, role=Role.SUBMITTER)
        version = find_version(user=user, reference=_reference(run.workflow))
    except NotFound as exc:
        # The address was right; what the body names is not there.
        raise Invalid(str(exc)) from exc
    params = {name: value for name, value in run.params.items() if name != INPUTS}
    checked_params(spec_of(version.pk), params)
    return Planned(str(version), workspace.slug, params, _inputs(run.params.get(INPUTS), attached))


def submit_run(*, user: User, run: Run, planned: Planned, arrived: Mapping[str, UUID]) -> Job:
    """`arrived`: the attachments' files. Raises what `jobs.submit` does."""
    request = jobs.Request(
        pipeline=planned.pipeline,
        inputs=tuple(arrived[one] if isinstance(one, str) else one for one in planned.inputs),
        params=planned.params,
        name=run.name,
        labels=run.tags,
        priority=run.priority,
        workspace=planned.workspace,
    )
    return jobs.submit(user=user, request=request)[0]


def _reference(workflow: str) -> str:
    return workflow.removeprefix(f"{settings.PUBLIC_URL}/api/v1/pipelines/").removeprefix(SCHEME)


def _inputs(given: Any, attached: Sequence[str]) -> tuple[str | UUID, ...]:
    if given is None:
        return tuple(attached)
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Invalid(f"`{INPUTS}` in workflow_params is a list of texts: attachments by name, or files that are here.")
    inputs = tuple(one if one in attached else file_named(one) for one in given)
    if left := [name for name in attached if name not in inputs]:
        raise Invalid(f"These attachments are not among `{INPUTS}`, so nothing would read them: {', '.join(left[:5])}.")
    return inputs
