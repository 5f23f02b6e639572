"""Whether this process is on its way out: it answers what still comes, and tells whoever asks to go elsewhere."""

from __future__ import annotations

_state = {"draining": False}


def begin() -> None:
    _state["draining"] = True


def is_draining() -> bool:
    return _state["draining"]
