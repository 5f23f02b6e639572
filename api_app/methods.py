"""Which methods an address takes, for the `Allow` of a refusal: Starlette names those of the first route that fits."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

if TYPE_CHECKING:
    from fastapi import FastAPI

_PLACE: Final = re.compile(r"{[^}]*}")


class _Template(NamedTuple):
    fits: re.Pattern[str]
    letters: int
    """Outside of its places: `/tasks/{id}:cancel` is more particular than `/tasks/{id}`, which fits its address too."""
    methods: frozenset[str]


def allowed(app: FastAPI, path: str) -> str:
    templates = _templates(app)
    fitting = templates.plain.get(path) or [one for one in templates.others if one.fits.fullmatch(path)]
    most = max((one.letters for one in fitting), default=0)
    return ", ".join(sorted(frozenset().union(*(one.methods for one in fitting if one.letters == most))))


class _Templates(NamedTuple):
    plain: dict[str, list[_Template]]
    """Without places: no other is as particular."""
    others: list[_Template]


@lru_cache(maxsize=4)
def _templates(app: FastAPI) -> _Templates:
    found = _Templates(defaultdict(list), [])
    for context in iter_route_contexts(app.routes):
        path = context.path
        if path and context.methods:
            known = found.others if _PLACE.search(path) else found.plain[path]
            known.append(_Template(compile_path(path)[0], len(_PLACE.sub("", path)), frozenset(context.methods)))
    return found._replace(plain=dict(found.plain))
