"""share: links that show results to people without an account."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from api_app.client import by_path, completing, lookup
from api_app.client.by_path import Json
from api_app.client.errors import NotFoundError, RequestError
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.screen.words import ago, until
from api_app.client.session import Session, session


@click.group
def share() -> None:
    """Make, list and revoke links that show results to people without an account."""


@share.command(
    epilog=examples(
        "esteira share create last",
        "esteira share create last --days 30 --file report.html --name 'for the client'",
        "pass show link | esteira share create last --password-stdin",
    )
)
@click.argument("job", shell_complete=completing.jobs)
@click.option(
    "--days", type=click.IntRange(1, 3_660), metavar="N", default=7, show_default=True, help="How long it works."
)
@click.option("--file", "files", multiple=True, metavar="NAME", help="Only this result (name or id). Repeatable.")
@click.option("--name", help="What you call it in the list.")
@click.option("--password-stdin", "is_locked", is_flag=True, help="Ask for a password, which is read from stdin here.")
@click.option("--max-downloads", type=click.IntRange(1, 1_000_000), metavar="N", help="So many, then no more.")
@click.option("--manifest", "has_manifest", is_flag=True, help="Its ZIP has the signed manifest too.")
@as_json
@connection
@click.pass_obj
def create(
    connected: Connection,
    *,
    job: str,
    days: int,
    files: tuple[str, ...],
    name: str | None,
    is_locked: bool,
    max_downloads: int | None,
    has_manifest: bool,
    is_json: bool,
) -> None:
    """Make a link to the results of JOB, and print it on stdout: it is shown this once."""
    password = _password() if is_locked else None
    with session(connected, is_json=is_json) as current:
        found = lookup.job_id(current.client, job)
        body = {
            "days": days,
            "files": _chosen(current, found, files) or None,
            "name": name,
            "password": password,
            "max_downloads": max_downloads,
            "with_manifest": has_manifest,
        }
        made = by_path.send(current.client, "POST", by_path.path("jobs", found, "shares"), body)
        if is_json:
            current.screen.json(made)
            return
        click.echo(made["url"])
        current.screen.note(
            f"It is shown this once, and works until {made['expires_at'][:10]}. "
            f"Take it back: esteira share revoke {made['id']}"
        )


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password of the link", hide_input=True, err=True))
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise RequestError("There is no password on standard input.")
    return text


def _chosen(current: Session, job_id: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    results = current.client.results(job_id)
    by_name = {one["name"]: one["id"] for one in results} | {one["id"]: one["id"] for one in results}
    if missing := next((one for one in names if one not in by_name), None):
        raise NotFoundError(f"The job has no result {missing}. See them: esteira show {job_id}")
    return [by_name[one] for one in names]


@share.command("list", epilog=examples("esteira share list last"))
@click.argument("job", shell_complete=completing.jobs)
@as_json
@connection
@click.pass_obj
def list_shares(connected: Connection, *, job: str, is_json: bool) -> None:
    """List the links to the results of JOB, newest first."""
    with session(connected, is_json=is_json) as current:
        found = list(by_path.pages(current.client, by_path.path("jobs", lookup.job_id(current.client, job), "shares")))
        if is_json:
            current.screen.json(found)
        elif not found:
            current.screen.say(f"Nobody was given a link. Make one: esteira share create {job}")
        else:
            current.screen.table(
                ("SHARE", "WORKS", "DOWNLOADS", "BY", "CREATED", "NAME"),
                [_row(one) for one in found],
                right=("DOWNLOADS",),
            )


def _row(one: Json) -> tuple[str, ...]:
    most = f" of {one['max_downloads']:,}" if one["max_downloads"] else ""
    is_over = datetime.fromisoformat(one["expires_at"]) <= datetime.now(UTC)
    works = "revoked" if one["revoked_at"] else "ended" if is_over else f"ends {until(one['expires_at'])}"
    return one["id"], works, f"{one['downloads']:,}{most}", one["created_by"], ago(one["created_at"]), one["name"]


@share.command(epilog=examples("esteira share revoke 01996e3f-5f0e-7c61-8a6d-1f0b6e0d9a11"))
@click.argument("shares", metavar="SHARE...", nargs=-1, required=True)
@as_json
@connection
@click.pass_obj
def revoke(connected: Connection, *, shares: tuple[str, ...], is_json: bool) -> None:
    """Take links back: nobody gets anything by them from now on. SHARE is an id, from `esteira share list`."""
    with session(connected, is_json=is_json) as current:
        done = [by_path.delete(current.client, by_path.path("shares", one)) for one in shares]
        for one in done:
            current.screen.say(f"The link {one['name'] or one['id']} is revoked.")
        if is_json:
            current.screen.json(done)
