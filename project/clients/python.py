"""The generated part of the Python client: `api_app/client/contract`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from project.clients.document import REF, REPO, Json, listed, spoken
from project.clients.python_calls import modules

PACKAGE: Final = Path("api_app/client/contract")
SHAPES: Final = "shapes.py"
_PROGRAMS: Final = Path(sys.executable).parent
_ABOUT: Final = (
    '"""The JSON of the contract, written by `make clients` from docs/openapi.json; changes here are lost."""'
)
_OPTIONS: Final = (
    "--input-file-type=openapi", "--openapi-scopes=schemas", "--output-model-type=typing.TypedDict",
    "--target-python-version=3.13", "--enum-field-as-literal=all", "--use-standard-collections", "--use-union-operator",
    "--use-schema-description", "--use-single-line-docstring", "--no-use-closed-typed-dict", "--disable-timestamp",
    "--disable-future-imports", "--formatters=builtin",
)  # fmt: skip
"""Without future imports: a TypedDict takes a third longer to make of annotations that are text."""


def files() -> dict[Path, str]:
    """What the contract gives now, by where it belongs."""
    document = spoken()
    texts = {"__init__": '"""The calls and the JSON of docs/openapi.json, written by `make clients`."""\n'}
    texts |= modules(document)
    found = {PACKAGE / f"{name}.py": _formatted(f"{name}.py", text) for name, text in texts.items()}
    return found | {PACKAGE / SHAPES: _formatted(SHAPES, _shapes(document))}


def _shapes(document: Json) -> str:
    schemas = document["components"]["schemas"]
    # A page of anything is the one generic type in calls.py.
    kept = {name: schema for name, schema in schemas.items() if not listed({"$ref": REF + name})}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "contract.json"), Path(folder, SHAPES)
        source.write_text(json.dumps(document | {"paths": {}, "components": {"schemas": kept}}), encoding="utf-8")
        program = str(_PROGRAMS / "datamodel-codegen")
        subprocess.run([program, "--input", source, "--output", target, *_OPTIONS], check=True, cwd=folder)
        text = target.read_text(encoding="utf-8")
    return f"{_ABOUT}\n\n" + text[text.index("from typing") :]


def _formatted(name: str, text: str) -> str:
    """By the house's own formatter and its settings."""
    command = [str(_PROGRAMS / "ruff"), "format", "--stdin-filename", str(PACKAGE / name), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=REPO).stdout
