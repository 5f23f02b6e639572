"""The JSON of /api/runner/v1 (docs/design/0001, section 4). What a runner says is checked like anybody's word."""

import math
import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from api_app.json_types import AS_NUMBER, MOST, Flag, Number, Whole
from orchestration.states import FailureKind

MAX_OUTPUTS: Final = 20_000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# A part that is neither empty nor a step up, without a backslash or a control character.
_PART: Final = r"(?:[^./\\\x00-\x1f\x7f]|\.[^./\\\x00-\x1f\x7f]|\.\.[^/\\\x00-\x1f\x7f])[^/\\\x00-\x1f\x7f]*"


def _storable(text: Any) -> Any:
    """A step prints what it likes, and its words must not end the step: what cannot be stored is replaced."""
    return _UNSTORABLE.sub("�", text) if isinstance(text, str) else text


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


Said = Annotated[str, BeforeValidator(_storable)]
Path = Annotated[str, Field(max_length=1024, pattern=rf"^{_PART}(?:/{_PART})*$")]
Size = Annotated[int, Field(ge=0, le=MOST), AS_NUMBER]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Progress = Annotated[Number | None, AfterValidator(_finite)]


class ClaimIn(BaseModel):
    """What Batch has told the container of itself, and how many items of its slice are done."""

    runner: Annotated[str, Field(max_length=32)] = ""
    batch_job: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,80}$")]
    batch_attempt: Annotated[int, Field(ge=1, le=1_000), AS_NUMBER]
    child: Annotated[int, Field(ge=0, lt=10_000), AS_NUMBER] = 0
    done: Annotated[int, Field(ge=0, le=10_000), AS_NUMBER] = 0


class ClaimOut(BaseModel):
    """A runner token and what `done` is after it, or how the slice has ended."""

    token: str | None
    done: int
    end: Literal["succeeded", "failed", "again"] | None
    detail: str


class StartIn(BaseModel):
    runner: Annotated[str, Field(max_length=32)] = ""
    host: Annotated[str, Field(max_length=255)] = ""
    pid: Whole = 0


class HeartbeatIn(BaseModel):
    progress: Progress = None
    message: Said | None = None
    memory_bytes: Whole | None = None


class HeartbeatOut(BaseModel):
    cancel: bool


class LogOut(BaseModel):
    end: int


class SlotFile(BaseModel):
    path: Path
    size: Size
    sha256: Sha256


class SlotsIn(BaseModel):
    """`first` is the number of the first file among all outputs, when they are asked for in several calls."""

    files: Annotated[list[SlotFile], Field(max_length=MAX_OUTPUTS)]
    first: Annotated[int, Field(ge=0, le=MAX_OUTPUTS), AS_NUMBER] = 0


class SlotOut(BaseModel):
    path: str
    url: str
    method: str
    headers: dict[str, str]


class SlotsOut(BaseModel):
    slots: list[SlotOut]


class OutputIn(SlotFile):
    media_type: Annotated[str, Field(max_length=255, pattern=r"^[\w.+-]+/[\w.+-]+(;[ \w.+=-]*)?$")]


class PhaseIn(BaseModel):
    """When it began and ended, in seconds since 1970."""

    name: Literal["inputs", "command", "outputs"]
    began: Annotated[float, Field(ge=0, le=MOST), AS_NUMBER]
    ended: Annotated[float, Field(ge=0, le=MOST), AS_NUMBER]


class FinishIn(BaseModel):
    outcome: Literal["succeeded", "failed", "canceled", "timed_out"]
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31), AS_NUMBER] | None = None
    signal: Whole | None = None
    failure_kind: FailureKind | None = None
    detail: Said = ""
    retry: Flag = False
    outputs: Annotated[list[OutputIn], Field(max_length=MAX_OUTPUTS)] = []
    phases: Annotated[list[PhaseIn], Field(max_length=3)] = []
    usage: Annotated[dict[Annotated[str, Field(max_length=64)], Number], Field(max_length=32)] = {}
