import json
from pathlib import Path

import pytest

from orchestration.spec.model import PipelineSpec
from orchestration.spec.parse import parse_pipeline

EXAMPLES = sorted(Path(__file__).with_name("examples").glob("*.yaml"))


def through_jsonb(data: dict[str, object]) -> dict[str, object]:
    """As PostgreSQL gives it back: the keys of every object sorted."""
    stored: dict[str, object] = json.loads(json.dumps(data, sort_keys=True, allow_nan=False))
    return stored


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_spec_survives_the_database(path: Path) -> None:
    spec = parse_pipeline(path.read_text(), file=path.name)

    again = PipelineSpec.from_json(through_jsonb(spec.to_json()))

    assert again == spec
    assert hash(again) == hash(spec)
    assert again.to_json() == spec.to_json()


def test_form_keeps_the_order_of_the_file() -> None:
    spec = parse_pipeline(EXAMPLES[1].read_text(), file="image-set.yaml")

    again = PipelineSpec.from_json(through_jsonb(spec.to_json()))

    assert list(again.params["properties"]) == ["album", "widths", "format", "quality", "strip_gps"]
    assert "x-order" not in again.params


def test_stored_form_is_plain_and_carries_its_units() -> None:
    data = parse_pipeline(EXAMPLES[3].read_text(), file="tabular-profile.yaml").to_json()

    assert data["title"] == {"en": "Profile a table", "pt-BR": "Perfil de uma tabela"}
    assert data["accepts"]["max_size_bytes"] == 5 * 2**30
    assert data["steps"][0]["resources"]["memory_bytes"] == 2 * 2**30
    assert data["steps"][0]["tolerate"] == {"failed_items": None, "failed_basis_points": 500}
    assert data["steps"][1]["spot"] is None
    assert data["retention_days"] == 1825


def test_row_of_another_release_is_still_read() -> None:
    data = {
        "name": "ab",
        "version": "1.0.0",
        "title": {"en": "ab"},
        "description": {},
        "params": {"type": "object", "properties": {}},
        "steps": [{"name": "one", "title": {}, "command": ["run"], "cache": True, "retry": {"jitter": 1}}],
        "colour": "red",
    }

    spec = PipelineSpec.from_json(data)

    assert spec.step("one").timeout_s == 3600
    assert spec.step("one").title.text("pt-BR") == ""


def test_unknown_step_is_an_error() -> None:
    spec = parse_pipeline(EXAMPLES[0].read_text(), file="")
    with pytest.raises(KeyError):
        spec.step("nothing")
