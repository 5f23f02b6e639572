"""The machine as others read it: asl-validator, and the reference JSONata that moto's stand-in is a port of."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from orchestration.engines.step_functions.compile import compile_plan, submit_arguments
from orchestration.engines.step_functions.plan import FanOut
from orchestration.spec.model import Tolerance
from tests.engines.plans import plan, step
from tests.engines.stepping import MACHINE

HERE: Final = Path(__file__).with_name("asl_validator")
KEPT: Final = Path(__file__).resolve().parents[2] / "build" / "npm"
STATES: Final[dict[str, Any]] = json.loads(MACHINE.read_text())["States"]
INNER: Final[dict[str, Any]] = STATES["RunStage"]["ItemProcessor"]["States"]


@pytest.fixture(scope="session")
def installed() -> Path:
    """The packages of the lock file, checked by its checksums. Skips the test where they cannot be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs npm: it is not on this machine")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = KEPT / f"asl-validator-{hashlib.sha256(lock).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder)
            clean = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(clean, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            assert "EINTEGRITY" not in done.stderr
            if done.returncode:
                pytest.skip("needs npm: asl-validator 4.0.0 could not be had")
            (folder / "complete").touch()
    return folder


def validate(installed: Path, machine: Path) -> subprocess.CompletedProcess[str]:
    validator = installed / "node_modules/asl-validator/dist/bin/asl-validator.js"
    asked = ["node", str(validator), "--json-path", str(machine)]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)


def evaluate(installed: Path, asked: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    bare = [(expression.removeprefix("{%").removesuffix("%}"), variables) for expression, variables in asked]
    script = ["node", str(HERE / "evaluate.js"), str(installed)]
    done = subprocess.run(script, input=json.dumps(bare), capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    values: list[Any] = json.loads(done.stdout)
    return values


def test_validator_accepts_the_machine(installed: Path) -> None:
    said = validate(installed, MACHINE)

    assert said.returncode == 0, said.stdout + said.stderr


def test_validator_refuses_a_broken_one(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.asl.json"
    broken.write_text(MACHINE.read_text().replace('"Next": "RunStage"', '"Next": "Nowhere"'))

    assert validate(installed, broken).returncode != 0


def test_reference_jsonata_gives_batch_what_the_compiler_counted(installed: Path) -> None:
    rich = step("a", fan_out=FanOut(40), share_identifier="w1", priority=3, environment={"X": "'1\""})
    data = compile_plan(plan(rich, step("b", "a"))).input
    steps = [one for stage in data["stages"] for one in stage["steps"]]

    values = evaluate(
        installed, [(INNER["SubmitStrict"]["Arguments"], {"run": data, "states": {"input": one}}) for one in steps]
    )

    assert values == [submit_arguments(data, one) for one in steps]


@pytest.mark.parametrize(
    ("error", "cause", "tolerated", "outcome"),
    [
        ("States.TaskFailed", '{"ArrayProperties":{"StatusSummary":{"FAILED":2,"RUNNING":0}}}', 2, "SUCCEEDED"),
        ("States.TaskFailed", '{"ArrayProperties": {"StatusSummary": {"Failed": 3}}}', 2, "FAILED"),
        # Batch did not say how many: the platform decides.
        ("States.TaskFailed", '{"Status":"FAILED","Container":{', 2, "SUCCEEDED"),
        ("States.TaskFailed", '{"Status":"FAILED"}', None, "FAILED"),
        ("Batch.ClientException", "JobDefinition does not exist", 2, "FAILED"),
        ("States.Timeout", "", 2, "TIMED_OUT"),
    ],
)
def test_reference_jsonata_judges_a_failure(
    installed: Path, error: str, cause: str, tolerated: int | None, outcome: str
) -> None:
    data = compile_plan(plan(step("a", fan_out=FanOut(40, tolerate=Tolerance(failed_items=2))))).input
    one = data["stages"][0]["steps"][0]
    given = {key: value for key, value in one.items() if key != "tolerated_failures" or tolerated}
    judge = INNER["SubmitTolerant"]["Catch"][0]["Output"]["outcome"]

    states = {"input": given, "errorOutput": {"Error": error, "Cause": cause}}

    assert evaluate(installed, [(judge, {"states": states})]) == [outcome]


def test_reference_jsonata_keeps_lists_lists(installed: Path) -> None:
    """Where JSONata would make one value of a list with one entry, and nothing of an empty one."""
    items, assign = STATES["RunStage"]["Items"], STATES["RunStage"]["Assign"]
    skip = INNER["StepMode"]["Choices"][0]["Condition"]
    run = {"stages": [{"steps": []}, {"steps": [{"name": "a"}]}]}
    good, bad = {"position": 4, "outcome": "SUCCEEDED"}, {"position": 5, "outcome": "SKIPPED"}
    before = {"cursor": 1, "lost": [], "outcomes": []}

    values = evaluate(
        installed,
        [
            (items, {"run": run, "cursor": 0}),
            (items, {"run": run, "cursor": 1}),
            (assign["lost"], {**before, "states": {"result": [good]}}),
            (assign["lost"], {**before, "states": {"result": [bad]}}),
            (assign["lost"], {**before, "lost": [1], "states": {"result": [good, bad]}}),
            (assign["outcomes"], {**before, "states": {"result": []}}),
            (assign["outcomes"], {**before, "outcomes": [good], "states": {"result": [bad]}}),
            (skip, {"lost": [], "states": {"input": {"needs": [1]}}}),
            (skip, {"lost": [1, 2], "states": {"input": {"needs": []}}}),
            (skip, {"lost": [1, 2], "states": {"input": {"needs": [0, 2]}}}),
        ],
    )

    assert values == [[], [{"name": "a"}], [], [5], [1, 5], [], [good, bad], False, False, True]
