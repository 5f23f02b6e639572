"""Of whom a call comes, for what is written down about it: bound by the outermost layers, empty elsewhere."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

current_request: Final[ContextVar[str]] = ContextVar("request_id", default="")
current_address: Final[ContextVar[str]] = ContextVar("address", default="")
