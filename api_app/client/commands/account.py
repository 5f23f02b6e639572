"""login, logout, whoami."""

import platform
import sys
from typing import Any

import click

from api_app.client import credentials
from api_app.client.client import Client, log_in
from api_app.client.errors import EsteiraError, NotLoggedInError, RequestError
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen
from api_app.client.session import session


@click.command(
    epilog=examples(
        "esteira login --url https://esteira.example.org",
        "pass show esteira | esteira login --url https://esteira.example.org -u ana --password-stdin",
    )
)
@connection
@click.option("--user", "-u", help="User name; asked for when left out.")
@click.option("--password-stdin", "is_piped", is_flag=True, help="Read the password from standard input.")
@as_json
@click.pass_obj
def login(connected: Connection, *, user: str | None, is_piped: bool, is_json: bool) -> None:
    """Log in to a platform and remember it.

    The password is changed for a token that only this machine holds, in a file that only you can read.
    """
    url = credentials.normal_url(connected.url or _asked_url())
    if url.startswith("http://") and not credentials.is_loopback(url):
        click.echo(f"Warning: {url} is not encrypted; others on the way can read the password.", err=True)
    user = user or _asked("User", "give it as --user NAME")
    password = sys.stdin.readline().rstrip("\r\n") if is_piped else _asked_password()
    machine = platform.node() or "a machine without a name"
    token = log_in(url, user, password, name=f"esteira on {machine}")
    path = credentials.save(credentials.Credentials(url, token["token"], "login", token["id"], user))
    screen = Screen(is_json=is_json)
    if is_json:
        screen.json({"url": url, "user": user, "token_id": token["id"], "kept_in": str(path)})
        return
    screen.say(f"You are logged in to {url} as {one_line(user)}. The token is kept in {path}.")
    screen.say("See what you can run: esteira pipelines")


def _asked_url() -> str:
    if not sys.stdin.isatty():
        return credentials.known_url()
    return str(click.prompt("Address of the platform", default=credentials.known_url(), err=True))


def _asked(what: str, otherwise: str) -> str:
    if not sys.stdin.isatty():
        raise RequestError(f"{what} is missing and nobody is there to ask; {otherwise}.")
    return str(click.prompt(what, err=True))


def _asked_password() -> str:
    if not sys.stdin.isatty():
        raise RequestError("The password is missing and nobody is there to ask; pipe it in with --password-stdin.")
    return str(click.prompt("Password", hide_input=True, err=True))


@click.command(epilog=examples("esteira logout"))
@as_json
def logout(*, is_json: bool) -> None:
    """Revoke the token of this machine and forget it."""
    screen = Screen(is_json=is_json)
    kept = credentials.load_login()
    if kept is None:
        screen.say("You are not logged in here; there is nothing to forget.")
        if is_json:
            screen.json({"url": None, "revoked": False})
        return
    trouble = _revoke(kept)
    credentials.forget()
    screen.say(f"You are logged out of {kept.url}.")
    if trouble:
        screen.note(f"The token could not be revoked: {trouble}\nRevoke it on the page of your account.")
    if is_json:
        screen.json({"url": kept.url, "revoked": not trouble})


def _revoke(kept: credentials.Credentials) -> str:
    try:
        with Client(kept.url, kept.token, patience_s=1) as client:
            client.revoke_token(kept.token_id)
    except NotLoggedInError:
        raise
    except EsteiraError as fault:
        return one_line(fault)
    return ""


@click.command(epilog=examples("esteira whoami"))
@connection
@as_json
@click.pass_obj
def whoami(connected: Connection, *, is_json: bool) -> None:
    """Show who you are, where, and in which workspaces."""
    with session(connected, is_json=is_json) as current:
        me = current.client.me()
        if is_json:
            answer: dict[str, Any] = {"url": current.base_url, **me}
            current.screen.json(answer)
            return
        _show_me(current.screen, me["user"], current.client.login)
        rows = [(one["slug"], one["role"], one["name"]) for one in me["workspaces"]]
        current.screen.table(("WORKSPACE", "ROLE", "NAME"), rows)


def _show_me(screen: Screen, user: str, known: credentials.Credentials) -> None:
    screen.say(f"{one_line(user)} at {known.url}")
    screen.say(f"The token comes from {known.source}.\n")
