"""Plans that look at the values.

A connection keeps its statements' plans, and after some calls PostgreSQL takes one for all values. That is right where
a row is found by its id, and wrong where a page of fifty is looked for among very many: what is usual then decides, and
for a state that few jobs have, or somebody who has none, the newest million are read in the hope of a page full soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def planned_anew() -> AbstractContextManager[None]:
    """What is asked inside is planned for its very values: lists and counts by what people choose."""
    return connection.execute_wrapper(_anew)


def _anew(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001  Django's
    link = context["connection"].connection
    before, link.prepare_threshold = link.prepare_threshold, None
    try:
        return execute(sql, params, many, context)
    finally:
        link.prepare_threshold = before
