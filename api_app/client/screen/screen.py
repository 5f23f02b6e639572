"""Where the command writes: answers on stdout, everything about the way there on stderr."""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, RenderableType
from rich.table import Table
from rich.text import Text

from api_app.client import faults
from api_app.client.errors import EsteiraError
from api_app.client.screen.neutral import one_line, wrapped
from api_app.client.screen.words import STYLES

ENDLESS = 10_000
GAP = 2
SAME_AGAIN_S = 5.0


class Screen:
    def __init__(self, *, is_json: bool = False) -> None:
        self.is_json = is_json
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)
        self._last_note = ("", 0.0)

    @property
    def is_live(self) -> bool:
        """Whether somebody looks at moving things."""
        return self.err.is_terminal and not self.err.is_dumb_terminal

    def say(self, content: RenderableType = "") -> None:
        """For people only: with --json, stdout belongs to the program that reads it."""
        if not self.is_json:
            _print(self.out, content)

    def note(self, sentence: str) -> None:
        said, at = self._last_note
        if sentence == said and time.monotonic() - at < SAME_AGAIN_S:
            return
        self._last_note = (sentence, time.monotonic())
        _print(self.err, sentence)

    def fault(self, fault: EsteiraError, about: str, **named: Any) -> None:
        """One of several things went wrong, and the others go on."""
        if self.is_json:
            faults.write(faults.problem_of(fault, **named))
        else:
            self.note(f"{about}: {fault}")

    def json(self, value: Any) -> None:
        # ASCII only, so that no string in it can reach the terminal as anything but letters.
        sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
        if self.is_json:
            return
        cells = [[styled(cell) for cell in row] for row in rows]
        widths = [
            max(cell_len(name), *(row[number].cell_len for row in cells)) if cells else cell_len(name)
            for number, name in enumerate(columns)
        ]
        # The last column gives way to a narrow window, and the id in the first is of no use in pieces.
        room = self.out.width - sum(widths[:-1]) - GAP * (len(columns) - 1)
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
        for number, column in enumerate(columns):
            is_last = number == len(columns) - 1
            table.add_column(
                column,
                justify="right" if column in right else "left",
                overflow="ellipsis",
                no_wrap=True,
                min_width=widths[0] if number == 0 else None if is_last else len(column),
                max_width=max(room, 1) if is_last else None,
            )
        for row in cells:
            table.add_row(*row)
        self.out.print(table)


def _print(console: Console, content: RenderableType) -> None:
    # rich would cut an address or a path at the edge, and it has to be copied in one piece.
    told = wrapped(content, console.width) if isinstance(content, str) else content
    console.print(told, soft_wrap=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process with 1, which here means "the job failed"


def _console(stream: Any) -> Console:
    console = _Console(file=stream, markup=False, emoji=False, highlight=False)
    if console.is_dumb_terminal:
        console.size = ConsoleDimensions(*shutil.get_terminal_size())  # rich takes 80 for granted there
    if not console.is_terminal:
        # What reads a pipe has no width: nothing may be cut off or broken there.
        console.width = ENDLESS
    return console


def styled(cell: object) -> Text:
    if isinstance(cell, Text):
        return cell
    text = one_line("" if cell is None else cell)
    return Text(text, style=STYLES.get(text, "cyan" if text == "canceling" else ""))
