"""One small job through everything that a person's job goes through: `python -m deploy.release.smoke https://…`.

The token comes from ESTEIRA_TOKEN: a service account's, in a workspace of its own (docs/release.md).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import httpx

from api_app.client import Client, EsteiraError, signatures, verifying
from deploy.release.faults import ReleaseFault, told

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job

PIPELINE: Final = "tabular-profile"
TABLE: Final = b"number,square\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(100))
LIMIT_S: Final = 30


def smoke(url: str, token: str, *, patience_s: float) -> str:
    """Raises ReleaseFault for the first thing that is not as it must be. Gives the job's id."""
    _require_ready(url)
    try:
        with Client(url, token) as client:
            job = _ended(client, patience_s)
            with TemporaryDirectory() as name:
                folder = Path(name)
                client.download_results(job["id"], folder)  # each file against its SHA-256
                _require_as_signed(client, job["id"], folder)
    except EsteiraError as exc:
        raise ReleaseFault(f"{url}: {exc}") from exc
    return job["id"]


def _require_ready(url: str) -> None:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health/ready", timeout=LIMIT_S)
    except httpx.HTTPError as exc:
        raise ReleaseFault(f"{url} does not answer: {exc}") from exc
    if answer.status_code != httpx.codes.OK:
        raise ReleaseFault(f"{url} is not ready: {answer.status_code} {answer.text[:200]}")


def _ended(client: Client, patience_s: float) -> Job:
    with TemporaryDirectory() as folder:
        path = Path(folder, "smoke.csv")
        path.write_bytes(TABLE)
        file = client.upload(path)
    job = client.submit(PIPELINE, [file["id"]], name="smoke test", labels={"smoke": "true"})
    began = time.monotonic()
    try:
        job = client.wait(job["id"], timeout_s=patience_s)
    except TimeoutError as exc:
        raise ReleaseFault(str(exc)) from exc
    if job["state"] != "SUCCEEDED":
        raise ReleaseFault(f"Job {job['id']} is {job['state']}: {job['failure_detail'] or job['failure_kind']}.")
    print(f"{PIPELINE} {job['id']} succeeded in {time.monotonic() - began:.0f} s.")
    return job


def _require_as_signed(client: Client, job_id: str, folder: Path) -> None:
    statement, _ = signatures.opened(client.manifest(job_id), signatures.read_keys(client.signing_keys()))
    with verifying.source_of(folder) as source:
        verdict = verifying.check(verifying.subjects_of(statement), source)
    if wrong := [*verdict.changed, *verdict.missing, *verdict.unsigned]:
        raise ReleaseFault(f"Results of {job_id} are not those that were signed: {', '.join(wrong)}.")
    if not verdict.good:
        raise ReleaseFault(f"Job {job_id} has no results.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument(
        "--patience", type=float, default=600, metavar="SECONDS", help="for the job: machines may have to start"
    )
    asked = parser.parse_args()
    with told():
        smoke(asked.url, os.environ.get("ESTEIRA_TOKEN", ""), patience_s=asked.patience)


if __name__ == "__main__":
    main()
