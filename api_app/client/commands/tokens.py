"""tokens: list, create, rotate, revoke; and end one that somebody found."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from api_app.client.errors import NotFoundError, RequestError
from api_app.client.options import Connection, Listing, OneOf, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import ago, short
from api_app.client.session import Session, session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import NewToken, Token

SCOPES = ["read", "upload", "run", "admin"]
LEAST_MATCH = 6


@click.group(cls=Listing)
def tokens() -> None:
    """List your tokens, make, rotate and revoke them."""


@tokens.command("list", epilog=examples("esteira tokens"))
@as_json
@connection
@click.pass_obj
def list_tokens(connected: Connection, *, is_json: bool) -> None:
    """List your tokens, newest first."""
    with session(connected, is_json=is_json) as current:
        found = current.client.tokens()
        if is_json:
            current.screen.json(found)
        elif found:
            table(current, found)
        else:
            current.screen.say("You have no tokens.")


def table(current: Session, found: Sequence[Any]) -> None:
    whole = not current.screen.out.is_terminal
    current.screen.table(
        ("TOKEN", "NAME", "MAY", "WHERE", "LAST USED", "FROM", "ENDS"),
        [
            (
                one["id"] if whole else short(one["id"]),
                one["name"],
                ",".join(one["scopes"]),
                one["workspace"] or "anywhere",
                ago(one["last_used_at"]) if one["last_used_at"] else "never",
                one["last_used_ip"] or "",
                _ends(one),
            )
            for one in found
        ],
    )


def _ends(one: Token) -> str:
    end = datetime.fromisoformat(one["expires_at"]).astimezone(UTC)
    if end <= datetime.now(UTC):
        return "ended"
    return f"{end:%Y-%m-%d %H:%M}" + (" replaced" if one["replaced_by"] else "")


@tokens.command(epilog=examples("esteira tokens create ci --scope upload --scope run --workspace lab --days 30"))
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=OneOf(SCOPES), help="What it may do; may be repeated.")
@click.option("--workspace", metavar="SLUG", help="The one workspace it is for.")
@click.option(
    "--days", type=click.IntRange(1, 366), metavar="N", default=90, show_default=True, help="How long it lasts."
)
@as_json
@connection
@click.pass_obj
def create(
    connected: Connection, *, name: str, scopes: tuple[str, ...], workspace: str | None, days: int, is_json: bool
) -> None:
    """Make a token called NAME, and print it on stdout: it is shown this once.

    The token you come with needs the scope admin.
    """
    with session(connected, is_json=is_json) as current:
        made = current.client.create_token(name, scopes=scopes, workspace=workspace, days=days)
        _show(current, made, is_json=is_json)


def _show(current: Session, made: NewToken, *, is_json: bool) -> None:
    if is_json:
        current.screen.json(made)
        return
    click.echo(made["token"])
    click.echo("It is shown this once. Keep it like a password.", err=True)


@tokens.command(epilog=examples("esteira tokens rotate 0f3a91c2 --overlap 48"))
@click.argument("token_id", metavar="TOKEN")
@click.option(
    "--overlap", "hours", type=click.IntRange(0, 168), metavar="N", default=24, show_default=True, help="Hours."
)
@as_json
@connection
@click.pass_obj
def rotate(connected: Connection, *, token_id: str, hours: int, is_json: bool) -> None:
    """Put a new token in the place of TOKEN (an id, or its last characters), and print it on stdout.

    The old one works for --overlap hours beside it.
    """
    with session(connected, is_json=is_json) as current:
        one = _chosen(current, token_id)
        made = current.client.rotate_token(one["id"], overlap_hours=hours)
        _show(current, made, is_json=is_json)
        click.echo(f"The old one ({one_line(one['name'])}) works for {hours} hours more at most.", err=True)


@tokens.command(epilog=examples("esteira tokens revoke 0f3a91c2"))
@click.argument("token_id", metavar="TOKEN")
@as_json
@connection
@click.pass_obj
def revoke(connected: Connection, *, token_id: str, is_json: bool) -> None:
    """Revoke TOKEN: programs that use it are refused at once."""
    with session(connected, is_json=is_json) as current:
        one = _chosen(current, token_id)
        current.client.revoke_token(one["id"])
        current.screen.say(f"{one_line(one['name'])} is revoked.")
        if is_json:
            current.screen.json({"revoked": one["id"]})


def _chosen(current: Session, text: str) -> Token:
    found = [one for one in current.client.tokens() if text == one["id"] or _fits(one["id"], text)]
    see = "See them: esteira tokens list --json"
    if not found:
        raise NotFoundError(f"You have no token {text}. {see}")
    if len(found) > 1:
        raise RequestError(f"{len(found)} of your tokens have an id like {text}. {see}")
    return found[0]


def _fits(token_id: str, text: str) -> bool:
    return len(text) >= LEAST_MATCH and (token_id.startswith(text) or token_id.endswith(text))


@tokens.command(epilog=examples("esteira tokens leaked < found.txt"))
@as_json
@connection
@click.pass_obj
def leaked(connected: Connection, *, is_json: bool) -> None:
    """End a token that got out, whoever it belongs to. It is read from standard input, not from the command line."""
    is_asked = sys.stdin.isatty()
    text = str(click.prompt("The token", hide_input=True, err=True)) if is_asked else sys.stdin.readline()
    with session(connected, is_json=is_json) as current:
        current.client.report_leaked_token(text.strip())
        current.screen.say("That token is refused from now on.")
        if is_json:
            current.screen.json({"refused": True})
