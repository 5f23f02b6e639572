"""Whether this process was told to end: what may take long gives back what it has, and somebody else goes on."""

from __future__ import annotations

_state = {"told": False}


def tell(*, to_end: bool = True) -> None:
    _state["told"] = to_end


def is_told() -> bool:
    return _state["told"]
