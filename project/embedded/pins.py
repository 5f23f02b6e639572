"""Whether the committed requirement files are still what `pyproject.toml` asks for, and how to renew them.

The check reads files only, so that it gives the same answer without a network.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from project.embedded.console import GiveUp, say
from project.embedded.uv import environment

REPO = Path(__file__).resolve().parents[2]
FOLDER = Path("deploy/requirements")
RUNTIME, DEV, STEPS, SBOM = (FOLDER / name for name in ("runtime.txt", "dev.txt", "steps.txt", "sbom.txt"))
# File → the arguments that make it.
FILES = {
    RUNTIME: ["pyproject.toml", "--group", "build"],
    DEV: ["pyproject.toml", "--group", "build", "--group", "dev"],
    STEPS: ["--group", "steps"],
    SBOM: ["--group", "sbom"],
}
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)[^\n]*(?P<hashes>(?:\n +--hash=[^\n]*)*)", re.MULTILINE
)


def read_pins(text: str) -> dict[str, str]:
    pins: dict[str, str] = {}
    for match in PIN.finditer(text):
        if not match["hashes"]:
            raise GiveUp(f"{match['name']} is pinned without a hash. `make pins` writes it anew.")
        pins[canonicalize_name(match["name"])] = match["version"]
    return pins


def problems(repo: Path = REPO) -> Iterator[str]:
    project = tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))
    pins = {file: read_pins((repo / file).read_text(encoding="utf-8")) for file in FILES}
    for file, sources in FILES.items():
        for requirement in map(Requirement, _wanted(project, sources)):
            version = pins[file].get(canonicalize_name(requirement.name))
            if version is None:
                yield f"{file} does not pin {requirement.name}"
            elif not requirement.specifier.contains(version, prereleases=True):
                yield f"{file} pins {requirement.name} {version}, and pyproject.toml wants {requirement.specifier}"
    for name, version in pins[RUNTIME].items():
        if pins[DEV].get(name) != version:
            yield f"tests would run with another {name} than the images: dev.txt and runtime.txt differ"
    for name, version in pins[STEPS].items():
        if pins[RUNTIME].get(name) != version:
            yield f"steps would run with another {name} on AWS than elsewhere: steps.txt and runtime.txt differ"


def _wanted(project: dict[str, Any], sources: list[str]) -> list[str]:
    """Requirements of the arguments in FILES: names of groups, and the file for what the product itself needs."""
    own = project["project"]["dependencies"] if "pyproject.toml" in sources else []
    return [*own, *(each for name in sources for each in project["dependency-groups"].get(name, []))]


def write(repo: Path = REPO) -> None:
    """Solve anew; pins that still fit stay, because uv reads the file that is there."""
    for file, sources in FILES.items():
        say(f"Writing {file} …")
        version = (repo / ".python-version").read_text(encoding="utf-8").strip()
        # The others take the pins of runtime.txt as they are, so that tests and steps run what the platform runs.
        same = [] if file == RUNTIME else ["--constraint", str(RUNTIME)]
        subprocess.run(
            [
                repo / ".venv" / "bin" / "uv", "pip", "compile", *sources, *same, "--universal",
                "--python-version", version, "--generate-hashes", "--no-header", "--quiet", "--output-file", file,
            ],
            cwd=repo,
            env=environment(),
            check=True,
        )  # fmt: skip


def main() -> None:
    if sys.argv[1:] == ["write"]:
        write()
    elif found := list(problems()):
        raise GiveUp("\n".join([*found, "`make pins` writes the requirement files anew."]))


if __name__ == "__main__":
    main()
