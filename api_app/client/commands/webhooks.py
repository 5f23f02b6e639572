"""webhooks: make them, try them, see and repeat what was sent."""

from datetime import UTC, datetime

import click

from api_app.client import by_path, lookup
from api_app.client.by_path import Json
from api_app.client.commands.moves import confirm
from api_app.client.options import Connection, Listing, OneOf, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen
from api_app.client.screen.words import ago, count
from api_app.client.session import Session, session

STATES = ["waiting", "delivered", "failed", "dropped"]
SEE = "esteira webhooks"

which = click.argument("webhook")


@click.group(cls=Listing)
def webhooks() -> None:
    """Tell other programs of jobs: make webhooks, try them, send again what was missed. For managers.

    WEBHOOK is its id, the first or last 6 or more characters of it, or its URL.
    """


@webhooks.command("list", epilog=examples("esteira webhooks", "esteira webhooks list --workspace lab --json"))
@click.option("--workspace", metavar="SLUG", help="Only those of this workspace.")
@as_json
@connection
@click.pass_obj
def list_webhooks(connected: Connection, *, workspace: str | None, is_json: bool) -> None:
    """List the webhooks of the workspaces that you manage, newest first."""
    with session(connected, is_json=is_json) as current:
        found = list(by_path.pages(current.client, "webhooks", workspace=workspace))
        if is_json:
            current.screen.json(found)
        elif not found:
            current.screen.say("There are no webhooks. Make one: esteira webhooks create URL")
        else:
            rows = [(one["id"], _state(one), one["workspace"], ",".join(one["kinds"]), one["url"]) for one in found]
            current.screen.table(("WEBHOOK", "STATE", "WORKSPACE", "TOLD OF", "URL"), rows)


def _state(one: Json) -> str:
    if not one["enabled"]:
        return "off"
    return "failing" if one["failing_since"] else "on"


@webhooks.command(
    epilog=examples(
        "esteira webhooks create https://example.org/hook",
        "esteira webhooks create https://example.org/hook --kind job.failed --workspace lab",
    )
)
@click.argument("target", metavar="URL")
@click.option("--workspace", metavar="SLUG", help="Workspace to watch, when you are in several.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="As job.failed; repeatable. Without it, all ends of jobs."
)
@click.option("--description", help="What it is for.")
@as_json
@connection
@click.pass_obj
def create(
    connected: Connection,
    *,
    target: str,
    workspace: str | None,
    kinds: tuple[str, ...],
    description: str | None,
    is_json: bool,
) -> None:
    """Make a webhook that calls URL, and print its secret on stdout: it is shown this once."""
    body = {"url": target, "workspace": workspace, "kinds": list(kinds) or None, "description": description}
    with session(connected, is_json=is_json) as current:
        made = by_path.send(current.client, "POST", "webhooks", body)
        _secret(current, made, f"Webhook {made['id']} is on. Try it: esteira webhooks test {made['id']}")


def _secret(current: Session, answer: Json, note: str) -> None:
    if current.screen.is_json:
        current.screen.json(answer)
        return
    click.echo(answer["secret"])
    current.screen.note(f"It is shown this once; the receiver checks signatures with it. {note}")


@webhooks.command(epilog=examples("esteira webhooks test https://example.org/hook"))
@which
@as_json
@connection
@click.pass_obj
def test(connected: Connection, *, webhook: str, is_json: bool) -> None:
    """Send a test to WEBHOOK, once."""
    with session(connected, is_json=is_json) as current:
        one = _find(current, webhook)
        sent = by_path.send(current.client, "POST", by_path.path("webhooks", one["id"], "test"))
        current.screen.say(f"A test is on its way. What came of it: esteira webhooks deliveries {one['id']}")
        if is_json:
            current.screen.json(sent)


@webhooks.command(epilog=examples("esteira webhooks deliveries https://example.org/hook --state failed"))
@which
@click.option("--state", type=OneOf(STATES, case_sensitive=False), help="Only those in this state.")
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@as_json
@connection
@click.pass_obj
def deliveries(connected: Connection, *, webhook: str, state: str | None, limit: int, is_json: bool) -> None:
    """List what was sent to WEBHOOK, newest first."""
    with session(connected, is_json=is_json) as current:
        where = by_path.path("webhooks", _find(current, webhook)["id"], "deliveries")
        found = list(by_path.pages(current.client, where, limit=limit, state=state))
        if is_json:
            current.screen.json(found)
        elif not found:
            current.screen.say("Nothing was sent.")
        else:
            _list_deliveries(current.screen, found)


def _list_deliveries(screen: Screen, found: list[Json]) -> None:
    columns = ("DELIVERY", "KIND", "STATE", "TRIES", "ANSWER", "CREATED", "PROBLEM")
    screen.table(
        columns,
        [
            (
                one["id"],
                one["kind"],
                one["state"],
                one["tries"],
                one["status"] or "",
                ago(one["created_at"]),
                one["problem"] or "",
            )
            for one in found
        ],
        right=("TRIES", "ANSWER"),
    )


@webhooks.command(
    epilog=examples(
        "esteira webhooks replay https://example.org/hook",
        "esteira webhooks replay https://example.org/hook --since 2026-11-28",
        "esteira webhooks replay https://example.org/hook 0199d5f2-8a3e-7b10-9f4c-2d7e61c0b3aa",
    )
)
@which
@click.argument("delivery", required=False)
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), metavar="DATE",
              help="Only what happened since (UTC).")  # fmt: skip
@as_json
@connection
@click.pass_obj
def replay(connected: Connection, *, webhook: str, delivery: str | None, since: datetime | None, is_json: bool) -> None:
    """Send one DELIVERY again; without it, all that failed or was dropped."""
    if delivery and since:
        raise click.UsageError("--since is for all that was missed, not for one delivery.")
    with session(connected, is_json=is_json) as current:
        one = _find(current, webhook)["id"]
        if delivery:
            answer = by_path.send(
                current.client, "POST", by_path.path("webhooks", one, "deliveries", delivery, "replay")
            )
            current.screen.say("It is on its way again.")
        else:
            body = {"since": since.replace(tzinfo=UTC).isoformat() if since else None}
            answer = by_path.send(current.client, "POST", by_path.path("webhooks", one, "replay"), body)
            current.screen.say(f"{count(answer['replayed'], 'message')} on the way again.")
        if is_json:
            current.screen.json(answer)


@webhooks.command(epilog=examples("esteira webhooks enable https://example.org/hook"))
@which
@as_json
@connection
@click.pass_obj
def enable(connected: Connection, *, webhook: str, is_json: bool) -> None:
    """Switch WEBHOOK on: it hears of what happens from now on."""
    _switch(connected, webhook, enabled=True, is_json=is_json)


@webhooks.command(epilog=examples("esteira webhooks disable https://example.org/hook"))
@which
@as_json
@connection
@click.pass_obj
def disable(connected: Connection, *, webhook: str, is_json: bool) -> None:
    """Switch WEBHOOK off: what waits is dropped."""
    _switch(connected, webhook, enabled=False, is_json=is_json)


def _switch(connected: Connection, webhook: str, *, enabled: bool, is_json: bool) -> None:
    with session(connected, is_json=is_json) as current:
        where = by_path.path("webhooks", _find(current, webhook)["id"])
        one = by_path.send(current.client, "PATCH", where, {"enabled": enabled})
        current.screen.say(f"{one_line(one['url'])} is {'on' if enabled else 'off'}.")
        if is_json:
            current.screen.json(one)


@webhooks.command(
    "rotate-secret", epilog=examples("esteira webhooks rotate-secret https://example.org/hook --overlap 48")
)
@which
@click.option(
    "--overlap", "hours", type=click.IntRange(0, 168), metavar="N", help="Hours that the old secret signs too."
)
@as_json
@connection
@click.pass_obj
def rotate_secret(connected: Connection, *, webhook: str, hours: int | None, is_json: bool) -> None:
    """Make a new secret for WEBHOOK, and print it on stdout."""
    with session(connected, is_json=is_json) as current:
        where = by_path.path("webhooks", _find(current, webhook)["id"], "rotate-secret")
        made = by_path.send(current.client, "POST", where, {"overlap_hours": hours})
        _secret(current, made, "The old one signs too for a while.")


@webhooks.command(epilog=examples("esteira webhooks delete https://example.org/hook --yes"))
@which
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask.")
@as_json
@connection
@click.pass_obj
def delete(connected: Connection, *, webhook: str, is_sure: bool, is_json: bool) -> None:
    """Delete WEBHOOK with the log of what was sent."""
    with session(connected, is_json=is_json) as current:
        one = _find(current, webhook)
        if not is_sure:
            confirm(f"Delete the webhook to {one_line(one['url'])}?")
        by_path.delete(current.client, by_path.path("webhooks", one["id"]))
        current.screen.say(f"The webhook to {one_line(one['url'])} is deleted.")
        if is_json:
            current.screen.json({"deleted": one["id"]})


def _find(current: Session, text: str) -> Json:
    return lookup.row(by_path.pages(current.client, "webhooks"), text, noun="webhook", see=SEE, name="url")
