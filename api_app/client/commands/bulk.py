"""bulk: one action on all jobs of a filter."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api_app.client.commands.moves import confirm
from api_app.client.exit_codes import ExitCode
from api_app.client.options import Connection, OneOf, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import ago, count, short, state
from api_app.client.session import Session, session

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Bulk, BulkAction, BulkPreview
    from api_app.client.screen.screen import Screen

ACTIONS = ["cancel", "retry", "resubmit", "rerun", "label", "priority"]
VERBS = {"rerun": "rerun the failed items of", "priority": "change the priority of"}
EVERY_S = 0.5
MOST_REFUSED = 5


@click.command(
    epilog=examples(
        "esteira bulk cancel state:open label:batch=7 --preview",
        "esteira bulk retry state:failed 'created:>-24h' --yes",
        "esteira bulk label state:failed --set batch=8 --remove draft",
        "esteira bulk priority owner:me --to 20",
    )
)
@click.argument("action", metavar="ACTION", type=OneOf(ACTIONS))
@click.argument("filter_", metavar="FILTER...", nargs=-1, required=True)
@click.option("--set", "set_", metavar="KEY=VALUE", multiple=True, help="For label: a label to set; may be repeated.")
@click.option("--remove", metavar="KEY", multiple=True, help="For label: a label to take away; may be repeated.")
@click.option("--to", "priority", type=click.IntRange(-100, 100), metavar="N", help="For priority: from -100 to 100.")
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--preview", "is_preview", is_flag=True, help="Only say which jobs it would be.")
@click.option("--no-wait", "is_left", is_flag=True, help="Do not wait for its end; it goes on by itself.")
@as_json
@connection
@click.pass_obj
def bulk(
    connected: Connection,
    *,
    action: BulkAction,
    filter_: tuple[str, ...],
    set_: tuple[str, ...],
    remove: tuple[str, ...],
    priority: int | None,
    is_sure: bool,
    is_preview: bool,
    is_left: bool,
    is_json: bool,
) -> int:
    """ACTION on all jobs that fit FILTER: cancel, retry, resubmit, rerun (failed items), label or priority.

    FILTER is as for `esteira jobs`. You are shown how many jobs it is and asked; if it is another number by then,
    nothing is done. Exit code 1: some jobs refused.
    """
    labels = _labels(action, set_, remove)
    if (priority is not None) != (action == "priority"):
        raise click.UsageError("Say --to with the action priority, and with no other.")
    with session(connected, is_json=is_json) as current:
        q = " ".join(filter_)
        seen = current.client.bulk_preview(action, q)
        _show(current.screen, action, seen)
        if is_preview or not seen["total"]:
            if is_json:
                current.screen.json(seen)
            return ExitCode.DONE
        if not is_sure:
            confirm(f"{VERBS.get(action, action).capitalize()} {count(seen['total'], 'job')}?")
        begun = current.client.bulk(
            action, q, expected=seen["total"], set_labels=labels, remove_labels=remove, priority=priority
        )
        done = begun if is_left else _follow(current, begun)
        if is_json:
            current.screen.json(done)
        else:
            _tell(current, done)
        return ExitCode.FAILED if done["refused"] else ExitCode.DONE


def _labels(action: str, given: tuple[str, ...], remove: tuple[str, ...]) -> dict[str, str]:
    if bool(given or remove) != (action == "label"):
        raise click.UsageError("Say --set KEY=VALUE or --remove KEY with the action label, and with no other.")
    pairs = [one.partition("=") for one in given]
    if wrong := next((key for key, equals, _ in pairs if not (key and equals)), None):
        raise click.UsageError(f"{wrong} has no value. Write --set {wrong}=VALUE.")
    return {key: value for key, _, value in pairs}


def _show(screen: Screen, action: str, seen: BulkPreview) -> None:
    left_out = sum(seen["others"].values())
    has = "has" if left_out == 1 else "have"
    more = f"; {count(left_out, 'job')} of the filter {has} nothing to {action}" if left_out else ""
    screen.say(f"{count(seen['total'], 'job')} to {action}{more}.")
    rows = [
        (f"  {short(job['id'])}", state(job), job["pipeline"], ago(job["created_at"]), job["name"])
        for job in seen["sample"]
    ]
    if rows:
        screen.table(("  JOB", "STATE", "PIPELINE", "CREATED", "NAME"), rows)
    if (rest := seen["total"] - len(seen["sample"])) > 0:
        screen.say(f"  … and {rest:,} more")


def _follow(current: Session, bulk: Bulk) -> Bulk:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=current.screen.err, disable=not current.screen.is_live, transient=True) as bar:
        task = bar.add_task(f"{bulk['action']} …", total=bulk["total"])
        while not bulk["finished_at"]:
            time.sleep(EVERY_S)
            bulk = current.client.bulk_state(bulk["id"])
            bar.update(task, completed=bulk["done"] + bulk["refused"] + bulk["skipped"])
    return bulk


def _tell(current: Session, bulk: Bulk) -> None:
    say = current.screen.say
    if not bulk["finished_at"]:
        say(f"Begun. It goes on by itself: {count(bulk['total'], 'job')}, operation {bulk['id']}.")
        return
    parts = [f"{count(bulk['done'], 'job')} done"]
    parts += [f"{bulk[name]:,} {name}" for name in ("refused", "skipped") if bulk[name]]
    say(", ".join(parts) + ".")
    for item in current.client.bulk_items(bulk["id"], outcome="refused", limit=MOST_REFUSED) if bulk["refused"] else ():
        say(f"  {short(item['job'])}: {one_line(item['detail'] or item['code'] or '')}")
    if bulk["refused"] > MOST_REFUSED:
        say(f"  … and {bulk['refused'] - MOST_REFUSED:,} more")
