"""One bad row must not stop the work on all others."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

log = logging.getLogger(__name__)


@contextmanager
def one_at_a_time(row_id: UUID) -> Iterator[None]:
    """Around the work on one row in a loop over many. An absent database is everybody's trouble and goes on up."""
    try:
        yield
    except OperationalError:
        raise
    except Exception:
        # Whatever it is, it is this row's: the sweep comes back to it, and the log says so each time.
        log.exception("work on one row failed", extra={"row_id": str(row_id)})
