"""What workflows must be beyond what actionlint and zizmor know: this project's own rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, override

import hcl2
import yaml

from tests.infra.blocks import ROOT, TERRAFORM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER: Final = ROOT / ".github/workflows"
USES: Final = re.compile(r"^\s*(?:- )?uses: (?P<what>\S+)(?P<comment>.*)$", re.MULTILINE)
PINNED: Final = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
VERSION: Final = re.compile(r" # v\d+\.\d+\.\d+")
OWNERS: Final = frozenset(
    {"actions", "aws-actions", "docker", "github", "hashicorp", "sigstore", "step-security", "terraform-linters"},
)
ROLE: Final = re.compile(
    r"arn:aws:iam::\$\{\{ env\.ACCOUNT \}\}:role/esteira-\$\{\{ \w+\.environment \}\}-ci-(?P<role>\w+)$"
)
LONGEST_MINUTES: Final = 120
FORBIDDEN: Final = {
    "pull_request_target": "runs with rights on what a stranger wrote",
    "workflow_run": "the same",
    "secrets.": "nothing long-lived is kept at GitHub: AWS, PyPI, Sigstore and Prometheus take the run's own token",
    "aws-access-key-id": "the same",
    "continue-on-error": "what fails is told",
    "self-hosted": "a machine that keeps what the run before left",
}
RISKY: Final = frozenset({"id-token", "contents", "packages", "actions", "deployments"})
"""To write with these decides what runs elsewhere."""


class _Loader(yaml.SafeLoader):
    """`on:` is a word here and not true."""

    @override
    def construct_yaml_bool(self, node: yaml.ScalarNode) -> Any:
        return node.value if node.value == "on" else super().construct_yaml_bool(node)


_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_yaml_bool)


@dataclass(frozen=True, slots=True)
class Job:
    workflow: str
    name: str
    said: dict[str, Any]

    @property
    def where(self) -> str:
        return f"{self.workflow}/{self.name}"

    @property
    def steps(self) -> list[dict[str, Any]]:
        return list(self.said.get("steps", []))

    @property
    def environment(self) -> str:
        """GitHub's, whose gate stands before it."""
        found = self.said.get("environment", "")
        return str(found["name"] if isinstance(found, dict) else found)

    @property
    def roles(self) -> list[str]:
        asked = [step["with"]["role-to-assume"] for step in self.steps if "role-to-assume" in step.get("with", {})]
        found = [ROLE.fullmatch(one) for one in asked]
        return [one["role"] if one else "unknown" for one in found]


def texts(folder: Path = FOLDER) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yml"))}


@cache
def read(text: str) -> dict[str, Any]:
    return dict(yaml.load(text, _Loader))  # noqa: S506  a SafeLoader that knows `on`


def jobs(said: Mapping[str, str]) -> list[Job]:
    return [Job(name, job, body) for name, text in said.items() for job, body in read(text)["jobs"].items()]


@cache
def subjects() -> dict[str, list[str]]:
    """Role of CI → who may be it, as modules/ci says."""
    with (TERRAFORM / "modules/ci/main.tf").open(encoding="utf-8") as file:
        found = next(one["subjects"] for one in hcl2.load(file)["locals"] if "subjects" in one)
    return {
        str(role): [str(who).strip('"') for who in whos] for role, whos in found.items() if not role.startswith("__")
    }


def faults(said: Mapping[str, str]) -> list[str]:
    return [*_of_texts(said), *_of_workflows(said), *_of_jobs(jobs(said)), *_of_the_way(said)]


def _of_texts(said: Mapping[str, str]) -> Iterator[str]:
    versions: dict[str, set[str]] = {}
    for name, text in said.items():
        yield from (f"{name}: {word} ({why})" for word, why in FORBIDDEN.items() if word in text)
        for use in USES.finditer(text):
            what = use["what"]
            if what.startswith("$/"):
                continue
            if not PINNED.fullmatch(what) or not VERSION.fullmatch(use["comment"]):
                yield f"{name}: {what} is not pinned by commit, with its version behind it"
            if what.split("/")[0] not in OWNERS:
                yield f"{name}: {what} is of somebody whom nobody has looked at"
            action, _, commit = what.partition("@")
            versions.setdefault("/".join(action.split("/")[:2]), set()).add(commit)
    yield from (f"{action} has {len(ones)} versions" for action, ones in versions.items() if len(ones) > 1)


def _of_workflows(said: Mapping[str, str]) -> Iterator[str]:
    for name, text in said.items():
        workflow = read(text)
        if workflow.get("permissions") != {}:
            yield f"{name}: begins with rights"
        if "group" not in workflow.get("concurrency", {}):
            yield f"{name}: runs beside itself"
        if "pull_request" in workflow["on"]:
            for job in jobs({name: text}):
                risky = {what for what, right in job.said.get("permissions", {}).items() if right == "write"} & RISKY
                guarded = "head.repo.full_name == github.repository" in text
                if risky and not guarded:
                    yield f"{job.where}: a fork's pull request would run with {', '.join(sorted(risky))}"


def _of_jobs(found: list[Job]) -> Iterator[str]:
    for job in found:
        if not isinstance(job.said.get("permissions"), dict):
            yield f"{job.where}: says no rights of its own"
        if not job.steps:
            continue
        if not 0 < job.said.get("timeout-minutes", 0) <= LONGEST_MINUTES:
            yield f"{job.where}: has no time-out"
        if job.said["runs-on"] != "ubuntu-24.04":
            yield f"{job.where}: runs on {job.said['runs-on']}"
        if not str(job.steps[0].get("uses")).startswith("step-security/harden-runner@"):
            yield f"{job.where}: does not begin with harden-runner"
        yield from (f"{job.where}: {fault}" for step in job.steps for fault in _of_step(step))
        yield from _of_sign_in(job)


def _of_step(step: dict[str, Any]) -> Iterator[str]:
    if "${{" in str(step.get("run", "")):
        yield "what comes from outside goes to a command by env, not by its text"
    if (
        str(step.get("uses")).startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    ):
        yield "leaves its token in the clone"


def _of_sign_in(job: Job) -> Iterator[str]:
    may_sign_in = job.said.get("permissions", {}).get("id-token") == "write"
    if may_sign_in and not (job.roles or job.environment):
        yield f"{job.where}: has a token to sign in with and signs in nowhere"
    if not may_sign_in and any("--trusted-publishing" in str(step.get("run")) for step in job.steps):
        yield f"{job.where}: cannot sign in to PyPI"
    for role in job.roles:
        if not may_sign_in:
            yield f"{job.where}: cannot sign in"
        if role not in subjects():
            yield f"{job.where}: there is no such role of CI: {role}"
        for who in subjects().get(role, []):
            gate = who.partition(":environment:")[2].replace("${var.environment}", "${{ inputs.environment }}")
            if gate != job.environment:
                yield f"{job.where}: AWS would not let it in as {role}: {who}"


def _of_the_way(said: Mapping[str, str]) -> Iterator[str]:
    """From what CI has built to production: the same digests all the way, and back where it is not good."""
    release = read(said["release"])["jobs"]
    built = {image: f"${{{{ needs.ci.outputs.{image} }}}}" for image in ("platform", "steps")}
    for environment in ("staging", "prod"):
        given = release[environment]["with"]
        if given["environment"] != environment or {image: given[image] for image in built} != built:
            yield f"release: {environment} gets other images than CI has built"
        if given["release"] != "${{ github.sha }}":
            yield f"release: {environment} gets other manifests than those of the commit"
    for job, needed in {"push": {"ci"}, "staging": {"ci", "push"}, "prod": {"ci", "staging"}}.items():
        needs = release[job]["needs"]
        if set([needs] if isinstance(needs, str) else needs) != needed:
            yield f"release: {job} does not wait for {', '.join(sorted(needed))}"
    if release["push"]["env"]["DIGEST"] != (
        "${{ matrix.image == 'platform' && needs.ci.outputs.platform || needs.ci.outputs.steps }}"
    ):
        yield "release: pushed is not what CI has built"
    yield from _of_push(Job("release", "push", release["push"]))
    yield from _of_deploy(Job("deploy", "deploy", read(said["deploy"])["jobs"]["deploy"]))


def _of_push(job: Job) -> Iterator[str]:
    """Only what was found good is signed, and only what is signed is let into the cluster."""
    acts = [
        name for step in job.steps for name in ("push.sh", "inspected", "cosign sign") if name in str(step.get("run"))
    ]
    if acts != ["push.sh", "inspected", "cosign sign"]:
        yield f"{job.where}: goes {' → '.join(acts)}"


def _of_deploy(job: Job) -> Iterator[str]:
    by_name = {step["name"]: step for step in job.steps if "name" in step}
    order = [name for name in by_name if name in ORDER]
    if order != list(ORDER):
        yield f"deploy: goes {' → '.join(order)}"
    promote = by_name.get("Put the release on the environment's branch", {"run": "", "env": {}})
    if (
        promote["env"].get("AFTER") != "${{ inputs.environment == 'prod' && 'staging' || '' }}"
        or '--after "$AFTER"' not in promote["run"]
    ):
        yield "deploy: production would take what staging does not run"
    if not all(promote["env"].get(image.upper()) == f"${{{{ inputs.{image} }}}}" for image in ("platform", "steps")):
        yield "deploy: other digests are put on the branch than those given"
    for name, condition in ORDER.items():
        if by_name.get(name, {}).get("if", "") != condition:
            yield f"deploy: {name} runs if {by_name.get(name, {}).get('if')}"


_NOT_GOOD: Final = "(failure() || cancelled()) && "
ORDER: Final = {
    "What rings already": "",
    "Put the release on the environment's branch": "",
    "Until it is out": "",
    "A job through it": "",
    "While it is new": "",
    "Back to the release before": _NOT_GOOD
    + "steps.promote.outcome == 'success' && steps.promote.outputs.before != steps.promote.outputs.now",
    "Until that is out again": _NOT_GOOD + "steps.back.outcome == 'success'",
    "A job through that": _NOT_GOOD + "steps.back.outcome == 'success'",
}
