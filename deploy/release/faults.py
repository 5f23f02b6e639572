"""What stops a release, in a sentence for whoever reads the run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReleaseFault(Exception):
    """The release must not go on."""


@contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except ReleaseFault as fault:
        raise SystemExit(str(fault)) from fault
