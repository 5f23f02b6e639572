"""The `esteira` command. A command's module is imported when it is called, so that `--help` answers at once."""

import io
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from api_app.client.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_SUCCEEDED,
    EsteiraError,
)
from api_app.client.options import Connection, connection
from api_app.client.screen.neutral import wrapped

# name: module in commands/, what `--help` says. In the order in which a newcomer needs them.
COMMANDS = {
    "login": ("account", "Log in to a platform and remember it."),
    "logout": ("account", "Revoke the token of this machine and forget it."),
    "whoami": ("account", "Show who you are, where, and in which workspaces."),
    "pipelines": ("pipelines", "List the pipelines, or show one and its parameters."),
    "upload": ("upload", "Upload files and folders; goes on where it stopped."),
    "uploads": ("upload", "List or abort unfinished uploads."),
    "run": ("run", "Upload files and run a pipeline over them."),
    "jobs": ("jobs", "List jobs, newest first."),
    "show": ("jobs", "Show one job: steps, failures, results."),
    "watch": ("jobs", "Follow a job until it ends."),
    "logs": ("logs", "Print what the steps of a job wrote; -f follows."),
    "download": ("files", "Fetch the results of a job."),
    "verify": ("verify", "Check that results are what the platform signed."),
    "files": ("files", "List files, newest first."),
    "cancel": ("moves", "Cancel jobs."),
    "retry": ("moves", "Try a failed job again from its failed steps."),
    "resubmit": ("moves", "Start a new job like an old one, with changes."),
    "rerun-items": ("moves", "Run only the failed items of a job again."),
    "tokens": ("tokens", "List your tokens, make, rotate and revoke them."),
    "bulk": ("bulk", "Cancel, retry or resubmit all jobs of a filter."),
}

EPILOG = """\b
JOB is an id, the first or last 6 or more characters of one, the address of
its page, or `last` for your newest job.

\b
Exit codes:
  0    the job SUCCEEDED, or the command did what was asked
  1    the job FAILED or TIMED_OUT, a file could not be uploaded, or what was
       verified is not as signed
  2    cannot be done as asked (wrong option, missing file, refused)
  3    the job was CANCELED
  4    the platform cannot be reached, fails, or does not accept you
  130  stopped with Ctrl-C (a job that was submitted goes on; so does an
       upload when the same command runs again)
"""


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"api_app.client.commands.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # `esteira jobs | head`: nobody reads on. click would exit with 1, which here means "the job failed".
            # What is still buffered must not fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_BROKEN_PIPE
        return code

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@connection
@click.pass_context
def cli(context: click.Context) -> None:
    """Files go in, versioned pipelines run over them, results come out.

    \b
    On the machine where `make run` runs, start right away:
      esteira run inspect photo.jpg --watch
    """  # noqa: D301 - \b is click's own mark and has to be the control character
    context.ensure_object(Connection)


def _tell(sentence: str) -> None:
    # What reads a pipe has no width: a sentence stays one line there.
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize
    click.echo(wrapped(sentence, width), err=True)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. A traceback means a mistake of ours."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a question mark instead of a crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args, prog_name="esteira", standalone_mode=False)
    except click.ClickException as fault:
        fault.show()
        return EXIT_REFUSED
    except EsteiraError as fault:
        _tell(f"Error: {fault}")
        return fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else EXIT_SUCCEEDED
