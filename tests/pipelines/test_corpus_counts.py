"""The corpus is as wide as the pipelines promise: enough files of every type that they accept, all with a source."""

import hashlib
import re
from collections import Counter

import pytest
import yaml

from orchestration.media_types import HEAD_BYTES, detect
from tests.pipelines.corpus_files import CORPUS, family
from tests.pipelines.step_contract import PIPELINES

LEAST_OF_A_TYPE = 20
LEAST_BROKEN = 10
PIPELINE_OF = {"tabular": "tabular-profile", "images": "image-set", "documents": "document-text"}
# Other names of a type, which clients send and detection never gives.
ALIASES = {
    "application/csv": "text/csv",
    "application/x-ndjson": "application/jsonl",
    "image/x-ms-bmp": "image/bmp",
}


def accepted(name: str) -> list[str]:
    spec = yaml.safe_load((PIPELINES / PIPELINE_OF[name] / "pipeline.yaml").read_text())
    return list(spec["accepts"]["types"])


def counted(name: str) -> Counter[str]:
    return Counter(detect(path.name, path.read_bytes()[:HEAD_BYTES]) for path in family(name))


@pytest.mark.parametrize("name", PIPELINE_OF)
def test_every_accepted_type_has_enough_files(name: str) -> None:
    counts = counted(name)

    found = {media_type: counts[ALIASES.get(media_type, media_type)] for media_type in accepted(name)}
    assert {media_type: count for media_type, count in found.items() if count < LEAST_OF_A_TYPE} == {}


@pytest.mark.parametrize("name", PIPELINE_OF)
def test_every_good_file_is_of_an_accepted_type(name: str) -> None:
    assert set(counted(name)) <= set(accepted(name))


@pytest.mark.parametrize("name", [*PIPELINE_OF, "archives"])
def test_every_family_has_enough_broken_files(name: str) -> None:
    assert len(family(f"broken/{name}")) >= LEAST_BROKEN


@pytest.mark.parametrize("name", PIPELINE_OF)
def test_no_file_is_counted_twice(name: str) -> None:
    digests = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in family(name))

    assert [digest for digest, count in digests.items() if count > 1] == []


@pytest.mark.parametrize("name", [*PIPELINE_OF, "archives", *(f"broken/{each}" for each in [*PIPELINE_OF, "archives"])])
def test_every_file_has_a_source(name: str) -> None:
    _, _, rest = (CORPUS / "SOURCES.md").read_text().partition(f"\n## {name}\n")
    rows: list[str] = re.findall(r"(?m)^\| `(.+?)` \| .+ \|$", rest.partition("\n## ")[0])

    assert sorted(rows) == [path.name for path in family(name)]
