"""`manage.py` that has been started already: each command it is told runs in a fork, as new as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


class Manager:
    """Of one platform: the processes of its environment. A start of Django costs more than most commands."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.manager"],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def __call__(self, *words: str) -> str:
        """What it said."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        code, said, trouble = json.loads(self._process.stdout.readline())
        assert code == 0, trouble
        return str(said)


def _main() -> None:
    import django
    from django.core.management import execute_from_command_line, get_commands

    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    django.setup()
    get_commands()
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            if (child := os.fork()) == 0:
                code = 1
                try:
                    for file, descriptor in ((out, 1), (err, 2)):
                        os.dup2(file.fileno(), descriptor)
                    execute_from_command_line(["manage.py", *json.loads(line)])
                    code = 0
                except SystemExit as exc:
                    code = exc.code if isinstance(exc.code, int) else 1
                except BaseException:  # noqa: BLE001  whatever it is, whoever asked is told
                    traceback.print_exc()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read())
        print(json.dumps([code, *texts]), flush=True)


if __name__ == "__main__":
    _main()
