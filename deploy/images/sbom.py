"""sbom.py NAME VERSION FILE: what is in this image, as CycloneDX 1.6. The same image gives the same bytes.

Python's packages are listed by cyclonedx-py; Debian's and Python itself are put beside them.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

VENV = "/opt/esteira/venv/bin/python"
DEBIAN = "${Package}\t${Version}\t${Architecture}\n"


def main(name: str, version: str, target: Path) -> None:
    bom = _python_packages()
    bom.metadata.component = Component(
        type=ComponentType.CONTAINER, name=name, version=version, bom_ref=name, supplier=None
    )
    python = platform.python_version()
    bom.components.update(_debian_packages())
    bom.components.add(
        Component(
            type=ComponentType.PLATFORM,
            name="python",
            version=python,
            bom_ref="python",
            cpe=f"cpe:2.3:a:python:python:{python}:*:*:*:*:*:*:*",
            purl=PackageURL("generic", None, "python", python),
        )
    )
    # Neither by chance nor by the clock.
    bom.metadata.timestamp = None
    bom.serial_number = uuid5(NAMESPACE_URL, "\n".join(sorted(str(one.purl) for one in bom.components)))
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"This is no valid CycloneDX: {wrong!r}")
    target.write_text(text, encoding="utf-8")


def _python_packages() -> Bom:
    tool = str(Path(sys.executable).with_name("cyclonedx-py"))
    found: Bom = Bom.from_json(json.loads(_said(tool, "environment", "--output-reproducible", "--sv", "1.6", VENV)))
    return found


def _debian_packages() -> list[Component]:
    lines = _said("dpkg-query", "--show", "--showformat", DEBIAN).splitlines()
    return [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"deb:{name}:{arch}",
            purl=PackageURL("deb", "debian", name, version, {"arch": arch}),
        )
        for name, version, arch in (line.split("\t") for line in lines)
    ]


def _said(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
