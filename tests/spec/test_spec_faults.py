"""Each case in `bad/` is a pipeline.yaml whose lines say in a comment, after `#!`, what is wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.spec.parse import parse_pipeline
from orchestration.spec.problems import SpecError

BAD = Path(__file__).with_name("bad")

type Expected = tuple[int, str, str]


def cases() -> Iterator[tuple[str, str, list[Expected]]]:
    for path in sorted(BAD.glob("*.txt")):
        for case in re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]:
            name, _, body = case.partition("\n")
            lines, expected = list[str](), list[Expected]()
            for number, line in enumerate(body.splitlines(), start=1):
                text, *notes = re.split(r" *#! ", line)
                lines.append(text)
                for note in notes:
                    key, _, said = note.partition(": ")
                    expected.append((number, key.strip(), said))
            yield name, "\n".join(lines), expected


CASES = list(cases())


def faults(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, file="pipeline.yaml")
    return caught.value


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(CASES) >= 60
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_fault_is_named_with_line_and_key(text: str, expected: list[Expected]) -> None:
    found = faults(text).problems

    assert {(p.line, p.key) for p in found} == {(line, key) for line, key, _ in expected}, found
    assert len(found) == len(expected), found
    for line, key, said in expected:
        assert any(p.line == line and p.key == key and said in p.message for p in found), (said, found)


def test_a_problem_reads_like_a_compiler_s() -> None:
    text = "pipeline: ab\nversion: 1.0.0\nsteps:\n  - name: one\n    command: [run]\n    timeout: 15 minutes\n"

    error = faults(text)

    wanted = 'pipeline.yaml:6: steps[0].timeout: "15 minutes" is not a duration; write for example 15m, 2h or 90s'
    assert str(error) == wanted
    assert (error.problems[0].line, error.problems[0].column) == (6, 14)


def test_a_fault_of_the_whole_file_has_no_key() -> None:
    assert str(faults("")) == "pipeline.yaml:1: is empty; start with `pipeline:`"


@pytest.mark.parametrize(("character", "shown"), [("\x1f", r"'\x1f'"), ("\ud800", r"'\ud800'")])
def test_character_that_yaml_does_not_allow_is_named(character: str, shown: str) -> None:
    (problem,) = faults(f"pipeline: ab\ntitle: {character}\n").problems

    assert problem.line == 2
    assert problem.message == f"holds a character that YAML does not allow: {shown}"


def test_problems_come_in_the_order_of_lines() -> None:
    lines = [problem.line for problem in faults(next(text for name, text, _ in CASES if "all told" in name)).problems]

    assert lines == sorted(lines)
    assert len(lines) == 7


def test_spec_error_is_a_value_error() -> None:
    assert issubclass(SpecError, ValueError)
