"""Faults between a client and AWS: each try of a request has its fate, and botocore's own retries see it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable


class Fate(Enum):
    THROUGH = ""
    LOST_REPLY = "it arrives, and its answer is lost"
    NO_WAY = "it never arrives"
    THROTTLED = "ThrottlingException"
    BROKEN = "InternalFailure"
    DENIED = "AccessDeniedException"
    INVALID = "InvalidName"


_STATUS: Final = {Fate.THROTTLED: 400, Fate.BROKEN: 500, Fate.DENIED: 403, Fate.INVALID: 400}


@dataclass(slots=True)
class Wire:
    """`fate` is asked once for each try of the operation; what arrives is taken one at a time, as AWS seems to."""

    operation: str
    fate: Callable[[], Fate]
    tries: int = 0
    arrived: int = 0
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def between(self, client: Any) -> None:
        """In the place of any other wire."""
        endpoint: Any = client._endpoint
        send = type(endpoint)._get_response.__get__(endpoint)

        def through(request: Any, model: Any, context: Any) -> Any:
            if model.name != self.operation:
                return send(request, model, context)
            with self._one_at_a_time:
                self.tries += 1
                return self._meet(self.fate(), request.url, lambda: send(request, model, context))

        endpoint._get_response = through

    def _meet(self, fate: Fate, url: str, send: Callable[[], Any]) -> Any:
        match fate:
            case Fate.THROUGH:
                self.arrived += 1
                return send()
            case Fate.LOST_REPLY:
                self.arrived += 1
                send()
                return None, ReadTimeoutError(endpoint_url=url)
            case Fate.NO_WAY:
                return None, ConnectTimeoutError(endpoint_url=url)
        status = _STATUS[fate]
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "r"}
        said = {"Error": {"Code": fate.value, "Message": "Not so."}, "ResponseMetadata": metadata}
        return (AWSResponse(url, status, HTTPHeaders(), None), said), None
