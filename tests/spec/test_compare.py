"""What differs between two versions, in the words of pipeline.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.spec.compare import Change, compare
from orchestration.spec.parse import parse_pipeline

if TYPE_CHECKING:
    from orchestration.spec.model import PipelineSpec

OLD = """\
pipeline: thumbs
version: 1.0.0
title: Make thumbnails
accepts: {types: [image/png]}
params:
  type: object
  properties:
    size: {type: integer, minimum: 16, default: 256}
    gone: {type: boolean, default: false}
steps:
  - {name: scale, command: [scale], image: "example/scale@sha256:%s", resources: {memory: 1GiB}, timeout: 10m}
  - {name: pack, command: [pack], needs: [scale]}
"""
A, B = "a" * 64, "b" * 64


def spec(text: str) -> PipelineSpec:
    return parse_pipeline(text, file="pipeline.yaml")


def test_same_thing_differs_in_nothing() -> None:
    again = OLD.replace("version: 1.0.0", "version: 1.0.1  # the same").replace("timeout: 10m", "timeout: 600s")
    assert not compare(spec(OLD % A), spec(again % A))


def test_parameters_steps_and_digests_that_differ_are_named() -> None:
    new = (
        OLD.replace("default: 256}", "default: 512}")
        .replace("    gone: {type: boolean, default: false}\n", "    words: {type: string}\n  required: [words]\n")
        .replace("memory: 1GiB", "memory: 2GiB")
        .replace("timeout: 10m", "timeout: 15m")
        .replace("{name: pack, command: [pack], needs: [scale]}", "{name: sum, command: [sum], needs: [scale]}")
        .replace("types: [image/png]", "types: [image/png, image/jpeg]")
    )
    found = compare(spec(OLD % A), spec(new % B))
    assert Change("size.default", "256", "512") in found.params
    assert Change("gone", "type: boolean, default: false", "") in found.params
    assert Change("words", "", "type: string, required: true") in found.params
    assert len(found.params) == 3
    assert found.steps[:3] == [
        Change("scale.image", f"example/scale@sha256:{A}", f"example/scale@sha256:{B}"),
        Change("scale.resources.memory", "1GiB", "2GiB"),
        Change("scale.timeout", "600 s", "900 s"),
    ]
    assert [(one.what, bool(one.old), bool(one.new)) for one in found.steps[3:]] == [
        ("pack", True, False),
        ("sum", False, True),
    ]
    assert found.about == [Change("accepts.types", "image/png", "image/png image/jpeg")]
