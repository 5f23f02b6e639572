"""Options that many commands share. Nothing heavy may be imported here: `esteira --help` reads this file."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

type Command = Callable[..., Any]


@dataclass
class Connection:
    url: str | None = None
    token: str | None = None


def _keep(field: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def keep(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            setattr(context.find_root().ensure_object(Connection), field, value)

    return keep


def connection(command: Command) -> Command:
    """--url and --token, before or after the name of the command."""
    for option in (
        click.option(
            "--token",
            metavar="TOKEN",
            expose_value=False,
            callback=_keep("token"),
            help="Token to use. Others can read it in the list of processes; ESTEIRA_TOKEN is better.",
        ),
        click.option(
            "--url",
            metavar="URL",
            expose_value=False,
            callback=_keep("url"),
            help="Address of the platform, such as https://esteira.example.org.",
        ),
    ):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """For the end of a command's help, and for docs/command.md."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Listing(click.Group):
    """A group whose bare name lists: `esteira tokens` is `esteira tokens list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_option = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
        if is_option or not (args or ctx.resilient_parsing):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.indentation():
            formatter.write_paragraph()
            formatter.write_text(f"{ctx.command_path} alone lists.")

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # in the order of need, not of the alphabet


class OneOf(click.Choice[str]):
    """Says which of them was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        close = difflib.get_close_matches(str(value).lower(), [one.lower() for one in self.choices], n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        return super().get_invalid_choice_message(value, ctx).rstrip(".") + f".{meant}"


as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON in one line on stdout, all else on stderr.")
watch = click.option("--watch", "-w", "is_watched", is_flag=True, help="Stay and show progress until the end.")
params = click.option(
    "--param", "-p", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the pipeline. Repeatable."
)


class _Span(click.ParamType[int]):
    """Seconds, from 90s, 30m, 2h or 1d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9][0-9]{0,7})([smhd])", value)
        if found is None:
            self.fail(f"{value} is no span. Write 90s, 30m, 2h or 1d.", param, ctx)
        return int(found[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]


SPAN = _Span()


def pair(text: str, option: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise click.UsageError(f"{option} takes KEY=VALUE, not {text!r}.")
    return key.strip(), value
