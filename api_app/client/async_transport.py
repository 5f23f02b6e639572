"""The HTTP connection of whoever awaits. Decides nothing: what is tried again and when, `trying` says."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import httpx

from api_app.client.calls import Call, Reads
from api_app.client.problems import json_body
from api_app.client.trying import (
    Patience,
    Pause,
    Repeat,
    Trying,
    for_httpx,
    for_platform,
    storage_fault,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api_app.client.credentials import Credentials
    from api_app.client.transport import Notice


class AsyncTransport:
    def __init__(self, login: Credentials, *, patience_s: float, notice: Notice) -> None:
        self.login = login
        self.trying = Trying(login, patience_s=patience_s)
        self.notice = notice
        self._http = httpx.AsyncClient(**for_platform(login))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask[T](self, call: Call[T]) -> T:
        if call.reads is Reads.BYTES:
            return cast("T", await self._bytes(call))
        response = await self.send(call)
        return cast("T", json_body(response, self.login) if call.reads is Reads.JSON else None)

    async def _bytes(self, call: Call[Any]) -> bytes:
        patience = Patience()
        while True:
            try:
                response = await self.send(call, leads_on=True)
                if not response.has_redirect_location:
                    return response.content
                return await self._stored(response.headers["location"])
            except httpx.TransportError as fault:
                await self._sleep(self.trying.after_fault(fault, patience))

    @staticmethod
    async def _stored(address: str) -> bytes:
        # Without our token: the address is the permission.
        async with httpx.AsyncClient(**for_httpx(address)) as other:
            response = await other.get(address)
        if fault := storage_fault(response):
            raise fault
        return response.content

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        """One try. Raises what the platform refuses, and httpx.HTTPError."""
        request = self._http.build_request("GET", path, **options)
        response = await self._answer(request, Patience(), Repeat.NEVER, stream=True)
        if response is None:
            raise AssertionError(Repeat.NEVER)
        try:
            yield response
        finally:
            await response.aclose()

    async def send(self, call: Call[Any], *, leads_on: bool = False) -> httpx.Response:
        """Try until there is an answer worth having."""
        patience = Patience()
        while True:
            request = self._http.build_request(call.method, call.path, **call.options())
            response = await self._answer(request, patience, call.repeat, leads_on=leads_on)
            if response is not None:
                return response

    async def _answer(
        self,
        request: httpx.Request,
        patience: Patience,
        repeat: Repeat,
        *,
        stream: bool = False,
        leads_on: bool = False,
    ) -> httpx.Response | None:
        """One try and the pause after it, if it has to be done again: None."""
        began = time.monotonic()
        try:
            response = await self._http.send(request, stream=stream)
        except httpx.TransportError as fault:
            pause = self.trying.after_fault(fault, patience, repeat, took_s=time.monotonic() - began)
        else:
            self.trying.is_reached = True
            if response.is_success or (leads_on and response.has_redirect_location):
                return response
            await self._read(response)
            pause = self.trying.after_refusal(response, patience, repeat)
        await self._sleep(pause)
        return None

    async def _read(self, response: httpx.Response) -> None:
        try:
            await response.aread()
        except httpx.TransportError as fault:
            raise self.trying.unreachable(fault) from fault
        finally:
            await response.aclose()

    async def _sleep(self, pause: Pause) -> None:
        if pause.told:
            self.notice(pause.told)
        await asyncio.sleep(pause.seconds)
