"""Plays the commands of one job of a workflow on this machine, as GitHub would: env, outputs, and which steps run.

Actions are left out; of expressions it knows those that the job has.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.deploy.workflows import Job

EXPRESSION: Final = re.compile(r"\$\{\{ (.*?) \}\}")
NOT_GOOD: Final = "(failure() || cancelled()) && "
TERM: Final = re.compile(r"(?P<left>\S+) (?P<how>==|!=) (?P<right>\S+)")
CHOICE: Final = re.compile(r"(?P<left>\S+) == '(?P<value>\w*)' && (?P<then>\S+) \|\| (?P<otherwise>\S+)")


@dataclass
class Play:
    """`known` has what stands in expressions outside of `steps`, such as vars.URL."""

    job: Job
    folder: Path
    known: Mapping[str, str]
    environ: Mapping[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    said: str = ""
    has_failed: bool = False

    def run(self) -> bool:
        """Whether the job is green."""
        for step in self.job.steps:
            if "run" in step and self._is_due(step):
                self._do(step)
        return not self.has_failed

    def _is_due(self, step: dict[str, Any]) -> bool:
        condition = step.get("if", "")
        if not condition:
            return not self.has_failed
        assert condition.startswith(NOT_GOOD), condition
        return self.has_failed and all(map(self._holds, condition.removeprefix(NOT_GOOD).split(" && ")))

    def _holds(self, term: str) -> bool:
        found = TERM.fullmatch(term)
        assert found, term
        are_equal = self._value(found["left"]) == self._value(found["right"])
        return are_equal == (found["how"] == "==")

    def _do(self, step: dict[str, Any]) -> None:
        name = step.get("name") or step["run"]
        outputs = self.folder.parent / f"{len(self.ran)}.outputs"
        outputs.touch()
        given = {**self.job.said.get("env", {}), **step.get("env", {})}
        env = {word: self._filled(str(value)) for word, value in given.items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**self.environ, **env, "GITHUB_OUTPUT": str(outputs), "HOME": str(self.folder.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.ran.append(name)
        self.said += f"--- {name}: {done.returncode}\n{done.stdout}{done.stderr}"
        self.has_failed = self.has_failed or done.returncode != 0
        key = f"steps.{step.get('id')}"
        self.outputs[f"{key}.outcome"] = "failure" if done.returncode else "success"
        for line in outputs.read_text(encoding="utf-8").splitlines():
            word, _, value = line.partition("=")
            self.outputs[f"{key}.outputs.{word}"] = value

    def _filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self._expression(found[1]), text)

    def _expression(self, text: str) -> str:
        choice = CHOICE.fullmatch(text)
        if choice is None:
            return self._value(text)
        chosen = choice["then"] if self._value(choice["left"]) == choice["value"] else choice["otherwise"]
        return self._value(chosen)

    def _value(self, word: str) -> str:
        if word.startswith("'"):
            return word.strip("'")
        return self.outputs.get(word, "") if word.startswith("steps.") else self.known[word]


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH begins with these."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}
