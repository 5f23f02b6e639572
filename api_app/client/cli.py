"""The `esteira` command. A command's module is imported when it is called, so that `--help` answers at once."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from api_app.client import faults
from api_app.client.errors import EsteiraError
from api_app.client.exit_codes import ExitCode
from api_app.client.options import Connection, connection

COMPLETE = "_ESTEIRA_COMPLETE"
UNKNOWN = "esteira.unknown"

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
    "download": ("download", "Fetch the results of a job."),
    "verify": ("verify", "Check that results are what the platform signed."),
    "files": ("files", "List and show files; keep, hold, delete them."),
    "cancel": ("moves", "Cancel jobs."),
    "retry": ("moves", "Try a failed job again from its failed steps."),
    "resubmit": ("moves", "Start a new job like an old one, with changes."),
    "rerun-items": ("moves", "Run only the failed items of a job again."),
    "bulk": ("bulk", "Cancel, retry or resubmit all jobs of a filter."),
    "share": ("share", "Links that show results to people without an account."),
    "tokens": ("tokens", "List your tokens, make, rotate and revoke them."),
    "service-accounts": ("service_accounts", "Accounts for programs, and their tokens."),
    "webhooks": ("webhooks", "Tell other programs of jobs; see what was sent."),
    "api": ("raw", "Ask the API whatever no command asks."),
    "completion": ("completion", "Finish words with the tab key in bash, zsh, fish."),
    "up": ("server", "Start the whole platform on this machine."),
    "manage": ("server", "Administer the platform on its own machine."),
}

# What people type who know other commands, and what it is here.
MEANT = {
    "cp": "upload",
    "get": "download",
    "kill": "cancel",
    "list": "jobs",
    "log": "logs",
    "ls": "jobs",
    "ps": "jobs",
    "put": "upload",
    "results": "download",
    "start": "run",
    "status": "show",
    "stop": "cancel",
    "submit": "run",
    "tail": "logs",
}

EPILOG = """\b
JOB is an id, the first or last 6 or more characters of one, the address of
its page, or `last` for your newest job.

Every command takes --json: one line of JSON on stdout, all else on stderr, whose last line is then the problem, if
there is one.

\b
Exit codes:
""" + "".join(click.wrap_text(one.told, 78, f"  {one:<5}", " " * 7) + "\n" for one in ExitCode)


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
        name = args[0] if args else ""
        is_unknown = bool(name) and name not in COMMANDS and not name.startswith("-")
        ctx.meta[UNKNOWN] = is_unknown
        if is_unknown and not ctx.resilient_parsing:
            if name in MEANT:
                raise click.NoSuchCommand(name, f"No such command {name!r}. Did you mean {MEANT[name]!r}?", ctx=ctx)
            raise click.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        with _reader_may_leave():  # --help writes from here
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with _reader_may_leave():
            code = super().invoke(ctx)
            sys.stdout.flush()
        return code

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if ctx.meta.get(UNKNOWN):
            return []  # what follows a command that there is not
        if not incomplete.startswith("-"):
            # Without a look into each of their modules.
            return [
                CompletionItem(name, help=told) for name, (_, told) in COMMANDS.items() if name.startswith(incomplete)
            ]
        return super().shell_complete(ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """`esteira jobs | head`: nobody reads on. click would exit with 1, which here means "the job failed"."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(_nobody_reads()) from None


def _nobody_reads() -> ExitCode:
    # What is still buffered must not fail again at exit.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(io.UnsupportedOperation):  # of a program that has put something else there
            os.dup2(nowhere, stream.fileno())
    return ExitCode.BROKEN_PIPE


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@connection
@click.version_option(package_name="esteira", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Files go in, versioned pipelines run over them, results come out.

    \b
    On the machine where `esteira up` runs, start right away:
      esteira run inspect photo.jpg --watch
    """  # noqa: D301 - \b is click's own mark and has to be the control character
    context.ensure_object(Connection)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a question mark instead of a crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if COMPLETE in os.environ:
        # Somebody is typing: whatever goes wrong must not appear in the middle of the line.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    given = list(sys.argv[1:] if args is None else args)
    is_json = faults.wants_json(given)
    try:
        return _run(given, is_json=is_json)
    except BrokenPipeError:  # by what is said on stderr
        return _nobody_reads()
    except Exception:  # noqa: BLE001 - the outermost frame: it is shown whole, with an exit code of its own
        return faults.tell_mistake(is_json=is_json)


def _run(args: list[str], *, is_json: bool) -> int:
    try:
        code = cli.main(args, prog_name="esteira", complete_var=COMPLETE, standalone_mode=False)
    except click.ClickException as fault:
        return faults.tell_usage(fault, is_json=is_json)
    except EsteiraError as fault:
        return faults.tell(fault, is_json=is_json)
    except (click.Abort, KeyboardInterrupt):
        return faults.tell_stopped(is_json=is_json)
    if code == ExitCode.INTERRUPTED and is_json:
        return faults.tell_stopped(is_json=True)
    return code if isinstance(code, int) else ExitCode.DONE
