"""The environment as a picture: who asks whose outputs, read from the calls of its modules."""

from __future__ import annotations

import json
import re
from typing import Final

from tests.infra.blocks import TERRAFORM, of_kind

README: Final = TERRAFORM / "README.md"
BEGIN: Final = "<!-- diagram -->\n"
END: Final = "<!-- end of diagram -->"
# Everything asks for keys and for the log bucket; drawn, they would hide the rest.
EVERYWHERE: Final = frozenset({"keys", "far_keys", "logs", "app_settings"})
GROUPS: Final = {
    "way in": ("edge", "network"),
    "platform": ("cluster", "workload_roles", "registry", "database"),
    "work": ("workflow_engine", "batch_engine", "events"),
    "files": ("uploads", "results", "results_copy", "manifests", "shared_folder"),
    "watch": ("observability", "backup", "security_baseline", "cost_guard"),
}
_ASKED: Final = re.compile(r"module\.([a-z_]+)\.")


def edges(environment: str = "prod") -> list[tuple[str, str]]:
    """From the module that is asked to the one that asks."""
    found = {
        (asked, block.name)
        for block in of_kind(TERRAFORM / "envs" / environment, "module")
        for asked in _ASKED.findall(json.dumps(block.body))
        if asked not in EVERYWHERE and block.name not in EVERYWHERE
    }
    return sorted(found)


def render() -> str:
    lines = ["```mermaid", "flowchart LR", '  people(["people and programs"]) --> edge']
    for title, members in GROUPS.items():
        lines += [f'  subgraph {title.replace(" ", "_")}["{title}"]', *(f"    {member}" for member in members), "  end"]
    lines += [f"  {asked} --> {asks}" for asked, asks in edges()]
    return "\n".join([*lines, "```", ""])


def written() -> str:
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{render()}{END}{rest.partition(END)[2]}"
