from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from orchestration.spec.reference import markdown
from orchestration.spec.schema import PIPELINE_SCHEMA


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All parts of the schema, defaults and examples left out."""
    if isinstance(value, dict):
        yield value
        below = [part for key, part in value.items() if key not in {"default", "examples"}]
    else:
        below = value if isinstance(value, list) else []
    for part in below:
        yield from objects(part)


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(PIPELINE_SCHEMA)


def test_every_mapping_with_keys_of_ours_refuses_others() -> None:
    strict = [part for part in objects(PIPELINE_SCHEMA) if isinstance(part.get("properties"), dict) and "type" in part]
    ours = [part for part in strict if part["type"] == "object"]

    assert len(ours) >= 8
    assert all(part["additionalProperties"] is False for part in ours)


def test_every_key_is_explained_to_editors() -> None:
    keys = [
        key
        for part in objects(PIPELINE_SCHEMA)
        if part.get("type") == "object"
        for key in part.get("properties", {}).items()
    ]

    assert len(keys) > 50
    assert [name for name, rule in keys if not rule.get("title") or not rule.get("description")] == []


def test_every_pattern_is_guarded_by_a_length_and_explained() -> None:
    """A pattern on a text of any length is a way to keep the server busy."""
    patterns = [part for part in objects(PIPELINE_SCHEMA) if isinstance(part.get("pattern"), str)]

    assert len(patterns) >= 10
    assert [part for part in patterns if "maxLength" not in part or "errorMessage" not in part] == []


def test_every_list_without_repetitions_has_a_bound() -> None:
    assert [
        part for part in objects(PIPELINE_SCHEMA) if part.get("uniqueItems") is True and "maxItems" not in part
    ] == []


def test_reference_has_a_row_for_every_key() -> None:
    text = markdown()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]

    assert {"`pipeline`", "`accepts.max_size`", "`results.retention`", "`resources.memory`"} <= {
        row[1].strip() for row in rows
    }
    assert {"`tolerate.failed_items`", "`retry.on`", "`exclusiveMinimum`"} <= {row[1].strip() for row in rows}
    assert all(len(row) == 6 for row in rows)
    assert "| `resources.memory` | size, ≥ 32MiB, ≤ 24TiB | `1GiB` |" in text
    assert '| `accepts.types` | list of text | `["*/*"]` |' in text
    assert "| `steps` | list of step | required |" in text


def test_reference_is_the_same_each_time() -> None:
    assert markdown() == markdown()
