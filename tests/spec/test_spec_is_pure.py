import subprocess
import sys
from pathlib import Path

import orchestration.spec

MODULES = sorted(path.stem for path in Path(orchestration.spec.__file__).parent.glob("*.py"))


def test_spec_needs_no_framework() -> None:
    """The engines' tests, the command line and editors use it without a Django that is set up."""
    code = "import sys\n" + "".join(f"import orchestration.spec.{name}\n" for name in MODULES)
    code += "print({'django', 'fastapi', 'boto3'} & {name.partition('.')[0] for name in sys.modules})"

    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert out.stdout.strip() == "set()"
