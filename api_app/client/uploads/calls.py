"""The calls of the upload resource. All of them may be repeated, so they go on until they get through."""

from __future__ import annotations

import math
import secrets
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, cast

import httpx

from api_app.client.errors import EsteiraError, FileChangedError, ProblemError, StoppedError, UploadEndedError
from api_app.client.problems import json_body, retry_after_s
from api_app.client.trying import Patience, Repeat
from api_app.client.uploads.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import Config, File, Me, Put, Upload
    from api_app.client.transport import Transport

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
ASK_AGAIN_S = 2.0
CHECKSUM: Final = "x-amz-checksum-crc64nvme"
MOVED: Final = frozenset({404, 409, 410})
BRIEFLY: Final = {"Prefer": "return=minimal"}
"""Of what goes its usual way only id, state, put and file; a platform that does not know the word says more."""

type Json = dict[str, Any]


class Stubborn(Patience):
    """Without end while the platform has been there: it restarts, and hours of sending must not be lost to that."""

    def __init__(self, stopped: threading.Event) -> None:
        super().__init__(stopped, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)

    def budget_s(self, usual_s: float) -> float:  # noqa: ARG002 - the base class's signature
        return math.inf

    def next_s(self, at_least_s: float) -> float:
        return self.pause(at_least_s=at_least_s, within_s=math.inf) or 0.0


class Calls:
    def __init__(self, transport: Transport, workspace: str | None) -> None:
        self.transport = transport
        self.lines = Lines(transport.login.url)
        self.stopped = threading.Event()
        self._place = {"workspace": workspace} if workspace else {}
        self.checksums: list[str] = []

    def __enter__(self) -> Self:
        self.transport.stops.add(self.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.stops.discard(self.stop)
        self.lines.close()

    def stop(self) -> None:
        self.stopped.set()
        self.lines.cut()

    def config(self) -> Config:
        found = cast("Config", self._ask("GET", "uploads/config"))
        self.checksums = found["checksums"]
        return found

    def create(self, wanted: Json, *, key: str = "") -> Upload:
        headers = {"Idempotency-Key": key} if key else {}
        return cast("Upload", self._ask("POST", "uploads", json=wanted | self._place, headers=headers))

    def create_many(self, wanted: Sequence[Json]) -> list[Json]:
        body = {"uploads": list(wanted)} | self._place
        # With its slash: what stands before a colon would be read as a scheme.
        return cast("list[Json]", self._ask("POST", "/uploads:batch", json=body, headers=BRIEFLY)["results"])

    def show(self, upload_id: str) -> Upload:
        try:
            return cast("Upload", self._ask("GET", f"uploads/{upload_id}"))
        except ProblemError as problem:
            if problem.status != 404:  # noqa: PLR2004 - the one that says: forgotten
                raise
            raise UploadEndedError("The platform does not know the upload any more.", state="gone") from problem

    def sign(self, upload_id: str, parts: Sequence[Json]) -> list[Put]:
        try:
            answer = self._ask("POST", f"uploads/{upload_id}/parts", json={"parts": list(parts)})
        except ProblemError as problem:
            if problem.status in MOVED:
                self.open_upload(upload_id)
            raise
        return cast("list[Put]", answer["parts"])

    def open_upload(self, upload_id: str) -> Upload:
        """Its state now. Raises UploadEndedError when it takes no more bytes."""
        upload = self.show(upload_id)
        if upload["state"] != "open":
            raise ended(upload)
        return upload

    def complete(self, upload_id: str, body: Json) -> Upload:
        """Complete, or with its failure. Raises ProblemError `parts_missing`."""
        try:
            answer = self._send("POST", f"uploads/{upload_id}/complete", json=body)
        except ProblemError as problem:
            if problem.status not in MOVED or problem.code == "parts_missing":
                raise
            return self.settled(self.show(upload_id))
        upload = cast("Upload", json_body(answer, self.transport.login))
        return self.settled(upload, every_s=retry_after_s(answer))

    @cached_property
    def here(self) -> str:
        """The workspace that is sent to; "" where this token may not ask which that is."""
        if self._place:
            return self._place["workspace"]
        try:
            me = cast("Me", self._ask("GET", "me"))
        except ProblemError as problem:
            if problem.status != httpx.codes.FORBIDDEN:
                raise
            return ""
        return me["workspaces"][0]["slug"] if me["workspaces"] else ""

    def completed(self, asked: Json) -> Json:
        """A page of my complete uploads here, newest first."""
        params = {"state": "complete", "workspace": self.here} | asked
        return cast("Json", self._ask("GET", "uploads", params=params))

    def complete_many(self, ids: Sequence[str]) -> list[Json]:
        body = {"ids": list(ids)}
        return cast("list[Json]", self._ask("POST", "/uploads:complete", json=body, headers=BRIEFLY)["results"])

    def settled(self, upload: Upload, *, every_s: float = 0) -> Upload:
        """Object storage may take minutes to join the parts."""
        while upload["state"] == "completing":
            if self.stopped.wait(every_s or ASK_AGAIN_S):
                raise StoppedError
            upload = self.show(upload["id"])
        return upload

    def abort(self, upload_id: str) -> None:
        """As far as one try goes: an upload that nobody aborts expires by itself."""
        try:
            self.transport.send("DELETE", f"uploads/{upload_id}", repeat=Repeat.NEVER)
        except EsteiraError as fault:
            self.transport.notice(f"What arrived of it could not be deleted ({fault}); it expires by itself.")

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return json_body(self._send(method, path, **options), self.transport.login)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        if self.stopped.is_set():
            raise StoppedError
        patience = Stubborn(self.stopped)
        return self.transport.send(method, path, repeat=Repeat.THROUGH, patience=patience, **options)


def new_key() -> str:
    return secrets.token_urlsafe(24)


def ended(upload: Upload) -> EsteiraError:
    failure = upload["failure"]
    why = f": {failure['detail']}" if failure else "."
    return UploadEndedError(f"The upload of {upload['name']} is {upload['state']}{why}", state=upload["state"])


def file_of(upload: Upload, path: object) -> File:
    """Of an upload that takes no more bytes. Raises what became of it instead."""
    if upload["state"] == "complete" and upload["file"]:
        return upload["file"]
    if upload["state"] == "complete":
        raise UploadEndedError(f"{path} was sent, and then deleted there.", state="deleted")
    if upload["failure"] and upload["failure"]["code"] == "checksum_mismatch":
        raise FileChangedError(path)
    raise ended(upload)
