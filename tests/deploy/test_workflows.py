"""GitHub's workflows: as the linters want them, as this project wants them, and red where a guard is taken away."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.release.promote import ENVIRONMENTS as DEPLOYED
from tests.deploy.workflows import FOLDER, Job, faults, jobs, read, subjects, texts
from tests.infra.blocks import ENVIRONMENTS, ROOT

BIN: Final = Path(sys.executable).parent
SCRIPTS: Final = sorted((ROOT / "deploy/release").glob("*.sh"))
YAML: Final = [ROOT / ".github", ROOT / "deploy/release/trivyignore.yaml"]
GUIDE: Final = ROOT / "docs/release.md"
TEXTS: Final = texts()


def linted(tool: str, *words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # actionlint finds shellcheck on the PATH.
    env = {"PATH": f"{BIN}:{os.defpath}", "HOME": os.environ.get("HOME", "/")}
    command = [str(BIN / tool), *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    return linted("actionlint", "-no-color", "-oneline", *files)


def zizmor(where: Path) -> subprocess.CompletedProcess[str]:
    return linted("zizmor", "--offline", "--persona=pedantic", "--no-progress", "--color=never", where)


def is_clean(done: subprocess.CompletedProcess[str]) -> bool:
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def test_actionlint_finds_nothing() -> None:
    assert is_clean(actionlint(*sorted(FOLDER.glob("*.yml"))))


def test_zizmor_finds_nothing() -> None:
    assert is_clean(zizmor(ROOT / ".github"))


def test_yamllint_finds_nothing() -> None:
    assert is_clean(linted("yamllint", "--strict", "-c", ROOT / "tests/deploy/yamllint.yaml", *YAML))


def test_shellcheck_finds_nothing_in_scripts() -> None:
    assert SCRIPTS
    assert is_clean(linted("shellcheck", *SCRIPTS))
    assert all(os.access(path, os.X_OK) for path in SCRIPTS)


def test_workflows_are_as_this_project_wants_them() -> None:
    assert faults(TEXTS) == []


COMMIT: Final = r"(actions/checkout)@[0-9a-f]{40} # v[\d.]+"
# Workflow, what is taken away or changed (a pattern, its first place), and by what.
MUTATIONS: Final = [
    ("ci", COMMIT, r"\1@v7"),
    ("ci", COMMIT, r"\1@3d3c42e5aac5ba805825da76410c181273ba90b1"),
    ("ci", COMMIT, r"\1@0000000000000000000000000000000000000000 # v7.0.1"),
    ("ci", r"actions/setup-python@", "somebody/setup-python@"),
    ("ci", r"permissions: \{\}", "permissions: read-all"),
    ("ci", r"    permissions:\n      contents: read # the sources\n", ""),
    ("ci", r"contents: read # the sources", "contents: write"),
    ("ci", r"    timeout-minutes: 20\n", ""),
    ("ci", r"ubuntu-24\.04", "ubuntu-latest"),
    ("ci", r"          persist-credentials: false\n", "          fetch-depth: 1\n"),
    ("ci", r"  pull_request:\n", "  pull_request_target:\n"),
    ("ci", r"(?s)      - uses: step-security/.*?containers: true\n", ""),
    ("ci", r"run: make check", "run: make check ${{ github.head_ref }}"),
    ("release", r"(?s)concurrency:.*?\n\n", ""),
    ("release", r"ci-push", "ci-apply"),
    ("release", r"ci-push", "ci-deploy"),
    ("release", r"ci-push", "admin"),
    ("release", r"      id-token: write # signs in to AWS as `push`.*\n", ""),
    ("release", r"platform: \$\{\{ needs\.ci\.outputs\.platform \}\}", "platform: ${{ needs.ci.outputs.steps }}"),
    ("release", r"needs: \[ci, staging\]", "needs: [ci]"),
    ("release", r"needs: \[ci, push\]", "needs: [ci]"),
    ("release", r"environment: prod\n      release: \$\{\{ github\.sha \}\}", "environment: prod\n      release: main"),
    ("release", r"matrix\.image == 'platform' && ", ""),
    ("release", r"(?s)      - name: What Amazon Inspector sees.*?(?=      - name: Sign)", ""),
    ("deploy", r"inputs\.environment == 'prod' && 'staging' \|\| ''", "''"),
    ("deploy", r' --after "\$AFTER"', ""),
    ("deploy", r"STEPS: \$\{\{ inputs\.steps \}\}", "STEPS: ${{ inputs.platform }}"),
    ("deploy", r"-release\n", "\n"),
    ("deploy", r"        if: \(failure\(\) \|\| cancelled\(\)\) && steps\.promote.*\n", ""),
    ("deploy", r"(?s)      - name: While it is new.*?(?=      - name: Back)", ""),
    ("deploy", r"GH_TOKEN: \$\{\{ github\.token \}\}", "GH_TOKEN: ${{ secrets.DEPLOY }}"),
    ("terraform", r" \|\| github\.event\.pull_request\.head\.repo\.full_name == github\.repository", " || true"),
    ("terraform-environment", r"    environment: \$\{\{ inputs\.environment \}\}\n", ""),
    ("package", r"id-token: write # PyPI's.*\n", "contents: write\n"),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "pattern", "instead"), MUTATIONS, ids=lambda one: str(one)[:40])
def test_guard_that_is_taken_away_is_missed(workflow: str, pattern: str, instead: str) -> None:
    changed, times = re.subn(pattern, instead, TEXTS[workflow], count=1)
    assert times == 1
    assert faults(TEXTS | {workflow: changed})


def test_linters_are_awake(tmp_path: Path) -> None:
    """Shellcheck inside of actionlint, and zizmor at its strictest."""
    folder = tmp_path / ".github/workflows"
    shutil.copytree(FOLDER, folder)
    bad = folder / "ci.yml"
    bad.write_text(TEXTS["ci"].replace("run: make check", 'run: rm -r $RUNNER_TEMP "${{ github.head_ref }}"', 1))
    assert "SC2086" in actionlint(bad).stdout
    found = zizmor(folder)
    assert found.returncode
    assert "template-injection" in found.stdout


# -- against the rest of the repository -------------------------------------------------------------------------------


def commands(workflow: str) -> str:
    return "\n".join(
        str(step["run"]) for job in jobs({workflow: TEXTS[workflow]}) for step in job.steps if "run" in step
    )


def test_ci_runs_every_gate_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    gates = {name for name in targets if name == "test" or name.endswith("check")}
    assert {"check", "test", "infra-check"} <= gates
    assert gates <= set(re.findall(r"make ([a-z-]+)", commands("ci")))


def test_ci_does_what_the_script_of_a_fresh_clone_does() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert set(re.findall(r"make ([a-z-]+)", script)) - {"setup"} <= set(re.findall(r"make ([a-z-]+)", commands("ci")))
    assert ".ci/skips.py" in script
    assert ".ci/skips.py" in commands("ci")


def test_roles_are_those_that_terraform_makes() -> None:
    used = {role for job in jobs(TEXTS) for role in job.roles}
    assert used == set(subjects()) == {"plan", "apply", "push", "deploy"}


def test_only_main_may_push_apply_and_deploy() -> None:
    """A pull request's run can be `plan` and nothing else: AWS looks at the subject, and this at what would ask."""
    assert subjects()["push"] == ["repo:${var.repository}:ref:refs/heads/main"]
    assert read(TEXTS["release"])["on"] == {"push": {"branches": ["main"]}}
    (apply,) = [job for job in jobs(TEXTS) if "apply" in job.roles]
    assert "inputs.apply && github.ref == 'refs/heads/main'" in apply.said["if"]
    callers = read(TEXTS["terraform"])["jobs"]
    assert {callers[name]["with"]["apply"] for name in ENVIRONMENTS} == {"${{ github.event_name == 'push' }}"}


def test_what_is_applied_was_approved() -> None:
    (apply,) = [job for job in jobs(TEXTS) if "apply" in job.roles]
    (run,) = [step["run"] for step in apply.steps if "terraform" in str(step.get("run"))]
    assert re.search(r'show -json .*\| .*--approved "\$APPROVED"\n.* apply "\$plan"\n$', run)
    assert "-auto-approve" not in "".join(TEXTS.values())


def test_environments_and_images_have_one_name_everywhere() -> None:
    matrix = read(TEXTS["release"])["jobs"]["push"]["strategy"]["matrix"]
    assert tuple(matrix["environment"]) == ENVIRONMENTS == DEPLOYED
    for environment in ENVIRONMENTS:
        registry = (ROOT / f"deploy/terraform/envs/{environment}/cluster.tf").read_text(encoding="utf-8")
        (said,) = re.findall(r"repositories = \{ (.*) \}\n", registry)
        assert re.findall(r"(\w+) = \{", said) == matrix["image"]


def test_programs_of_the_release_are_there() -> None:
    for name in TEXTS:
        for module in re.findall(r"-m (deploy\.[a-z.]+)", commands(name)):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
        for script in re.findall(r"\bdeploy/release/[a-z]+\.sh", commands(name)):
            assert ROOT / script in SCRIPTS


def test_names_that_a_person_gives_at_github_are_documented() -> None:
    said = GUIDE.read_text(encoding="utf-8")
    asked = set(re.findall(r"\bvars\.([A-Z_]+)", "".join(TEXTS.values())))
    assert asked == {"AWS_REGION", "PROD_ACCOUNT", "PROMETHEUS_URL", "STAGING_ACCOUNT", "URL"}
    assert all(f"`{name}`" in said for name in asked)
    gates = {job.environment.replace("${{ inputs.environment }}", one) for job in jobs(TEXTS) for one in ENVIRONMENTS}
    assert all(f"`{gate}`" in said for gate in gates if gate)


def test_every_workflow_is_documented() -> None:
    said = GUIDE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in said for name in TEXTS)


def without_an_end(holes: list[dict[str, object]]) -> list[object]:
    return [one["id"] for one in holes if not (one.get("statement") and isinstance(one.get("expired_at"), dt.date))]


def test_holes_that_we_live_with_have_a_reason_and_an_end() -> None:
    said = yaml.safe_load((ROOT / "deploy/release/trivyignore.yaml").read_text(encoding="utf-8"))
    assert without_an_end(said["vulnerabilities"]) == []
    good: dict[str, object] = {"id": "CVE-1", "statement": "not reached", "expired_at": dt.date(2027, 1, 1)}
    bad: list[dict[str, object]] = [
        {**good, "id": "CVE-2", "statement": ""},
        {"id": "CVE-3", "statement": "not reached"},
    ]
    assert without_an_end([good, *bad]) == ["CVE-2", "CVE-3"]


def test_owners_are_named_for_what_decides() -> None:
    owners = (ROOT / ".github/CODEOWNERS").read_text(encoding="utf-8")
    for folder in ("/.github/", "/deploy/"):
        assert re.search(rf"^{re.escape(folder)}\s+@", owners, re.MULTILINE)
    rules = [line for line in owners.splitlines() if line and not line.startswith("#")]
    assert {who for rule in rules for who in rule.split()[1:]} == {"@esteira/maintainers", "@esteira/operators"}
    assert "codeowners/errors" in commands("scans"), "names that GitHub does not know own nothing"


def test_updates_come_for_everything_that_is_pinned() -> None:
    asked = {
        one["package-ecosystem"] for one in yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    }
    assert asked == {"github-actions", "pip", "npm", "docker", "terraform"}


def test_job_that_builds_can_sign_in_nowhere() -> None:
    """Packages run their own code while they are installed and built."""
    builds = [job for job in jobs(TEXTS) if re.search(r"build\.sh|uv build", _said(job))]
    assert {job.where for job in builds} == {"ci/images", "package/build", "scans/images"}
    assert all(job.said["permissions"] == {"contents": "read"} for job in builds)


def _said(job: Job) -> str:
    return "\n".join(str(step.get("run", "")) for step in job.steps)
