"""Plays scenario.json with the Python clients. README.md has the words."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
import zipfile
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api_app.client import AsyncClient, Client, ProblemError, signatures, verifying
from api_app.client.contract import files
from api_app.client.errors import EsteiraError
from api_app.client.states import FINISHED

SCENARIO: Final = Path(__file__).with_name("scenario.json")

type Json = dict[str, Any]
type Ask = Callable[[Any], Any]
"""From a client of either kind to what its method answers, at once or awaited."""


@dataclass(frozen=True)
class Watch:
    job_id: str
    timeout_s: float


type Playing = Generator[Ask | Watch, Any, Any]


class Play:
    def __init__(self, folder: Path, scenario: Path = SCENARIO) -> None:
        told = json.loads(scenario.read_text(encoding="utf-8"))
        self.steps: list[Json] = told["steps"]
        self._contents: dict[str, Json] = told["contents"]
        self._folder = folder
        self._mark = secrets.token_hex(6)
        self._made: dict[str, Any] = {}

    def step(self, step: Json) -> Playing:
        word = getattr(self, f"_{step['do']}", None)
        assert word, f"no such word: {step['do']}"
        try:
            answer = yield from word(**{key: value for key, value in step.items() if key not in WHATEVER})
        except EsteiraError as refusal:
            _expect_refusal(step, refusal)
            return
        assert "refused" not in step, "it was not refused"
        if "as" in step:
            self._made[step["as"]] = answer
        for name, value in step.get("expect", {}).items():
            is_met = set(value) <= set(answer[name]) if name == "holds" else answer[name] == value
            assert is_met, f"{name} is {answer[name]!r}"

    def _upload(self, *, content: str, name: str, path: str = "") -> Playing:
        source = self._contents[content]
        data = source["text"].encode() if "text" in source else base64.b64decode(source["base64"])
        data *= source.get("times", 1)
        return (yield lambda client: client.upload(iter([data]), name=name, path=path))

    def _run(self, *, pipeline: str, inputs: list[str], key: str = "", same_as: str = "", **options: Any) -> Playing:
        ids = [self._made[one]["id"] for one in inputs]
        options |= {"key": f"{key}-{self._mark}"} if key else {}
        job = yield lambda client: client.submit(pipeline, ids, **options)
        assert not same_as or job["id"] == self._made[same_as]["id"]
        return job

    def _watch(self, *, job: str, timeout_s: float) -> Playing:
        last = yield Watch(self._made[job]["id"], timeout_s)
        assert last["state"] in FINISHED, f"it ended with {last['state']}"
        return last

    def _cancel(self, *, job: str) -> Playing:
        return (yield lambda client: client.cancel(self._made[job]["id"]))

    def _retry(self, *, job: str) -> Playing:
        return (yield lambda client: client.retry(self._made[job]["id"]))

    def _fetch(self, *, file: str) -> Playing:
        data = yield lambda client: client.ask(files.download_file(self._made[file]["id"]))
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def _download(self, *, job: str) -> Playing:
        results = yield lambda client: client.results(self._made[job]["id"])
        folder = self._folder / secrets.token_hex(4)
        paths = yield lambda client: client.download_results(self._made[job]["id"], folder)
        for result, path in zip(results, paths, strict=True):
            data = path.read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (result["size"], result["sha256"])
        return {"names": sorted(one["name"] for one in results), "folder": folder}

    def _archive(self, *, job: str) -> Playing:
        target = self._folder / f"{secrets.token_hex(4)}.zip"
        path = yield lambda client: client.download_archive(self._made[job]["id"], target)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {"holds": archive.namelist()}

    def _verify(self, *, job: str, of: str, spoil: str = "", forge: str = "") -> Playing:
        envelope = yield lambda client: client.manifest(self._made[job]["id"])
        keys = signatures.read_keys((yield lambda client: client.signing_keys()))
        statement, _ = signatures.opened(_forged(envelope, forge) if forge else envelope, keys)
        subjects = [one for one in verifying.subjects_of(statement) if one.file]
        folder = self._made[of]["folder"]
        if spoil:
            path = folder / spoil
            kept = path.read_bytes()
            path.write_bytes(kept + b"!")
        verdict = verifying.check(subjects, verifying.Folder(folder))
        if spoil:
            path.write_bytes(kept)
        return {name: sorted(getattr(verdict, name)) for name in ("good", "changed", "missing")}


WHATEVER: Final = frozenset({"do", "as", "expect", "refused"})


def _expect_refusal(step: Json, refusal: EsteiraError) -> None:
    wanted = step.get("refused")
    if wanted is None:
        raise refusal
    found: Json = {"code": refusal.code}
    if isinstance(refusal, ProblemError):
        found |= {"status": refusal.status}
    assert {name: found.get(name) for name in wanted} == wanted, str(refusal)


def _forged(envelope: bytes, before: str) -> bytes:
    told = json.loads(envelope)
    payload = base64.b64decode(told["payload"]).decode()
    assert before in payload
    told["payload"] = base64.b64encode(payload.replace(before, f" {before}", 1).encode()).decode()
    return json.dumps(told).encode()


def play(client: Client, play: Play, step: Json) -> None:
    """One step, waiting in a thread."""

    def ask(wanted: Ask | Watch) -> Any:
        if not isinstance(wanted, Watch):
            return wanted(client)
        deadline = time.monotonic() + wanted.timeout_s
        for job in client.watch(wanted.job_id):
            last = job
            assert time.monotonic() < deadline, f"still {job['state']}"
        return last

    playing, answer, fault = play.step(step), None, None
    while True:
        try:
            wanted = playing.throw(fault) if fault else playing.send(answer)
        except StopIteration:
            return
        try:
            answer, fault = ask(wanted), None
        except EsteiraError as refusal:
            fault = refusal


async def play_awaited(client: AsyncClient, play: Play, step: Json) -> None:
    """The same, awaited."""

    async def ask(wanted: Ask | Watch) -> Any:
        if not isinstance(wanted, Watch):
            answer: Awaitable[Any] = wanted(client)
            return await answer
        async with asyncio.timeout(wanted.timeout_s):
            async for job in client.watch(wanted.job_id):
                last = job
        return last

    playing, answer, fault = play.step(step), None, None
    while True:
        try:
            wanted = playing.throw(fault) if fault else playing.send(answer)
        except StopIteration:
            return
        try:
            answer, fault = await ask(wanted), None
        except EsteiraError as refusal:
            fault = refusal
