"""up, manage: the platform's own side, on the machine that it runs on. Everything else talks HTTP."""

import os
import sys
from typing import NoReturn

import click

from api_app.client.options import examples

# By name and in a process of its own: the command does not import the platform. -P: a folder `project` that lies
# where somebody stands is not ours.
SERVER = [sys.executable, "-P", "-m", "project"]


@click.command(
    epilog=examples(
        "esteira up",
        "esteira up --no-sample",
    )
)
@click.option("--no-sample", is_flag=True, help="Do not run the first sample job.")
def up(*, no_sample: bool) -> None:
    """Start the whole platform on this machine: database, pages, API, engine. Ctrl-C stops it.

    The first start makes an administrator, prints her password and runs a first job. It says where the data lies;
    ESTEIRA_HOME says it before.
    """
    _become("up", *(["--no-sample"] if no_sample else []))


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "esteira manage help",
        "esteira manage doctor",
        "esteira manage pipelines publish count-words/",
    ),
)
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def manage(*, words: tuple[str, ...]) -> None:
    """What administrators do on the platform's own machine: doctor, drill, audit, pipelines and more.

    In a clone it is the same as `python manage.py`.
    """
    _become(*words)


def _become(*words: str) -> NoReturn:
    sys.stdout.flush()
    os.execv(SERVER[0], [*SERVER, *words])  # noqa: S606  no shell: so that Ctrl-C and SIGTERM reach the platform itself
