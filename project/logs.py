"""One log line is one JSON object: an event with ids, no prose assembled from values."""

import json
import logging
import time
from functools import lru_cache
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_encode = json.JSONEncoder(default=str).encode


@lru_cache(maxsize=4)
def _second(of_epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(of_epoch))


class JsonFormatter(logging.Formatter):
    """Control characters come out escaped, so nobody can forge a second line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)
