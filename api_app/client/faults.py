"""What went wrong, on stderr: a sentence for people; with --json one line for programs, a problem as in RFC 9457."""

import json
import shutil
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from api_app.client.errors import EsteiraError, ProblemError
from api_app.client.exit_codes import ExitCode
from api_app.client.screen.neutral import wrapped


def wants_json(args: Sequence[str]) -> bool:
    """Asked of the bare words: what is wrong may be that they cannot be read."""
    words = list(args)
    return "--json" in words[: words.index("--") if "--" in words else None]


def problem_of(fault: EsteiraError, **about: Any) -> dict[str, Any]:
    known = fault.problem if isinstance(fault, ProblemError) else {}
    return {**problem(fault.code, str(fault), fault.exit_code), **known, **about, "exit_code": int(fault.exit_code)}


def problem(code: str, sentence: str, exit_code: ExitCode) -> dict[str, Any]:
    title = sentence.partition("\n")[0]
    return {"type": "about:blank", "title": title, "detail": sentence, "code": code, "exit_code": int(exit_code)}


def tell(fault: EsteiraError, *, is_json: bool) -> ExitCode:
    if is_json:
        write(problem_of(fault))
        return fault.exit_code
    # What reads a pipe has no width: a sentence stays one line there.
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize
    click.echo(wrapped(f"Error: {fault}", width), err=True)
    return fault.exit_code


def tell_usage(fault: click.ClickException, *, is_json: bool) -> ExitCode:
    if is_json:
        write(problem("usage", fault.format_message(), ExitCode.USAGE))
    else:
        fault.show()
        _show_example(fault)
    return ExitCode.USAGE


def _show_example(fault: click.ClickException) -> None:
    command = fault.ctx.command if isinstance(fault, click.UsageError) and fault.ctx else None
    first = (command.epilog or "" if command else "").partition("Examples:\n")[2].partition("\n")[0].strip()
    if first:
        click.echo(f"For example: {first}", err=True)


def tell_stopped(*, is_json: bool) -> ExitCode:
    if is_json:
        write(problem("interrupted", "Stopped.", ExitCode.INTERRUPTED))
    else:
        click.echo("Stopped.", err=True)
    return ExitCode.INTERRUPTED


def tell_mistake(*, is_json: bool) -> ExitCode:
    """Of ours. Python's own exit code for it is 1, which says here that the job failed."""
    traceback.print_exc()
    sentence = "This is a mistake in the command. Report it with the lines above."
    if is_json:
        write(problem("internal", sentence, ExitCode.INTERNAL))
    else:
        click.echo(sentence, err=True)
    return ExitCode.INTERNAL


def write(document: dict[str, Any]) -> None:
    # ASCII only, so that no string in it can reach the terminal as anything but letters.
    click.echo(json.dumps(document, separators=(",", ":")), err=True)
