"""What the commands do that send files: show how it goes, and say what could not be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from api_app.client.exit_codes import ExitCode
from api_app.client.screen.neutral import one_line
from api_app.client.screen.uploading import Uploading
from api_app.client.screen.words import count, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import File
    from api_app.client.inputs import Found
    from api_app.client.screen.screen import Screen
    from api_app.client.session import Session
    from api_app.client.uploads.outgoing import Outcome, Outgoing

MOST_NAMED: Final = 3
MOST_FAILURES: Final = 20


def send(
    session: Session,
    items: Sequence[Outgoing],
    *,
    total: int | None,
    workspace: str | None,
    jobs: int | None = None,
    again: bool = False,
    stopped: str = "",
) -> list[Outcome]:
    """`total` bytes, None where a stream is among them. `stopped` is said at Ctrl-C, before how to go on."""
    try:
        with Uploading(session.screen, items, total) as shown:
            return session.client.upload_many(items, workspace=workspace, max_parallel=jobs, watch=shown, again=again)
    except KeyboardInterrupt:
        on = "" if total is None else " Run the same command again: it goes on where it stopped."
        session.screen.note(f"Stopped{stopped}.{on}")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def tell_left_out(screen: Screen, found: Found) -> None:
    for path, why in found.left_out[:MOST_NAMED]:
        screen.note(f"Left out {one_line(path)}: {why}.")
    if len(found.left_out) > MOST_NAMED:
        screen.note(f"Left out {count(len(found.left_out) - MOST_NAMED, 'more file')} for reasons like these.")


def tell_sent(screen: Screen, outcomes: Sequence[Outcome]) -> None:
    sent = [one.file["size"] for one in outcomes if one.file and not one.was_there]
    if sent:
        screen.note(f"Uploaded {count(len(sent), 'file')} ({size(sum(sent))}).")
    if there := sum(one.was_there for one in outcomes):
        screen.note(f"{count(there, 'file')} {'was' if there == 1 else 'were'} there already and not sent again.")


def tell_failed(screen: Screen, outcomes: Sequence[Outcome], found: Found) -> int:
    """How many."""
    told = [str(fault) for fault in found.faults]
    faults = [(one.item.label, str(one.fault)) for one in outcomes if one.fault]
    number = len(told) + len(faults)
    if len(faults) > 1 and len({fault for _, fault in faults}) == 1 and len(faults) == len(outcomes):
        told.append(faults[0][1])  # once, not a thousand times
    else:
        told += [_failed(label, fault) for label, fault in faults]
    if told:
        screen.note(f"{count(number, 'file')} could not be uploaded:")
    for sentence in told[:MOST_FAILURES]:
        screen.note(f"  {one_line(sentence)}")
    if len(told) > MOST_FAILURES:
        screen.note(f"  … and {len(told) - MOST_FAILURES:,} more")
    return number


def _failed(label: str, fault: str) -> str:
    return fault if label in fault else f"{label}: {fault}"


def table(screen: Screen, files: Sequence[File]) -> None:
    rows = [(file["id"], size(file["size"]), f"{file['path']}/{file['name']}".lstrip("/")) for file in files]
    screen.table(("FILE", "SIZE", "NAME"), rows, right=("SIZE",))
