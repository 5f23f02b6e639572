"""The form of a pipeline's parameters, drawn from their JSON Schema, and reading back what was typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from orchestration.spec.params import ParamsError, coerce_text, validate_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

    from orchestration.spec.params import ParamProblem

PREFIX: Final = "p."
LONG_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class ParamField:
    """One control. `attributes` are for the browser's own checks; the service checks again."""

    name: str
    title: str
    help: str
    widget: str
    """checkbox, choices, select, textarea, or the type of an <input>."""
    value: Any
    error: str
    is_required: bool
    attributes: dict[str, Any] = field(default_factory=dict)
    options: tuple[tuple[str, bool], ...] = ()

    @property
    def html_name(self) -> str:
        return PREFIX + self.name

    @property
    def html_id(self) -> str:
        return f"param-{self.name}"

    @property
    def described_by(self) -> str:
        """Ids of what a screen reader says after the label."""
        ids = [(self.help, f"{self.html_id}-help"), (self.error, f"{self.html_id}-error")]
        return " ".join(html_id for text, html_id in ids if text)


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed: values as JSON where they could be read, texts as they were, errors by parameter."""

    values: dict[str, Any]
    texts: dict[str, Any]
    errors: dict[str, str]


def fields_of(schema: Mapping[str, Any], values: Mapping[str, Any], errors: Mapping[str, str]) -> list[ParamField]:
    """`values` are JSON (from a job) or texts (typed just now); what is in neither starts at its default."""
    required = schema.get("required", ())
    return [
        _field(name, rule, values.get(name, rule.get("default")), errors.get(name, ""), is_required=name in required)
        for name, rule in schema["properties"].items()
    ]


def _field(name: str, rule: Mapping[str, Any], value: Any, error: str, *, is_required: bool) -> ParamField:
    item_choices = rule.get("items", {}).get("enum") if rule["type"] == "array" else None
    chosen = {str(v) for v in (value if isinstance(value, list) else [value])}
    return ParamField(
        name=name,
        title=rule.get("title") or name.replace("_", " ").capitalize(),
        help=rule.get("description", ""),
        widget=_widget(rule),
        value=value is True or value == "on" if rule["type"] == "boolean" else _as_text(value),
        error=error,
        is_required=is_required,
        attributes=_attributes(rule, is_required=is_required),
        options=tuple((str(o), str(o) in chosen) for o in item_choices or rule.get("enum", ())),
    )


def _widget(rule: Mapping[str, Any]) -> str:
    match rule["type"]:
        case "boolean":
            return "checkbox"
        case "array":
            return "choices" if "enum" in rule.get("items", {}) else "text"
        case _ if "enum" in rule:
            return "select"
        case "integer" | "number":
            return "number"
        case _:
            return "textarea" if rule.get("maxLength", 0) > LONG_TEXT else "text"


def _attributes(rule: Mapping[str, Any], *, is_required: bool) -> dict[str, Any]:
    given = {"min": rule.get("minimum"), "max": rule.get("maximum")}
    match rule["type"]:
        case "integer":
            given |= {"step": 1, "inputmode": "numeric"}
        case "number":
            given |= {"step": "any", "inputmode": "decimal"}
        case "string" if "enum" not in rule:
            given |= {"minlength": rule.get("minLength"), "maxlength": rule.get("maxLength")}
        case "array" if "enum" not in rule.get("items", {}):
            given |= {"placeholder": _("one, another, a third")}
    if is_required and rule["type"] != "boolean":
        given |= {"required": "required"}
    return {name: value for name, value in given.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return "" if value is None else str(value)


def read_params(schema: Mapping[str, Any], sent: QueryDict) -> Typed:
    """A field that was left empty and has no default counts as not given."""
    values: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    problems: list[ParamProblem] = []
    for name, rule in schema["properties"].items():
        key = PREFIX + name
        if rule["type"] == "boolean":
            values[name] = texts[name] = key in sent
            continue
        if _widget(rule) == "choices":
            texts[name] = sent.getlist(key)
            text = ",".join(texts[name])
        else:
            texts[name] = text = sent.get(key, "")
        if not text and not ("default" in rule and rule["type"] in {"string", "array"}):
            continue
        try:
            values[name] = coerce_text(schema, name, text)
        except ParamsError as exc:
            problems += exc.problems
    problems += _other_problems(schema, values, {p.key.partition("[")[0] for p in problems})
    return Typed(values, texts, by_field(schema, {p.key: p.message for p in problems}))


def _other_problems(schema: Mapping[str, Any], values: dict[str, Any], known: set[str]) -> list[ParamProblem]:
    """So that everything wrong is said at once."""
    try:
        validate_params(schema, values)
    except ParamsError as exc:
        return [p for p in exc.problems if p.key.partition("[")[0] not in known]
    return []


def by_field(schema: Mapping[str, Any], messages: Mapping[str, str]) -> dict[str, str]:
    """`sizes[2] must be …` beside the field `sizes`, without repeating the name that the label says."""
    found: dict[str, str] = {}
    for key, message in messages.items():
        name = key.partition("[")[0]
        if name in schema["properties"]:
            said = message.removeprefix(f"{key} ") if key == name else message
            found.setdefault(name, said[:1].upper() + said[1:])
    return found
