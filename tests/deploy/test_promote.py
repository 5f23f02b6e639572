"""A release goes to an environment's branch, from staging to prod, and back: on real Git, with a remote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from deploy.release.faults import ReleaseFault
from deploy.release.promote import Branches
from deploy.release.receivers import CHART, deaf
from tests.deploy.test_overlay import FILES, NEW, OLD, OTHER
from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = {"platform": NEW, "steps": OTHER}
BEFORE = {"platform": OTHER, "steps": NEW}


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    who["GIT_CONFIG_GLOBAL"] = os.devnull
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | who, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def chart(config: dict[str, Any]) -> str:
    return json.dumps({"spec": {"source": {"helm": {"valuesObject": {"alertmanager": {"config": config}}}}}})


def committed(folder: Path, text: str) -> str:
    (folder / "deploy/k8s/base/web.yaml").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def clone(tmp_path: Path, remote: Path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "clone")
    git(folder, "remote", "add", "origin", str(remote))
    for environment in ("staging", "prod"):
        overlay = folder / "deploy/k8s/overlays" / environment
        overlay.mkdir(parents=True)
        for name, text in FILES.items():
            (overlay / name).write_text(text)
    (folder / "deploy/k8s/base").mkdir()
    (folder / CHART).parent.mkdir(parents=True)
    told: dict[str, Any] = {
        "receivers": [{"name": "nobody"}, {"name": "on-call", "webhook_configs": [{"url": "https://a.example"}]}]
    }
    told |= {"route": {"receiver": "nobody", "routes": [{"receiver": "on-call"}]}}
    (folder / CHART).write_text(chart(told))
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/ci.yml").write_text("on: push\n")
    return folder


@pytest.fixture
def release(clone: Path) -> str:
    return committed(clone, "one")


@pytest.fixture
def branches(clone: Path) -> Branches:
    return Branches(clone)


def test_release_is_a_commit_of_its_manifests_with_its_digests(branches: Branches, release: str, remote: Path) -> None:
    moved = branches.promote("staging", release=release, images=IMAGES)
    assert git(remote, "rev-parse", "deployed/staging") == moved.now
    assert moved.before == ""
    assert branches.images("staging", moved.now) == IMAGES
    assert branches.images("prod", moved.now) == {"platform": OLD, "steps": OLD}
    assert f"Release: {release}" in git(remote, "log", "-1", "--format=%B", "deployed/staging")


def test_branch_has_no_workflows(branches: Branches, release: str, remote: Path) -> None:
    """GitHub lets no workflow push those."""
    branches.promote("staging", release=release, images=IMAGES)
    names = git(remote, "ls-tree", "-r", "--name-only", "deployed/staging").splitlines()
    assert names
    assert {name.rsplit("/", 1)[0] for name in names} == {
        "deploy/k8s/argocd/base/platform", "deploy/k8s/base", "deploy/k8s/overlays/staging", "deploy/k8s/overlays/prod",
    }  # fmt: skip


def test_second_call_changes_nothing(branches: Branches, release: str) -> None:
    first = branches.promote("staging", release=release, images=IMAGES)
    again = branches.promote("staging", release=release, images=IMAGES)
    assert (again.before, again.now) == (first.now, first.now)


def test_clone_is_left_as_it_was(branches: Branches, release: str, clone: Path) -> None:
    branches.promote("staging", release=release, images=IMAGES)
    assert git(clone, "status", "--porcelain") == ""


def test_prod_gets_what_staging_has(branches: Branches, release: str) -> None:
    branches.promote("staging", release=release, images=IMAGES)
    moved = branches.promote("prod", release=release, images=IMAGES, after="staging")
    assert branches.images("prod", moved.now) == IMAGES


@pytest.mark.parametrize("images", [BEFORE, {**IMAGES, "platform": OLD}])
def test_prod_gets_no_digest_that_staging_has_not(
    branches: Branches, release: str, images: dict[str, str], remote: Path
) -> None:
    branches.promote("staging", release=release, images=IMAGES)
    with pytest.raises(ReleaseFault, match="test this one first"):
        branches.promote("prod", release=release, images=images, after="staging")
    assert "prod" not in git(remote, "branch")


def test_prod_gets_no_manifests_that_staging_has_not(branches: Branches, release: str, clone: Path) -> None:
    branches.promote("staging", release=release, images=IMAGES)
    other = committed(clone, "two")
    with pytest.raises(ReleaseFault, match="test this one first"):
        branches.promote("prod", release=other, images=IMAGES, after="staging")


def test_prod_gets_nothing_before_staging_has_something(branches: Branches, release: str) -> None:
    with pytest.raises(ReleaseFault, match="nothing was tested"):
        branches.promote("prod", release=release, images=IMAGES, after="staging")


def test_what_staging_went_back_from_does_not_go_on(branches: Branches, release: str, clone: Path) -> None:
    good = branches.promote("staging", release=release, images=BEFORE)
    bad = committed(clone, "two")
    branches.promote("staging", release=bad, images=IMAGES)
    branches.back("staging", good.now)
    with pytest.raises(ReleaseFault, match="test this one first"):
        branches.promote("prod", release=bad, images=IMAGES, after="staging")
    assert branches.promote("prod", release=release, images=BEFORE, after="staging").now


def test_going_back_is_one_more_commit_with_the_files_of_before(
    branches: Branches, release: str, clone: Path, remote: Path
) -> None:
    first = branches.promote("staging", release=release, images=BEFORE)
    second = branches.promote("staging", release=committed(clone, "two"), images=IMAGES)
    back = branches.back("staging", second.before)
    assert back.before == second.now
    assert git(remote, "diff", first.now, back.now) == ""
    assert git(remote, "rev-list", "--count", "deployed/staging") == "3"
    assert branches.images("staging", back.now) == BEFORE


def test_first_release_has_nothing_to_go_back_to(branches: Branches, release: str) -> None:
    moved = branches.promote("staging", release=release, images=IMAGES)
    with pytest.raises(ReleaseFault, match="nothing to go back to"):
        branches.back("staging", moved.before)


def test_who_lost_a_race_is_refused(
    branches: Branches, release: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's release came between the look at the branch and the push."""
    first = branches.promote("staging", release=release, images=BEFORE)
    branches.promote("staging", release=committed(clone, "two"), images=IMAGES)
    monkeypatch.setattr(Branches, "_head", lambda *_: first.now)
    with pytest.raises(ReleaseFault, match="push"):
        branches.promote("staging", release=committed(clone, "three"), images=IMAGES)


def test_command_says_what_a_workflow_keeps(clone: Path, release: str) -> None:
    words = ["staging", "--release", release, f"platform={NEW}", f"steps={OTHER}"]
    done = subprocess.run(
        [sys.executable, "-m", "deploy.release.promote", *words],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    now = git(clone, "ls-remote", "origin", "deployed/staging").split()[0]
    assert done.stdout == f"before=\nnow={now}\n"


@pytest.mark.parametrize("on_call", [{}, {"webhook_configs": []}, {"name": "of another name"}])
def test_production_whose_alerts_reach_nobody_gets_no_release(
    branches: Branches, clone: Path, on_call: dict[str, Any]
) -> None:
    route = {"receiver": "nobody", "routes": [{"receiver": "on-call"}]}
    (clone / CHART).write_text(chart({"receivers": [{"name": "on-call"} | on_call], "route": route}))
    release = committed(clone, "deaf")
    branches.promote("staging", release=release, images=IMAGES)
    with pytest.raises(ReleaseFault, match="reach nobody: fill in on-call"):
        branches.promote("prod", release=release, images=IMAGES, after="staging")


def test_receivers_of_this_repository_are_to_be_filled_in() -> None:
    assert deaf((ROOT / CHART).read_text(encoding="utf-8")) == ["on-call", "tickets"]
