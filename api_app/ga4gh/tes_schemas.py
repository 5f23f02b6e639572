"""The JSON of TES 1.1, in and out: one shape for both. What is left out stays out, which old clients rely on."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api_app.ga4gh.service import Service
from api_app.ga4gh.states import State
from api_app.json_types import AS_NUMBER, Flag
from api_app.schemas import PLAIN, Labels, Name

MOST_FILES = 10_000
MOST_EXECUTORS = 32
MOST_WORDS = 10_000
LONGEST_CONTENT = 4 << 20

Text = Annotated[str, Field(max_length=2_000, pattern=PLAIN)]
Path = Annotated[
    str,
    # The service says it in better words; the document has to say it too.
    Field(
        min_length=1, max_length=1_000, pattern=PLAIN, json_schema_extra={"pattern": r"^/[^\x00-\x08\x0b-\x1f\x7f]*$"}
    ),
]
Word = Annotated[str, Field(max_length=128 << 10, pattern=r"^[^\x00]*$")]
Variable = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00=]+$")]


class View(StrEnum):
    MINIMAL = "MINIMAL"
    BASIC = "BASIC"
    FULL = "FULL"


class FileType(StrEnum):
    FILE = "FILE"
    DIRECTORY = "DIRECTORY"


class TesInput(BaseModel):
    name: Text | None = None
    description: Text | None = None
    url: Text | None = None
    path: Path
    type: FileType = FileType.FILE
    content: Annotated[str, Field(max_length=LONGEST_CONTENT)] | None = None
    streamable: Flag | None = None


class TesOutput(BaseModel):
    name: Text | None = None
    description: Text | None = None
    url: Text
    path: Path
    path_prefix: Path | None = None
    type: FileType = FileType.FILE


class TesResources(BaseModel):
    cpu_cores: Annotated[int, Field(ge=1, le=1_024), AS_NUMBER] | None = None
    preemptible: Flag | None = None
    ram_gb: Annotated[float, Field(gt=0, le=16_384), AS_NUMBER] | None = None
    disk_gb: Annotated[float, Field(gt=0, le=65_536), AS_NUMBER] | None = None
    zones: Annotated[list[Text], Field(max_length=100)] | None = None


class TesResourcesIn(TesResources):
    backend_parameters: dict[str, Any] | None = None
    backend_parameters_strict: Flag | None = None


class TesExecutor(BaseModel):
    image: Annotated[str, Field(min_length=1, max_length=300, pattern=PLAIN)]
    command: Annotated[list[Word], Field(min_length=1, max_length=MOST_WORDS)]
    workdir: Path | None = None
    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None
    env: dict[Variable, Word] | None = None
    ignore_error: Flag | None = None


class TesTaskIn(BaseModel):
    """Fields that the server sets are passed over, as are those of later versions of the standard."""

    name: Name | None = None
    description: Text | None = None
    inputs: Annotated[list[TesInput], Field(max_length=MOST_FILES)] | None = None
    outputs: Annotated[list[TesOutput], Field(max_length=MOST_FILES)] | None = None
    resources: TesResourcesIn | None = None
    executors: Annotated[list[TesExecutor], Field(min_length=1, max_length=MOST_EXECUTORS)]
    volumes: Annotated[list[Path], Field(max_length=100)] | None = None
    tags: Labels | None = None


class TesExecutorLog(BaseModel):
    start_time: datetime | None = None
    end_time: datetime | None = None
    stdout: str | None = None
    exit_code: int


class TesOutputFileLog(BaseModel):
    """The size as a text: JSON's numbers are not made for it, says the standard."""

    url: str
    path: str
    size_bytes: str


class TesTaskLog(BaseModel):
    logs: list[TesExecutorLog]
    metadata: dict[str, str]
    start_time: datetime | None = None
    end_time: datetime | None = None
    outputs: list[TesOutputFileLog]
    system_logs: list[str] | None = None


class TesTask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    state: State
    name: str | None = None
    description: str | None = None
    inputs: list[TesInput] | None = None
    outputs: list[TesOutput] | None = None
    resources: TesResources | None = None
    executors: list[TesExecutor] | None = None
    volumes: list[str] | None = None
    tags: dict[str, str] | None = None
    logs: list[TesTaskLog] | None = None
    creation_time: datetime | None = None


class TesTasks(BaseModel):
    tasks: list[TesTask]
    next_page_token: str | None = None


class TesId(BaseModel):
    id: str


class TesCanceled(BaseModel):
    """Nothing, says the standard."""


class TesServiceInfo(Service):
    storage: list[str]
    tesResources_backend_parameters: list[str]  # noqa: N815  # as GA4GH spells it
