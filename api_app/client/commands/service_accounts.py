"""service-accounts: accounts for programs, and their tokens."""

import click

from api_app.client import by_path, lookup
from api_app.client.by_path import Json
from api_app.client.commands.tokens import SCOPES, table
from api_app.client.options import Connection, Listing, OneOf, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import ago
from api_app.client.session import Session, session

ROLES = ["viewer", "submitter", "manager"]

which = click.argument("account")
of_workspace = click.option("--workspace", metavar="SLUG", help="Its workspace, when you are in several.")


@click.group("service-accounts", cls=Listing)
def service_accounts() -> None:
    """Accounts of a workspace for programs, and their tokens. For managers.

    ACCOUNT is its name, its id, or the first or last 6 or more characters of it.
    """


@service_accounts.command(
    "list", epilog=examples("esteira service-accounts", "esteira service-accounts list --workspace lab")
)
@of_workspace
@as_json
@connection
@click.pass_obj
def list_accounts(connected: Connection, *, workspace: str | None, is_json: bool) -> None:
    """List the service accounts of a workspace."""
    with session(connected, is_json=is_json) as current:
        found = _accounts(current, workspace)
        if is_json:
            current.screen.json(found)
        elif not found:
            current.screen.say("There are none. Make one: esteira service-accounts create NAME")
        else:
            current.screen.table(
                ("ACCOUNT", "ROLE", "STATE", "WORKSPACE", "CREATED", "ID"),
                [
                    (
                        one["user"],
                        one["role"] or "none",
                        "on" if one["enabled"] else "off",
                        one["workspace"],
                        ago(one["created_at"]),
                        one["id"],
                    )
                    for one in found
                ],
            )


@service_accounts.command(
    epilog=examples("esteira service-accounts create nightly-import --role submitter --workspace lab")
)
@click.argument("name")
@of_workspace
@click.option("--role", type=OneOf(ROLES), default="submitter", show_default=True, help="What it may do.")
@as_json
@connection
@click.pass_obj
def create(connected: Connection, *, name: str, workspace: str | None, role: str, is_json: bool) -> None:
    """Make an account called NAME. It cannot sign in; give it a token."""
    with session(connected, is_json=is_json) as current:
        made = by_path.send(
            current.client, "POST", "service-accounts", {"name": name, "workspace": workspace, "role": role}
        )
        user = one_line(made["user"])
        current.screen.say(f"{user} is made. Give it a token: esteira service-accounts token {user} NAME")
        if is_json:
            current.screen.json(made)


@service_accounts.command(epilog=examples("esteira service-accounts tokens nightly-import"))
@which
@of_workspace
@as_json
@connection
@click.pass_obj
def tokens(connected: Connection, *, account: str, workspace: str | None, is_json: bool) -> None:
    """List the tokens of ACCOUNT."""
    with session(connected, is_json=is_json) as current:
        one = _find(current, account, workspace)
        found = by_path.get(current.client, by_path.path("service-accounts", one["id"], "tokens"))["items"]
        if is_json:
            current.screen.json(found)
        elif found:
            table(current, found)
        else:
            current.screen.say(f"It has no tokens. Give it one: esteira service-accounts token {account} NAME")


@service_accounts.command(
    epilog=examples("esteira service-accounts token nightly-import cron --scope upload --scope run")
)
@which
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=OneOf(SCOPES), help="What it may do; may be repeated.")
@click.option(
    "--days", type=click.IntRange(1, 366), metavar="N", default=90, show_default=True, help="How long it lasts."
)
@of_workspace
@as_json
@connection
@click.pass_obj
def token(
    connected: Connection,
    *,
    account: str,
    name: str,
    scopes: tuple[str, ...],
    days: int,
    workspace: str | None,
    is_json: bool,
) -> None:
    """Make a token called NAME for ACCOUNT, and print it on stdout: it is shown this once."""
    with session(connected, is_json=is_json) as current:
        one = _find(current, account, workspace)
        body = {"name": name, "scopes": list(scopes) or None, "expires_in_days": days}
        made = by_path.send(current.client, "POST", by_path.path("service-accounts", one["id"], "tokens"), body)
        if is_json:
            current.screen.json(made)
            return
        click.echo(made["token"])
        current.screen.note("It is shown this once. Keep it like a password.")


@service_accounts.command(
    epilog=examples(
        "esteira service-accounts edit nightly-import --role viewer",
        "esteira service-accounts edit nightly-import --off",
    )
)
@which
@click.option("--role", type=OneOf(ROLES), help="What it may do from now on.")
@click.option("--on/--off", "enabled", default=None, help="Off: its tokens are refused until it is on again.")
@of_workspace
@as_json
@connection
@click.pass_obj
def edit(
    connected: Connection, *, account: str, role: str | None, enabled: bool | None, workspace: str | None, is_json: bool
) -> None:
    """Change the role of ACCOUNT, or switch it off and on."""
    if role is None and enabled is None:
        raise click.UsageError("Say what to change: --role ROLE, --off or --on.")
    with session(connected, is_json=is_json) as current:
        where = by_path.path("service-accounts", _find(current, account, workspace)["id"])
        one = by_path.send(current.client, "PATCH", where, {"role": role, "enabled": enabled})
        current.screen.say(f"{one_line(one['user'])} is {'on' if one['enabled'] else 'off'}, role {one['role']}.")
        if is_json:
            current.screen.json(one)


def _find(current: Session, text: str, workspace: str | None) -> Json:
    rows = _accounts(current, workspace)
    # Names are told as NAME@WORKSPACE.
    rows = [one | {"name": one["user"] if "@" in text else one["user"].partition("@")[0]} for one in rows]
    return lookup.row(rows, text, noun="service account", see="esteira service-accounts")


def _accounts(current: Session, workspace: str | None) -> list[Json]:
    found: list[Json] = by_path.get(current.client, "service-accounts", workspace=workspace)["items"]
    return found
