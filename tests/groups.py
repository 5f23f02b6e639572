"""What must run in one worker of pytest-xdist, one after the other: tests that share a running platform."""

from __future__ import annotations

import pytest

WITH_SERVERS = frozenset({"asgi", "fuzz", "scenarios"})
"""Their modules have a server each, which two workers would start twice."""
BROWSER = frozenset({"page", "tools", "chrome", "context"})


def group_of(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else None


def group(items: list[pytest.Item]) -> None:
    """A module with a platform of its own names its group itself. Each group stays together, where its first test is.

    Workers of pytest-xdist begin with the groups, the ones with most tests first, and end with what has none.
    """
    for item in items:
        if not group_of(item) and (name := _group_for(item)):
            item.add_marker(pytest.mark.xdist_group(name))
    first = {name: n for n, name in reversed(list(enumerate(map(group_of, items)))) if name}
    place = [first.get(group_of(item) or "", n) for n, item in enumerate(items)]
    items[:] = [item for _, _, item in sorted(zip(place, range(len(items)), items, strict=True))]


def name_groups(items: list[pytest.Item]) -> None:
    """For the one who hands out the tests. pytest-xdist 3.8 does it too, where pytest 9.2 no longer looks."""
    for item in items:
        if (name := group_of(item)) and not item.nodeid.endswith(f"@{name}"):
            setattr(item, "_id", f"{item.nodeid}@{name}")  # noqa: B010  no type that we may name


def _group_for(item: pytest.Item) -> str | None:
    folders = set(item.path.parts)
    if (WITH_SERVERS | {"crash"}) & folders:
        return item.path.stem
    if "live" not in folders:
        return None
    asked = set(getattr(item, "fixturenames", ()))
    if "direct" in asked:
        return "buckets"
    if "on_aws" in asked:
        return "aws"
    return "browser" if asked & BROWSER else "platform"
