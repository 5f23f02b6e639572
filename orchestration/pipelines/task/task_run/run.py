"""Runs the executors of a task one after the other: inputs to their places, commands, outputs from theirs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from task_run import files
from task_run.executor import Ended, run

# What the platform would take for "try again": the task's own words go into the log as they are.
TRY_LATER = 75


def main() -> int:
    params = json.loads(Path(os.environ["ESTEIRA_PARAMS"]).read_text(encoding="utf-8"))
    task: dict[str, Any] = json.loads(params["task"])
    layers: dict[str, str] = json.loads(os.environ["TASK_LAYERS"])
    try:
        files.bring_inputs(task)
        files.make_folders(task)
    except OSError as wrong:
        return _refused(f"An input or a folder of the task cannot be put in its place: {wrong}.")
    ends = _run_all(task["executors"], layers)
    # The last line of the log: who asks for the task later reads what each command came to here.
    print(f"\n::executors {json.dumps([end.said() for end in ends])}", flush=True)
    failed = next((end for end in ends if end.exit_code and not end.is_ignored), None)
    if failed is not None:
        print(f"::error Executor {failed.number} ended with exit code {failed.exit_code}.", flush=True)
        return 1 if failed.exit_code == TRY_LATER else failed.exit_code
    try:
        files.hand_over(task.get("outputs", []))
    except (OSError, files.MissingError) as wrong:
        return _refused(f"An output cannot be handed over: {wrong}.")
    return 0


def _run_all(executors: list[dict[str, Any]], layers: dict[str, str]) -> list[Ended]:
    """Until one fails whose errors count."""
    ends: list[Ended] = []
    for number, executor in enumerate(executors, start=1):
        share = (number - 1) / len(executors)
        print(f"::progress {share:.3f} Executor {number} of {len(executors)}", flush=True)
        ends.append(run(number, executor, layers.get(executor["image"], "")))
        if ends[-1].exit_code and not ends[-1].is_ignored:
            break
    return ends


def _refused(sentence: str) -> int:
    print(f"::error {sentence}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
