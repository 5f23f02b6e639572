"""The command `pipelines`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from api_app.client import completing, lookup
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.params import allowed
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import localized, size
from api_app.client.session import session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_app.client.contract.shapes import Pipeline
    from api_app.client.screen.screen import Screen


@click.command(
    epilog=examples("esteira pipelines", "esteira pipelines tabular-profile", "esteira pipelines inspect@1.0.0 --json")
)
@click.argument("name", required=False, shell_complete=completing.pipelines)
@connection
@as_json
@click.pass_obj
def pipelines(connected: Connection, *, name: str | None, is_json: bool) -> None:
    """List the pipelines, or show the one called NAME (or NAME@VERSION) and its parameters."""
    with session(connected, is_json=is_json) as current:
        if name is None:
            _list(current.screen, current.client.pipelines())
        else:
            _show(current.screen, lookup.pipeline(current.client, name))


def _list(screen: Screen, found: list[Pipeline]) -> None:
    if screen.is_json:
        screen.json(found)
        return
    if not found:
        screen.say("There are no pipelines yet. An administrator publishes them.")
        return
    screen.table(
        ("NAME", "VERSION", "TITLE"), [(one["name"], one["version"], localized(one["title"])) for one in found]
    )
    screen.say("\nParameters of one: esteira pipelines NAME")


def _show(screen: Screen, one: Pipeline) -> None:
    if screen.is_json:
        screen.json(one)
        return
    screen.say(f"{one_line(one['name'])} {one_line(one['version'])} · {one_line(localized(one['title']))}")
    if one["description"]:
        screen.say(localized(one["description"]).strip())
    screen.say()
    _show_accepts(screen, one)
    others = [version for version in one["versions"] if version != one["version"]]
    if others:
        screen.say(f"Other versions: {one_line(', '.join(others))}")
    _show_params(screen, one["params"])
    screen.say("\nSteps")
    screen.table(
        ("  NAME", "RUNS", "TITLE"),
        [
            (
                f"  {step['name']}",
                "for each file" if step["for_each"] else "once",
                localized(step["title"]),
            )
            for step in one["steps"]
        ],
    )
    screen.say(f"\nRun it: esteira run {one_line(one['name'])} FILE… --watch")


def _show_accepts(screen: Screen, one: Pipeline) -> None:
    accepts = one["accepts"]
    told = [", ".join(accepts.get("types") or ["any file"])]
    largest, most = accepts.get("max_size"), accepts.get("max_files")
    if largest is not None:
        told.append(f"at most {size(largest)} each")
    if most is not None:
        told.append(f"at most {most:,} a job")
    screen.say(f"Takes: {one_line('; '.join(told))}")


def _show_params(screen: Screen, schema: Mapping[str, Any]) -> None:
    properties = schema.get("properties") or {}
    if not properties:
        screen.say("It has no parameters.")
        return
    required = set(schema.get("required") or [])
    screen.say("\nParameters (-p NAME=VALUE)")
    screen.table(
        ("  NAME", "DEFAULT", "TAKES", "MEANING"),
        [
            (
                f"  {key}",
                _default(one, is_required=key in required),
                allowed(one),
                localized(one.get("title") or one.get("description")),
            )
            for key, one in properties.items()
        ],
    )


def _default(schema: Mapping[str, Any], *, is_required: bool) -> str:
    if "default" not in schema:
        return "(required)" if is_required else ""
    default = schema["default"]
    return default if isinstance(default, str) else json.dumps(default)
