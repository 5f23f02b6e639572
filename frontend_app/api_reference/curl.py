"""An operation's example as a command for a shell."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDE: Final = 100
JSON: Final = "application/json"


def pretty(example: Any) -> str:
    if isinstance(example, str):
        return example
    short = json.dumps(example, ensure_ascii=False)
    return short if len(short) <= WIDE else json.dumps(example, indent=2, ensure_ascii=False)


def command(base: str, path: str, method: str, operation: Mapping[str, Any]) -> str:
    words = [f"curl {shlex.quote(base + _address(path, operation))}"]
    content = operation.get("requestBody", {}).get("content", {})
    # curl says GET by itself, and POST where there is a body.
    if method != "GET" and not (method == "POST" and content) and method != "PUT":
        words.append(f"-X {method}")
    if credential := _credential(operation):
        words.append(credential)
    if JSON in content:
        words.append(f"--json {shlex.quote(pretty(content[JSON].get('example', {})))}")
    elif method == "PUT":
        words.append("-T penguins.csv")
    elif content:
        words.append("-H 'Content-Type: application/octet-stream' --data-binary @penguins.csv")
    return " \\\n  ".join(words)


def _address(path: str, operation: Mapping[str, Any]) -> str:
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(one.get("example", one["name"]))))
        elif one["in"] == "query" and one.get("required"):
            query[one["name"]] = one.get("example", "")
    return f"{path}?{urlencode(query)}" if query else path


def _credential(operation: Mapping[str, Any]) -> str:
    schemes = {name for one in operation.get("security", ()) for name in one}
    if "password" in schemes:
        return "-u NAME"
    return '-H "Authorization: Bearer $TOKEN"' if schemes else ""
