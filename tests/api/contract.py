"""What of an OpenAPI document would break a client that was made for another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

METHODS: Final = ("get", "put", "post", "patch", "delete", "head")
_NO_LESS: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_NO_MORE: Final = ("minimum", "minLength", "minItems", "minProperties")


def broken(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A sentence for each thing that a client of `old` could trip over with `new`; more values in answers are none."""
    compare = _Compare(old, new)
    for path, operations in old["paths"].items():
        for method in METHODS:
            if method in operations:
                compare.operation(
                    f"{method.upper()} {path}", operations[method], new["paths"].get(path, {}).get(method)
                )
    return compare.found


@dataclass
class _Compare:
    old: dict[str, Any]
    new: dict[str, Any]
    found: list[str] = field(default_factory=list)
    _seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def operation(self, where: str, old: dict[str, Any], new: dict[str, Any] | None) -> None:
        if new is None:
            if not _may_go(old):
                self.found.append(f"{where} is gone")
            return
        self._parameters(where, old, new)
        if body := new.get("requestBody"):
            if body.get("required") and not old.get("requestBody", {}).get("required"):
                self.found.append(f"{where}: the body must be sent now")
            for media, given in old.get("requestBody", {}).get("content", {}).items():
                self._media(f"{where}: body", media, given, body["content"], asks=True)
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                self.found.append(f"{where}: no answer {status} any more")
                continue
            for media, given in answer.get("content", {}).items():
                self._media(f"{where}: {status}", media, given, new["responses"][status].get("content", {}), asks=False)

    def _parameters(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before = {(one["in"], one["name"]): one for one in old.get("parameters", ())}
        after = {(one["in"], one["name"]): one for one in new.get("parameters", ())}
        for key, one in before.items():
            if key not in after:
                if not _may_go(one):
                    self.found.append(f"{where}: parameter {key[1]} is gone")
            else:
                self.schema(f"{where}: parameter {key[1]}", one["schema"], after[key]["schema"], asks=True)
        for key, one in after.items():
            if one.get("required") and not before.get(key, {}).get("required"):
                self.found.append(f"{where}: parameter {key[1]} must be given now")

    def _media(self, where: str, media: str, old: dict[str, Any], new: dict[str, Any], *, asks: bool) -> None:
        if media not in new:
            self.found.append(f"{where} is not {media} any more")
        elif "schema" in old:
            self.schema(where, old["schema"], new[media].get("schema", {}), asks=asks)

    def schema(self, where: str, old: dict[str, Any], new: dict[str, Any], *, asks: bool) -> None:
        """`asks`: clients send it, so no less may be taken; else they read it, and no less may be said."""
        key = (str(old.get("$ref")), str(new.get("$ref")), asks)
        if "$ref" in old and key in self._seen:
            return
        self._seen.add(key)
        old, new = self._resolved(self.old, old), self._resolved(self.new, new)
        self._types(where, old, new, asks=asks)
        self._bounds(where, old, new, asks=asks)
        self._properties(where, old, new, asks=asks)
        if "items" in old and "items" in new:
            self.schema(f"{where}[]", old["items"], new["items"], asks=asks)
        for one, other in zip(_variants(old), _variants(new), strict=False):
            self.schema(where, one, other, asks=asks)

    def _types(self, where: str, old: dict[str, Any], new: dict[str, Any], *, asks: bool) -> None:
        before, after = self._kinds(self.old, old), self._kinds(self.new, new)
        if before and after and (lost := before - after if asks else after - before):
            names = " or ".join(sorted(lost))
            self.found.append(f"{where} takes no {names} any more" if asks else f"{where} may be {names} now")
        if (
            asks
            and "enum" in old
            and (gone := set(map(str, old["enum"])) - set(map(str, new.get("enum", old["enum"]))))
        ):
            self.found.append(f"{where} takes no {' or '.join(sorted(gone))} any more")

    def _bounds(self, where: str, old: dict[str, Any], new: dict[str, Any], *, asks: bool) -> None:
        if not asks:
            return
        for name in _NO_LESS:
            if name in new and new[name] < old.get(name, float("inf")):
                self.found.append(f"{where}: {name} is {new[name]} now")
        for name in _NO_MORE:
            if name in new and new[name] > old.get(name, float("-inf")):
                self.found.append(f"{where}: {name} is {new[name]} now")
        if "pattern" in new and new["pattern"] != old.get("pattern"):
            self.found.append(f"{where} has another pattern")

    def _properties(self, where: str, old: dict[str, Any], new: dict[str, Any], *, asks: bool) -> None:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, one in before.items():
            if name in after:
                self.schema(f"{where}.{name}", one, after[name], asks=asks)
            elif (after or new.get("additionalProperties") is False) and not _may_go(one):
                self.found.append(f"{where}.{name} is gone")
        must, musted = set(new.get("required", ())), set(old.get("required", ()))
        for name in sorted(must - musted if asks else musted - must):
            if name in after:
                self.found.append(f"{where}.{name} must be sent now" if asks else f"{where}.{name} may be missing now")

    def _kinds(self, document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
        if variants := _variants(schema):
            return set().union(*(self._kinds(document, self._resolved(document, one)) for one in variants))
        return {schema["type"]} if "type" in schema else set()

    @staticmethod
    def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema


def _may_go(one: dict[str, Any]) -> bool:
    """It was deprecated, and the day has come that clients were told (docs/api.md)."""
    sunset = one.get("x-sunset") if one.get("deprecated") else None
    return sunset is not None and date.fromisoformat(sunset) <= datetime.now(UTC).date()


def _variants(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or []
    return found
