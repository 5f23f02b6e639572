"""The HTTP connection of whoever waits in a thread."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, Self, cast

import httpx

from api_app.client.calls import Call, Reads
from api_app.client.credentials import Credentials
from api_app.client.problems import json_body
from api_app.client.sockets import Sockets
from api_app.client.trying import Patience, Pause, Repeat, Trying, for_httpx, for_platform, origin_of, storage_fault

type Notice = Callable[[str], None]
type Body = Callable[[], Iterable[bytes]]


class Transport:
    def __init__(self, login: Credentials, *, patience_s: float, notice: Notice) -> None:
        self.login = login
        self.trying = Trying(login, patience_s=patience_s)
        self.notice = notice
        self.stopped = threading.Event()
        self.stops = set[Callable[[], None]]()
        """What else has to end when this is stopped."""
        self._sockets = Sockets()
        self._others: dict[str, httpx.Client] = {}
        self._http = httpx.Client(**for_platform(login))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for client in (self._http, *self._others.values()):
            client.close()

    def stop(self) -> None:
        """From any thread, for good: whatever runs ends at its next step, with StoppedError or a broken connection."""
        self.stopped.set()
        self._sockets.cut()
        for stop in list(self.stops):
            stop()

    def patience(self) -> Patience:
        return Patience(self.stopped)

    def ask[T](self, call: Call[T], *, auth: httpx.Auth | None = None) -> T:
        if call.reads is Reads.BYTES:
            return cast("T", self._bytes(call))
        response = self.answer(call, auth=auth)
        return cast("T", json_body(response, self.login) if call.reads is Reads.JSON else None)

    def answer(self, call: Call[Any], *, auth: httpx.Auth | None = None) -> httpx.Response:
        return self.send(call.method, call.path, repeat=call.repeat, auth=auth, **call.options())

    def _bytes(self, call: Call[Any]) -> bytes:
        patience, options = self.patience(), call.options()
        while True:
            try:
                with closing(self.fetch(call.path, method=call.method, repeat=call.repeat, **options)) as response:
                    return response.read()
            except httpx.TransportError as fault:
                self.wait_or_raise(fault, patience)

    def fetch(self, path: str, headers: dict[str, str], *, method: str = "GET", **options: Any) -> httpx.Response:
        """Bytes as a stream, from the platform or from the object storage it names; the caller closes it.

        Raises ProblemError for what the platform refuses, and TransportError, which passes, for a storage in trouble.
        """
        response = self.send(method, path, headers=headers, stream=True, leads_on=True, **options)
        if not response.has_redirect_location:
            return response
        address = response.headers["location"]
        response.close()
        client = self._other(address)
        request = client.build_request("GET", address, headers=headers, extensions=self._sockets.traced)
        response = client.send(request, stream=True)
        if fault := storage_fault(response):
            response.close()
            raise fault
        return response

    def _other(self, address: str) -> httpx.Client:
        origin = origin_of(address)
        if origin not in self._others:
            # Without our token: the address is the permission.
            self._others[origin] = httpx.Client(**for_httpx(address))
        return self._others[origin]

    def json(self, method: str, path: str, *, repeat: Repeat = Repeat.ALWAYS, **options: Any) -> Any:
        return json_body(self.send(method, path, repeat=repeat, **options), self.login)

    def send(
        self,
        method: str,
        path: str,
        *,
        repeat: Repeat = Repeat.ALWAYS,
        body: Body | None = None,
        stream: bool = False,
        leads_on: bool = False,
        auth: httpx.Auth | None = None,
        patience: Patience | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Try until there is an answer worth having. With `stream` the caller closes the response."""
        patience = patience or self.patience()
        options["extensions"] = self._sockets.traced
        while True:
            request = self._http.build_request(method, path, content=body() if body else None, **options)
            began = time.monotonic()
            try:
                response = self._http.send(request, stream=stream, auth=auth)
            except httpx.TransportError as fault:
                self.wait_or_raise(fault, patience, repeat, took_s=time.monotonic() - began)
                continue
            self.trying.is_reached = True
            if response.is_success or (leads_on and response.has_redirect_location):
                return response
            self._wait_or_refuse(response, patience, repeat)

    def wait_or_raise(
        self, fault: httpx.TransportError, patience: Patience, repeat: Repeat = Repeat.ALWAYS, *, took_s: float = 0
    ) -> None:
        self._sleep(patience, self.trying.after_fault(fault, patience, repeat, took_s=took_s))

    def _wait_or_refuse(self, response: httpx.Response, patience: Patience, repeat: Repeat) -> None:
        try:
            response.read()
        except httpx.TransportError as fault:
            raise self.trying.unreachable(fault) from fault
        finally:
            response.close()
        self._sleep(patience, self.trying.after_refusal(response, patience, repeat))

    def _sleep(self, patience: Patience, pause: Pause) -> None:
        if pause.told:
            self.notice(pause.told)
        patience.sleep(pause.seconds)
