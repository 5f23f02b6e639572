"""Texts made to exhaust a server are refused, each well within a second."""

import time

import pytest

from orchestration.spec.parse import parse_pipeline
from orchestration.spec.problems import MOST_PROBLEMS, SpecError

HEAD = "pipeline: ab\nversion: 1.0.0\n"
STEPS = HEAD + "steps:\n"
MOST = 256 * 1024

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
# Long names of the same letters in another order are the slowest to tell apart.
FRIENDS, FOES = "abcdefghij_klmnopqrst_", "jihgfedcba_tsrqponmlk_"
WRONG = f"[{','.join(f'{FRIENDS}{number}' for number in range(90))}]"
BOMBS = {
    "billion laughs": (LAUGHS, "aliases are not allowed"),
    "one byte too many": ("#" * (MOST + 1), "is larger than 256 KiB"),
    "many bytes in few characters": ("# " + "é" * (MOST // 2), "is larger than 256 KiB"),
    "brackets": ("[" * MOST, "is nested more than 20 levels deep"),
    "braces": ("a: " + "{a: " * (MOST // 5), "is nested more than 20 levels deep"),
    "dashes": ("- " * (MOST // 2), "is nested more than 20 levels deep"),
    "deep under a repeated key": ("a: 1\na: " + "[" * 5000, "is nested more than 20 levels deep"),
    "many keys": ("".join(f"k{number}: 1\n" for number in range(MOST // 12)), "holds more than 10000 values"),
    "one key many times": ("a: 1\n" * (MOST // 5), "stands here a second time"),
    "a long key": ("a" * 1000 + ": 1", "a key that is too long"),
    "a long anchor": ("&" + "a" * 200_000 + " x", "is an anchor"),
    "a long alias": ("a: *" + "a" * 200_000, "is an alias"),
    "a long word": ("a" * 200_000, "must be a mapping"),
    "digits": ("version: " + "9" * 200_000, "is too large a number"),
    "zeros": ("version: 1." + "0" * 200_000, "is read as a number"),
    "many needs": (STEPS + "- {name: ab, command: [run], needs: [" + "n, " * 9000 + "]}", "this has 9000"),
    "many choices": (
        HEAD + f"params: {{type: object, properties: {{a: {{type: string, enum: [{'a, 1, ' * 4000}]}}}}}}",
        "must have at most 500 entries; this has 8000",
    ),
    "an image to backtrack on": (
        STEPS + f"- {{name: ab, command: [run], image: {'a-' * 100_000}}}",
        "at most 400",
    ),
    "a hundred steps with ninety wrong needs": (
        STEPS + "".join(f"- {{name: {FOES}{n}, command: [run], needs: {WRONG}}}\n" for n in range(100)),
        f'there is no step "{FRIENDS}0"; the others are',
    ),
    "a thousand steps": (STEPS + "- {name: ab, command: [run], needs: [ab]}\n" * 1500, "at most 100 entries"),
}


@pytest.mark.parametrize(("text", "said"), BOMBS.values(), ids=BOMBS)
def test_bomb_does_not_go_off(text: str, said: str) -> None:
    began = time.process_time()
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, file="pipeline.yaml")

    assert time.process_time() - began < 1.5  # a quarter of it here; a busy machine may be slower
    assert said in str(caught.value)
    assert len(caught.value.problems) <= MOST_PROBLEMS
    assert len(str(caught.value)) < 100_000


def test_more_steps_than_allowed_are_not_even_compared() -> None:
    with pytest.raises(SpecError) as caught:
        parse_pipeline(BOMBS["a thousand steps"][0], file="pipeline.yaml")

    assert len(caught.value.problems) == 1
