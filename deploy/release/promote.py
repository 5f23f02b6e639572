"""The branch that an environment's Argo CD follows: a release's manifests, with its images' digests in the overlay.

    python -m deploy.release.promote staging --release COMMIT platform=sha256:… steps=sha256:…
    python -m deploy.release.promote prod --after staging --release COMMIT platform=sha256:… steps=sha256:…
    python -m deploy.release.promote prod --back-to COMMIT

Nothing is forced and nothing rewritten: going back is one more commit, with the files of before. A push that lost a
race is refused by Git itself. Prints `before=` and `now=`, the branch's commits, as a workflow's outputs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from deploy.release.faults import ReleaseFault, told
from deploy.release.overlay import digests, with_digests
from deploy.release.receivers import CHART, deaf

if TYPE_CHECKING:
    from collections.abc import Mapping

READ: Final = ("deploy/k8s", "deploy/observability")
"""What Argo CD reads. No workflows: a branch with those could not be pushed by a workflow."""
PRODUCTION: Final = "prod"
ENVIRONMENTS: Final = ("staging", PRODUCTION)
AUTHOR: Final = ("Esteira release", "release@users.noreply.github.com")


def branch_of(environment: str) -> str:
    return f"deployed/{environment}"


def overlay_of(environment: str) -> str:
    return f"deploy/k8s/overlays/{environment}"


@dataclass(frozen=True, slots=True)
class Moved:
    """`before` is empty where there was no branch yet."""

    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Branches:
    """Of the remote `origin` of a clone that has the release's commit."""

    clone: Path

    def promote(self, environment: str, *, release: str, images: Mapping[str, str], after: str = "") -> Moved:
        """`after`: only what that environment has been found good with, the same files and digests."""
        if after:
            self._require_same(after, release=release, images=images)
        release = self._git("rev-parse", "--verify", f"{release}^{{commit}}")
        if environment == PRODUCTION and (silent := deaf(self._git("show", f"{release}:{CHART}"))):
            raise ReleaseFault(f"Alerts of production reach nobody: fill in {', '.join(silent)} in {CHART}.")
        with TemporaryDirectory() as folder:
            tree = self._tree(Path(folder) / "index", environment, release, images)
        said = "\n".join(f"{image}: {digest}" for image, digest in sorted(images.items()))
        return self._moved(environment, tree, f"Deploy {release[:12]}\n\nRelease: {release}\n{said}\n")

    def back(self, environment: str, to: str) -> Moved:
        if not to:
            raise ReleaseFault(f"{environment} had no release before this one: there is nothing to go back to.")
        tree = self._git("rev-parse", "--verify", f"{to}^{{tree}}")
        return self._moved(environment, tree, f"Back to {to[:12]}\n\n{self._release(to)}\n")

    def images(self, environment: str, commit: str) -> dict[str, str]:
        return digests(self._overlay(environment, commit))

    def _require_same(self, environment: str, *, release: str, images: Mapping[str, str]) -> None:
        head = self._head(environment)
        if not head:
            raise ReleaseFault(f"{environment} has no release: nothing was tested there.")
        there = self.images(environment, head)
        other = sorted(image for image, digest in images.items() if there.get(image) != digest)
        if other or self._release(head) != f"Release: {release}":
            raise ReleaseFault(
                f"{environment} runs another release than {release} with these digests: test this one first."
            )

    def _release(self, commit: str) -> str:
        lines = self._git("log", "-1", "--format=%B", commit).splitlines()
        return next((line for line in lines if line.startswith("Release: ")), "")

    def _tree(self, index: Path, environment: str, release: str, images: Mapping[str, str]) -> str:
        for folder in READ:
            if self._git("ls-tree", release, folder):
                self._git("read-tree", f"--prefix={folder}/", f"{release}:{folder}", index=index)
        for name, text in with_digests(self._overlay(environment, release), images).items():
            blob = self._git("hash-object", "-w", "--stdin", given=text)
            self._git("update-index", "--cacheinfo", f"100644,{blob},{name}", index=index)
        return self._git("write-tree", index=index)

    def _overlay(self, environment: str, commit: str) -> dict[str, str]:
        names = self._git("ls-tree", "-r", "--name-only", commit, f"{overlay_of(environment)}/").splitlines()
        if not names:
            raise ReleaseFault(f"{commit[:12]} has no {overlay_of(environment)}.")
        return {name: self._git("show", f"{commit}:{name}", is_text=True) for name in names}

    def _head(self, environment: str) -> str:
        """As it is on the remote just now."""
        branch = branch_of(environment)
        if not self._git("ls-remote", "--heads", "origin", f"refs/heads/{branch}"):
            return ""
        self._git("fetch", "--quiet", "--no-tags", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
        return self._git("rev-parse", f"refs/remotes/origin/{branch}")

    def _moved(self, environment: str, tree: str, message: str) -> Moved:
        head = self._head(environment)
        if head and self._git("rev-parse", f"{head}^{{tree}}") == tree and f"\n{self._release(head)}\n" in message:
            return Moved(head, head)
        parents = ["-p", head] if head else []
        commit = self._git("commit-tree", tree, *parents, given=message)
        self._git("push", "--quiet", "origin", f"{commit}:refs/heads/{branch_of(environment)}")
        return Moved(head, commit)

    def _git(self, *words: str, given: str = "", index: Path | None = None, is_text: bool = False) -> str:
        name, mail = AUTHOR
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", mail))
        }
        env = os.environ | who | ({"GIT_INDEX_FILE": str(index)} if index else {})
        done = subprocess.run(
            ["git", *words], cwd=self.clone, env=env, input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ReleaseFault(f"git {' '.join(words[:2])}: {done.stderr.strip()}")
        return done.stdout if is_text else done.stdout.strip()


def image(word: str) -> tuple[str, str]:
    name, _, digest = word.partition("=")
    return name, digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    parser.add_argument("--release", metavar="COMMIT")
    parser.add_argument("--after", choices=("", *ENVIRONMENTS), default="")
    parser.add_argument("--back-to", metavar="COMMIT")
    parser.add_argument("images", nargs="*", type=image, metavar="NAME=DIGEST")
    asked = parser.parse_intermixed_args()
    branches = Branches(Path.cwd())
    with told():
        if asked.back_to is not None:
            moved = branches.back(asked.environment, asked.back_to)
        elif asked.release and asked.images:
            moved = branches.promote(
                asked.environment, release=asked.release, images=dict(asked.images), after=asked.after
            )
        else:
            parser.error("name the release and its images, or what to go back to")
    print(f"before={moved.before}\nnow={moved.now}")


if __name__ == "__main__":
    main()
