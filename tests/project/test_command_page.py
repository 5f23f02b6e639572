"""docs/command.md has every command, every option and every exit code, as they are."""

from __future__ import annotations

import re
from pathlib import Path

import click

from api_app.client import reference
from tests.client.commands import COMMANDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command.md"


def written() -> str:
    page = PAGE.read_text(encoding="utf-8")
    for part, text in (("exit codes", reference.exit_codes()), ("commands", reference.commands())):
        head, begin, rest = page.partition(f"<!-- {part}: begin -->\n")
        page = f"{head}{begin}{text}\n<!-- {part}: end -->{rest.partition(f'<!-- {part}: end -->')[2]}"
    return page


def test_tables_are_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run: python -m tests.project.test_command_page"


def test_every_command_and_option_is_on_the_page() -> None:
    sections = re.split(r"^#{3,4} esteira ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for name, command in COMMANDS.items():
        (section,) = [one for one in sections if re.match(rf"{re.escape(name)}(?= [A-Z\[(]|\n)", one)]
        own = [one for one in command.params if isinstance(one, click.Option)]
        names = {word for one in own for word in one.opts if word not in reference.EVERYWHERE}
        assert {word for word in names if word not in section} == set(), name
        assert f"esteira {name.removesuffix(' list')}" in section.partition("```sh")[2]


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
