"""Every command that there is, as a person names it."""

from collections.abc import Iterator

import click

from api_app.client.cli import cli


def leaves(command: click.Command = cli, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield names, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, name
        yield from leaves(found, *names, name)


COMMANDS = {" ".join(names): command for names, command in leaves()}
