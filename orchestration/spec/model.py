"""What a pipeline.yaml says, checked and in plain units. Stored as JSON beside the text it came from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal, Self

# PostgreSQL's jsonb sorts the keys of objects; the form wants the order of the file.
_ORDER = "x-order"
_WHOLE = 10_000  # basis points: hundredths of a per cent


@dataclass(frozen=True, slots=True)
class Localised:
    """A text by language; one without a language counts as English."""

    texts: dict[str, str] = field(hash=False)

    def text(self, language: str = "en") -> str:
        """In this language, else in its base language, else in English, else in any, else empty."""
        for key in (language, language.partition("-")[0], "en", *sorted(self.texts)):
            if key in self.texts:
                return self.texts[key]
        return ""


@dataclass(frozen=True, slots=True)
class Accepts:
    types: tuple[str, ...] = ("*/*",)
    max_size_bytes: int | None = None
    max_files: int = 10_000
    min_files: int = 1

    def accepts_type(self, media_type: str) -> bool:
        """`text/csv; charset=utf-8` is a `text/csv` and a `text/*`."""
        bare = media_type.partition(";")[0].strip().lower()
        family = bare.partition("/")[0]
        return not {bare, f"{family}/*", "*/*"}.isdisjoint(self.types)


@dataclass(frozen=True, slots=True)
class Resources:
    vcpu: float = 1
    memory_bytes: int = 1024**3
    gpu: int = 0
    disk_bytes: int = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` counts the first one too; `on` holds failure kinds as the states module spells them."""

    attempts: int = 3
    on: tuple[str, ...] = ("INTERRUPTED", "PLATFORM")
    backoff_s: int = 5


@dataclass(frozen=True, slots=True)
class Spot:
    attempts: int
    then: Literal["on_demand"] = "on_demand"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A number of items, or a share in hundredths of a per cent so that 2.5 % is exact; never both."""

    failed_items: int | None = None
    failed_basis_points: int | None = None

    def allowed(self, total: int) -> int:
        """How many of `total` items may fail. A share is rounded down."""
        if self.failed_basis_points is not None:
            return total * self.failed_basis_points // _WHOLE
        return min(self.failed_items or 0, total)


BUILTIN: Final = "builtin"


@dataclass(frozen=True, slots=True)
class StepSpec:
    name: str
    title: Localised
    command: tuple[str, ...]
    image: str = BUILTIN
    env: dict[str, str] = field(default_factory=dict, hash=False)
    needs: tuple[str, ...] = ()
    for_each: Literal["input"] | None = None
    resources: Resources = field(default_factory=Resources)
    timeout_s: int = 3_600
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    spot: Spot | None = None
    tolerate: Tolerance | None = None
    network: bool = False

    @property
    def fans_out(self) -> bool:
        return self.for_each is not None

    @property
    def is_builtin(self) -> bool:
        """In the platform's own environment, wherever that is."""
        return self.image == BUILTIN

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            **_known(cls, data)
            | {
                "title": Localised(data["title"]),
                "command": tuple(data["command"]),
                "needs": tuple(data.get("needs", ())),
                "resources": Resources(**_known(Resources, data.get("resources", {}))),
                "retry": _retry(data.get("retry", {})),
                "spot": Spot(**_known(Spot, data["spot"])) if data.get("spot") else None,
                "tolerate": Tolerance(**_known(Tolerance, data["tolerate"])) if data.get("tolerate") else None,
            }
        )


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """`params` is the JSON Schema of the parameters, in English; what it says in other languages is in `param_words`.

    Without `retention_days` the workspace decides.
    """

    name: str
    version: str
    title: Localised
    description: Localised
    steps: tuple[StepSpec, ...]
    include: tuple[str, ...] = ()
    accepts: Accepts = field(default_factory=Accepts)
    params: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}}, hash=False)
    param_words: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict, hash=False)
    """By parameter and by `title` or `description`: its texts by language."""
    retention_days: int | None = None

    def params_in(self, language: str) -> dict[str, Any]:
        """The same schema, with titles and descriptions for readers of that language."""
        properties = {
            name: rule | {key: Localised(texts).text(language) for key, texts in self.param_words.get(name, {}).items()}
            for name, rule in self.params["properties"].items()
        }
        return self.params | {"properties": properties}

    def step(self, name: str) -> StepSpec:
        return {step.name: step for step in self.steps}[name]

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = _plain(self)
        data["params"][_ORDER] = list(self.params["properties"])
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Passes over keys that a later version wrote; gives defaults for those an earlier one did not."""
        accepts = data.get("accepts", {})
        return cls(
            **_known(cls, data)
            | {
                "title": Localised(data["title"]),
                "description": Localised(data["description"]),
                "steps": tuple(StepSpec.from_json(step) for step in data["steps"]),
                "include": tuple(data.get("include", ())),
                "accepts": Accepts(**_known(Accepts, accepts) | {"types": tuple(accepts.get("types", ("*/*",)))}),
                "params": _in_order(data["params"]),
            }
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Localised):
        return dict(value.texts)
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _known(cls: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    return {item.name: data[item.name] for item in fields(cls) if item.name in data}


def _retry(data: dict[str, Any]) -> RetryPolicy:
    known = _known(RetryPolicy, data)
    return RetryPolicy(**known | ({"on": tuple(known["on"])} if "on" in known else {}))


def _in_order(stored: dict[str, Any]) -> dict[str, Any]:
    params = {key: value for key, value in stored.items() if key != _ORDER}
    properties = params["properties"]
    names = [name for name in stored.get(_ORDER, ()) if name in properties]
    ordered = {name: properties[name] for name in [*names, *properties]}
    return params | {"properties": ordered}
