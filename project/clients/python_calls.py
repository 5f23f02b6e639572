"""One Python function for each operation: what it is asked with, and by its type what it answers. It sends nothing."""

import re
import textwrap
from collections import defaultdict
from typing import Any, Final

from project.clients.document import REF, Json, Operation, listed, operations

LEFT_OUT: Final = {"put_file": "bytes, which `upload` sends"}
"""Operations without a function, and why."""
NOT_JSON_ONLY: Final = frozenset({"last-event-id"})
"""Parameters that only the stream of events reads; it is written by hand."""
KEY: Final = "idempotency-key"
_SIMPLE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_WIDTH: Final = 110
_ABOUT: Final = "Written by `make clients` from docs/openapi.json; changes here are lost."
_NAMES: Final = ("Call", "Listing", "Reads", "Repeat", "new_key", "segment")


def modules(document: Json) -> dict[str, str]:
    """Name → text of each, one for each tag."""
    by_tag = defaultdict[str, list[Operation]](list)
    for operation in operations(document):
        if operation.name not in LEFT_OUT:
            by_tag[operation.said["tags"][0]].append(operation)
    return {tag.replace(" ", "_"): _module(tag, found) for tag, found in by_tag.items()}


def _module(tag: str, found: list[Operation]) -> str:
    functions = "\n\n".join(_function(one) for one in sorted(found, key=lambda one: one.name))
    names = [name for name in _NAMES if re.search(rf"\b{name}[(\[.]", functions)]
    typing = ["    from collections.abc import Sequence\n"] if "Sequence[" in functions else []
    typing += ["    from api_app.client.contract import shapes"] if "shapes." in functions else []
    imports = ["from __future__ import annotations\n"]
    imports += ["from typing import TYPE_CHECKING\n"] if typing else []
    imports.append(f"from api_app.client.calls import {', '.join(one for one in names if one != 'Repeat')}")
    imports += ["from api_app.client.trying import Repeat"] if "Repeat" in names else []
    # To make the types takes longer than to import all else, and nobody needs them to send a call.
    imports += ["\nif TYPE_CHECKING:", *typing] if typing else []
    return "\n".join([f'"""Calls of the contract: {tag}. {_ABOUT}"""\n', *imports, "\n", functions, ""])


def _function(operation: Operation) -> str:
    asked = [*_in_path(operation), *_body(operation)]
    options = [
        f"{_name(one)}: {_type(one['schema']).removesuffix(' | None')} | None = None" for one in _options(operation)
    ]
    parameters = ", ".join([*asked, *(["*", *options] if options else [])])
    kind = "Listing" if listed(operation.answers() or {}) else "Call"
    lines = [
        f"def {operation.name}({parameters}) -> {kind}[{_answer(operation)}]:",
        textwrap.indent(_docstring(operation), "    "),
        f"    return {kind}({', '.join(_given(operation))})",
    ]
    return "\n".join(lines)


def _given(operation: Operation) -> list[str]:
    path = re.sub(r"\{(\w+)\}", r"{segment(\1)}", operation.path)
    found = [f'"{operation.method.upper()}"', f'f"{path}"' if "{" in path else f'"{path}"']
    if query := [one for one in _options(operation) if one["in"] == "query"]:
        found.append(f"query={{{', '.join(f'"{one["name"]}": {_name(one)}' for one in query)}}}")
    headers = [one for one in _options(operation) if one["in"] == "header"]
    if others := [one for one in headers if one["name"] != KEY]:
        found.append(f"headers={{{', '.join(f'"{one["name"]}": {_name(one)}' for one in others)}}}")
    if len(others) < len(headers):
        # Made before the first try, so that every further try is the same request.
        found.append("key=key or new_key()")
    if operation.body():
        found.append("body=body")
    if not _may_be_repeated(operation):
        found.append("repeat=Repeat.UNDONE")
    if operation.answers() is None:
        found.append("reads=Reads.BYTES" if operation.answers_bytes() else "reads=Reads.NOTHING")
    return found


def _may_be_repeated(operation: Operation) -> bool:
    """Reading changes nothing, and under a key what is repeated is done once."""
    return operation.method == "get" or any(one["name"] == KEY for one in operation.parameters)


def _in_path(operation: Operation) -> list[str]:
    return [f"{_name(one)}: {_type(one['schema'])}" for one in operation.parameters if one["in"] == "path"]


def _options(operation: Operation) -> list[Json]:
    # What has no schema is of another form of the same call: bytes instead of JSON.
    is_double = "application/octet-stream" in operation.said.get("requestBody", {}).get("content", {})
    return [
        one
        for one in operation.parameters
        if one["in"] != "path" and one["name"] not in NOT_JSON_ONLY and not (is_double and one["in"] == "query")
    ]


def _body(operation: Operation) -> list[str]:
    schema = operation.body()
    if schema is None:
        return []
    said = operation.said["requestBody"]
    # Where bytes may stand instead, the call is of the form with the body.
    if said.get("required", False) or "application/octet-stream" in said["content"]:
        return [f"body: {_type(schema)}"]
    return [f"body: {_type(schema).removesuffix(' | None')} | None = None"]


def _name(parameter: Json) -> str:
    return "key" if parameter["name"] == KEY else str(parameter["name"]).replace("-", "_")


def _answer(operation: Operation) -> str:
    schema = operation.answers()
    if schema is None:
        return "bytes" if operation.answers_bytes() else "None"
    item = listed(schema)
    return f"shapes.{item}" if item else _type(schema)


def _type(schema: dict[str, Any]) -> str:
    if reference := schema.get("$ref"):
        return f"shapes.{reference.removeprefix(REF)}"
    if variants := schema.get("anyOf"):
        return " | ".join(_type(one) for one in variants)
    if schema.get("type") == "null":
        return "None"
    if schema.get("type") == "array":
        return f"Sequence[{_type(schema['items'])}]"
    return _SIMPLE[schema["type"]]


def _docstring(operation: Operation) -> str:
    told = str(operation.said.get("description") or f"{operation.said['summary']}.").replace("\\", "\\\\")
    paragraphs = [textwrap.fill(" ".join(one.split()), _WIDTH) for one in told.split("\n\n")]
    text = "\n\n".join(paragraphs)
    return f'"""{text}\n"""' if "\n" in text or text.endswith('"') else f'"""{text}"""'
