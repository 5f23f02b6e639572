"""The tables of docs/command.md, from the commands themselves; `python -m tests.project.test_command_page` writes."""

from collections.abc import Iterator

import click

from api_app.client.cli import cli
from api_app.client.exit_codes import ExitCode

EVERYWHERE = {"--json", "--url", "--token", "--help"}


def exit_codes() -> str:
    rows = [f"| {code:d} | {code.told} |" for code in ExitCode]
    return "\n".join(["| code | when |", "|---|---|", *rows])


def commands() -> str:
    return "\n\n".join(_sections(cli, "esteira"))


def _sections(group: click.Group, name: str) -> Iterator[str]:
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield f"### {name} {word}\n\n{_prose(command)}"
            yield from _sections(command, f"{name} {word}")
        elif command is not None:
            yield _section(command, f"{name} {word}", deeper=name != "esteira")


def _section(command: click.Command, name: str, *, deeper: bool) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context)).removeprefix("[OPTIONS]").strip()
    examples = (command.epilog or "").partition("Examples:\n")[2]
    lines = [f"{'####' if deeper else '###'} {name} {usage}".rstrip(), "", _prose(command), ""]
    lines += ["```sh", *(line.strip() for line in examples.splitlines()), "```"]
    rows = [_row(one, context) for one in command.params if isinstance(one, click.Option) and _is_own(one)]
    return "\n".join([*lines, *(["", "| option | |", "|---|---|", *rows] if rows else [])])


def _prose(command: click.Command) -> str:
    paragraphs = (command.help or "").replace("\b\n", "").strip().split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def _is_own(option: click.Option) -> bool:
    return not EVERYWHERE & set(option.opts)


def _row(option: click.Option, context: click.Context) -> str:
    names, told = option.get_help_record(context) or ("", "")
    cells = [" ".join(one.split()).replace("|", "\\|") for one in (names, told)]
    return f"| `{cells[0]}` | {cells[1]} |"
