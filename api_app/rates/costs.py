"""What a call costs: one, or more where one request does the work of many."""

from __future__ import annotations

import re
from typing import Final

USUAL: Final = 1
MANY: Final = 10
"""Up to a thousand rows, or a ZIP, in one request."""
JOBS: Final = 20
"""Up to a thousand jobs, each of which will run."""
_COSTS: Final = (
    ("POST", re.compile(r"/api/v1/uploads:(?:batch|sign|complete)"), MANY),
    ("POST", re.compile(r"/api/v1/jobs:batch"), JOBS),
    ("POST", re.compile(r"/api/v1/bulk(?::preview)?"), MANY),
    ("POST", re.compile(r"/api/v1/files:zip"), MANY),
    ("GET", re.compile(r"/api/v1/jobs/[^/]+/results\.zip"), MANY),
    ("POST", re.compile(r"/api/v1/webhooks/[^/]+/replay"), MANY),
)


def cost_of(method: str, path: str) -> int:
    return next((cost for verb, of, cost in _COSTS if verb == method and of.fullmatch(path)), USUAL)
