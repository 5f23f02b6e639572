"""The text of a pipeline.yaml → PipelineSpec, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from orchestration.spec.check import check_keys_and_values
from orchestration.spec.check_params import check_params
from orchestration.spec.check_steps import check_accepts, check_include, check_steps, warn_of_steps
from orchestration.spec.model import (
    Accepts,
    Localised,
    PipelineSpec,
    Resources,
    RetryPolicy,
    Spot,
    StepSpec,
    Tolerance,
)
from orchestration.spec.problems import SpecError
from orchestration.spec.schema import with_defaults
from orchestration.spec.source import read_source
from orchestration.spec.units import SECONDS_PER_DAY, parse_duration, parse_size

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.spec.problems import Problem
    from orchestration.spec.source import Source


_SAID = ("title", "description")


@dataclass(frozen=True, slots=True)
class Parsed:
    spec: PipelineSpec
    warnings: tuple[Problem, ...]


def parse_pipeline(text: str, *, file: str, folder: Path | None = None, root: Path | None = None) -> PipelineSpec:
    """The spec, or a SpecError with every problem at once. For `folder` and `root` see `read_pipeline`."""
    return read_pipeline(text, file=file, folder=folder, root=root).spec


def read_pipeline(text: str, *, file: str, folder: Path | None = None, root: Path | None = None) -> Parsed:
    """As `parse_pipeline`, with the warnings beside the spec.

    With `folder`, where the file lies, the included folders must exist and lie inside `root`, which is the
    folder itself unless given.
    """
    source = read_source(text, file=file)
    if not source.is_spoilt(()):
        check_keys_and_values(source)
    if isinstance(source.data, dict) and not source.is_spoilt(()):
        source.add(chain(check_accepts(source), check_steps(source), check_params(source)))
        if folder is not None:
            source.add(check_include(source, folder=folder, root=root or folder))
    if source.problems:
        raise SpecError(source.problems)
    return Parsed(_pipeline(with_defaults(source.data)), _warnings(source))


def _warnings(source: Source) -> tuple[Problem, ...]:
    return tuple(warn_of_steps(source))


def _pipeline(data: dict[str, Any]) -> PipelineSpec:
    params, words = _params(data["params"])
    retention = data["results"].get("retention")
    return PipelineSpec(
        name=data["pipeline"],
        version=data["version"],
        title=_localised(data.get("title", data["pipeline"])),
        description=_localised(data.get("description", {})),
        include=tuple(data["include"]),
        accepts=_accepts(data["accepts"]),
        params=params,
        param_words=words,
        steps=tuple(_step(step) for step in data["steps"]),
        retention_days=None if retention is None else parse_duration(retention) // SECONDS_PER_DAY,
    )


def _params(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, dict[str, str]]]]:
    """A plain JSON Schema, and apart from it what was written in several languages."""
    words: dict[str, dict[str, dict[str, str]]] = {}
    properties = {}
    for name, rule in schema["properties"].items():
        said = {key: rule[key] for key in _SAID if isinstance(rule.get(key), dict)}
        if said:
            words[name] = said
        properties[name] = _plainly(rule)
    return schema | {"properties": properties}, words


def _plainly(rule: dict[str, Any]) -> dict[str, Any]:
    plain = rule | {key: _localised(rule[key]).text() for key in _SAID if key in rule}
    return plain | {"items": _plainly(rule["items"])} if "items" in rule else plain


def _localised(value: str | dict[str, str]) -> Localised:
    return Localised({"en": value} if isinstance(value, str) else dict(value))


def _accepts(data: dict[str, Any]) -> Accepts:
    return Accepts(
        types=tuple(data["types"]),
        max_size_bytes=parse_size(data["max_size"]) if "max_size" in data else None,
        max_files=int(data["max_files"]),
        min_files=int(data["min_files"]),
    )


def _step(data: dict[str, Any]) -> StepSpec:
    resources, retry = data["resources"], data["retry"]
    return StepSpec(
        name=data["name"],
        title=_localised(data.get("title", data["name"])),
        image=data["image"],
        command=tuple(data["command"]),
        env=dict(data["env"]),
        needs=tuple(data["needs"]),
        for_each=data.get("for_each"),
        resources=Resources(
            vcpu=resources["vcpu"],
            memory_bytes=parse_size(resources["memory"]),
            gpu=int(resources["gpu"]),
            disk_bytes=parse_size(resources["disk"]),
        ),
        timeout_s=parse_duration(data["timeout"]),
        retry=RetryPolicy(
            attempts=int(retry["attempts"]),
            on=tuple(kind.upper() for kind in retry["on"]),
            backoff_s=parse_duration(retry["backoff"]),
        ),
        spot=Spot(int(data["spot"]["attempts"]), data["spot"]["then"]) if "spot" in data else None,
        tolerate=_tolerance(data["tolerate"]["failed_items"]) if "tolerate" in data else None,
        network=data["network"],
    )


def _tolerance(value: str | float) -> Tolerance:
    if not isinstance(value, str):
        return Tolerance(failed_items=int(value))
    whole, _, part = value.removesuffix("%").partition(".")
    return Tolerance(failed_basis_points=int(whole) * 100 + int(part.ljust(2, "0")))
