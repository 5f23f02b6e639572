"""The part of docs/openapi.json that clients speak, in the form that their generators take."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

REPO: Final = Path(__file__).resolve().parents[2]
CONTRACT: Final = REPO / "docs" / "openapi.json"
PREFIX: Final = "/api/v1"
"""GA4GH's doors have clients of their own, and the runner's protocol is nobody's but the runner's."""
REF: Final = "#/components/schemas/"
_LISTING: Final = re.compile(r"Listing_(\w+)_")

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    """Below /api/v1, with its slash."""
    said: Json

    @property
    def name(self) -> str:
        return str(self.said["operationId"])

    @property
    def parameters(self) -> list[Json]:
        found: list[Json] = self.said.get("parameters", [])
        return found

    def body(self) -> Json | None:
        """The schema of the JSON that it takes; None where it takes none."""
        content = self.said.get("requestBody", {}).get("content", {})
        found: Json | None = content.get("application/json", {}).get("schema")
        return found

    def answers(self) -> Json | None:
        """The schema of the JSON that it answers with; None for bytes and for nothing."""
        found: Json | None = self._success().get("application/json", {}).get("schema")
        return found

    def answers_bytes(self) -> bool:
        return bool(self._success()) and self.answers() is None

    def _success(self) -> Json:
        answer = next(answer for status, answer in sorted(self.said["responses"].items()) if status.startswith("2"))
        content: Json = answer.get("content", {})
        return content


def operations(document: Json) -> list[Operation]:
    return [
        Operation(method, path.removeprefix(PREFIX), said)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
    ]


def spoken(contract: Path = CONTRACT) -> Json:
    """Of `/api/v1` alone, every schema under a name: `Job` for the contract's `JobOut`."""
    document: Json = json.loads(contract.read_text(encoding="utf-8"))
    document["paths"] = {path: said for path, said in document["paths"].items() if path.startswith(f"{PREFIX}/")}
    schemas = document["components"]["schemas"]
    for operation in operations(document):
        for media in operation.said.get("requestBody", {}).get("content", {}).values():
            if "properties" in media.get("schema", {}):
                name = media["schema"]["title"]
                schemas.setdefault(name, media["schema"])
                media["schema"] = {"$ref": REF + name}
    wanted = {"Problem"} | set(_reached(document["paths"], schemas))
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(wanted)}
    return _renamed(document)


def listed(schema: Json) -> str | None:
    """What the items of a page are; None for what is no page."""
    found = _LISTING.fullmatch(schema.get("$ref", "").removeprefix(REF))
    return found[1] if found else None


def _reached(part: Any, schemas: Json, seen: set[str] | None = None) -> Iterator[str]:
    seen = set() if seen is None else seen
    for name in _named(part):
        if name not in seen:
            seen.add(name)
            yield name
            yield from _reached(schemas[name], schemas, seen)


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.removeprefix(REF)
        for one in part.values():
            yield from _named(one)
    elif isinstance(part, list):
        for one in part:
            yield from _named(one)


def _renamed(document: Json) -> Json:
    """Raises ValueError where two would have one name."""
    schemas = document["components"]["schemas"]
    names = {name: _plain(name) for name in schemas}
    if len(set(names.values())) < len(names):
        twice = sorted(name for name in names if list(names.values()).count(names[name]) > 1)
        raise ValueError(f"These schemas would have one name in the clients: {', '.join(twice)}.")
    document = copy.deepcopy(document)
    _point(document, names)
    document["components"]["schemas"] = {
        names[name]: schema | ({"title": names[name]} if "title" in schema else {})
        for name, schema in document["components"]["schemas"].items()
    }
    return document


def _plain(name: str) -> str:
    if found := _LISTING.fullmatch(name):
        return f"Listing_{_plain(found[1])}_"
    return name.removesuffix("Out")


def _point(part: Any, names: dict[str, str]) -> None:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            part["$ref"] = REF + names[reference.removeprefix(REF)]
        for one in part.values():
            _point(one, names)
    elif isinstance(part, list):
        for one in part:
            _point(one, names)
