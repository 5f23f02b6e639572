"""completion: what a shell needs to finish words of the command."""

import click
from click.shell_completion import get_completion_class

from api_app.client.options import OneOf, examples

SHELLS = ["bash", "zsh", "fish"]


@click.command(
    epilog=examples(
        'eval "$(esteira completion bash)"      # in ~/.bashrc; bash 4.4 or newer',
        'eval "$(esteira completion zsh)"       # in ~/.zshrc, after compinit',
        "esteira completion fish | source       # in ~/.config/fish/config.fish",
    )
)
@click.argument("shell", metavar="SHELL", type=OneOf(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print what SHELL (bash, zsh, fish) has to read to finish commands, options, and names that the platform knows."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"Nothing is known of {shell}.")
    root = context.find_root()
    click.echo(kind(root.command, {}, "esteira", "_ESTEIRA_COMPLETE").source())
