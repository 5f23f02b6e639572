"""What the answer to a PUT means, from the platform or from S3 (docs/design/0003, end of section 1)."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

import httpx

from api_app.client.problems import problem_of, retry_after_s
from api_app.client.trying import PASSING

_DAMAGED: Final = frozenset({"checksum_mismatch", "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"})
_EXPIRED: Final = frozenset({"signature_expired", "ExpiredToken", "RequestExpired"})
# S3 says 400 to a connection that stalled or broke off.
_CUT: Final = frozenset({"RequestTimeout", "IncompleteBody"})


class Verdict(Enum):
    ARRIVED = "the platform has these bytes"
    SIGN = "the address is no longer good: ask for another"
    READ = "other bytes arrived than were announced: read them again"
    LOOK = "the upload is not what we think: look at it"
    WAIT = "not now"
    NEVER = "no"


@dataclass(frozen=True, slots=True)
class Answer:
    verdict: Verdict
    code: str = ""
    told: str = ""
    wait_s: float = 0


def read_answer(response: httpx.Response) -> Answer:
    code, told = _said(response)
    verdict = _verdict(response.status_code, code, told)
    return Answer(verdict, code, told or f"HTTP {response.status_code}", retry_after_s(response))


def _verdict(status: int, code: str, told: str) -> Verdict:
    # 412 answers `If-None-Match: *`: an object is there, and only these bytes could be put there.
    if 200 <= status < 300 or status == httpx.codes.PRECONDITION_FAILED:  # noqa: PLR2004 - the whole class of success
        return Verdict.ARRIVED
    if code in _EXPIRED or (code == "AccessDenied" and "expired" in told.lower()):
        return Verdict.SIGN
    if code in _DAMAGED:
        return Verdict.READ
    if status in {404, 409, 410}:
        return Verdict.LOOK
    if status in PASSING or code in _CUT:
        return Verdict.WAIT
    return Verdict.NEVER


def _said(response: httpx.Response) -> tuple[str, str]:
    problem = problem_of(response)
    if problem is not None:
        return str(problem.get("code", "")), str(problem.get("detail") or problem.get("title") or "")
    return _in_xml("Code", response.text), _in_xml("Message", response.text)


def _in_xml(name: str, text: str) -> str:
    """S3's errors are flat, so a name stands for one text; whoever answers, nothing of it is expanded."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""
