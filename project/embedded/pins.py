"""Whether the committed requirement files are still what `pyproject.toml` asks for, and how to renew them.

The check reads files only, so that it gives the same answer without a network.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from project.embedded.console import GiveUp, say
from project.embedded.uv import environment

REPO = Path(__file__).resolve().parents[2]
FOLDER = Path("deploy/requirements")
# File → the extra arguments that make it from pyproject.toml.
FILES = {FOLDER / "runtime.txt": [], FOLDER / "dev.txt": ["--group", "dev"]}
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
    runtime, dev = ((repo / file).read_text(encoding="utf-8") for file in FILES)
    wanted = {FOLDER / "runtime.txt": project["project"]["dependencies"]}
    wanted[FOLDER / "dev.txt"] = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    pins = {FOLDER / "runtime.txt": read_pins(runtime), FOLDER / "dev.txt": read_pins(dev)}
    for file, requirements in wanted.items():
        for requirement in map(Requirement, requirements):
            version = pins[file].get(canonicalize_name(requirement.name))
            if version is None:
                yield f"{file} does not pin {requirement.name}"
            elif not requirement.specifier.contains(version, prereleases=True):
                yield f"{file} pins {requirement.name} {version}, and pyproject.toml wants {requirement.specifier}"
    for name, version in pins[FOLDER / "runtime.txt"].items():
        if pins[FOLDER / "dev.txt"].get(name) != version:
            yield f"tests would run with another {name} than the images: dev.txt and runtime.txt differ"


def write(repo: Path = REPO) -> None:
    """Solve anew; pins that still fit stay, because uv reads the file that is there."""
    for file, extra in FILES.items():
        say(f"Writing {file} …")
        version = (repo / ".python-version").read_text(encoding="utf-8").strip()
        # dev.txt takes the pins of runtime.txt as they are, so that tests run what the images run.
        same = [] if file.name == "runtime.txt" else ["--constraint", str(FOLDER / "runtime.txt")]
        subprocess.run(
            [
                repo / ".venv" / "bin" / "uv", "pip", "compile", "pyproject.toml", *extra, *same, "--universal",
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
