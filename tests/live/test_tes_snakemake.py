"""Snakemake's executor for TES, unmodified: a workflow of two rules whose files lie in a bucket."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

from orchestration.runner.sandbox import find, works
from tests.live.platform import Platform, running
from tests.live.snakemake import environment_of_snakemake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BWRAP = find()
IMAGE: Final = "snakemake/snakemake:v9"
BUCKET: Final = "flow"
REGION: Final = "us-east-1"
KEY: Final = "only-for-tests"
FLOW: Final = """\
rule all:
    input: "counted.txt"

rule sort:
    input: "numbers.txt"
    output: "sorted.txt"
    shell: "sort {input} > {output}"

rule count:
    input: "sorted.txt"
    output: "counted.txt"
    shell: "wc -l < {input} > {output}; tail -n 1 {input} >> {output}"
"""
pytestmark = [
    pytest.mark.xdist_group("snakemake"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(BWRAP is None or not works(BWRAP, None), reason="bubblewrap is missing or not allowed here"),
]


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Of an object storage. Not the strict double: Snakemake lists by the first version of S3's call."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def here() -> Path:
    return environment_of_snakemake()


@pytest.fixture
def platform(here: Path) -> Iterator[Platform]:
    with running({"ESTEIRA_TES_IMAGES": f"{IMAGE}={here}", "ESTEIRA_TES_NETWORK": "true"}) as platform:
        yield platform


def test_snakemake_runs_its_rules_as_tasks(platform: Platform, here: Path, endpoint: str, tmp_path: Path) -> None:
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=KEY)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="numbers.txt", Body=b"3\n1\n2\n")
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "Snakefile").write_text(FLOW)
    said = subprocess.run(
        [
            f"{here}/bin/snakemake", "--executor", "tes", "--jobs", "1", "--tes-url", f"{platform.url}/ga4gh/tes",
            "--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}",
            "--storage-s3-endpoint-url", endpoint, "--storage-s3-region", REGION,
            "--container-image", IMAGE, "--envvars", "NO_PROXY", "--seconds-between-status-checks", "1",
            "--verbose",
        ],
        cwd=folder,
        env={
            "PATH": f"{here}/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
            "SNAKEMAKE_TES_TOKEN": platform.token,
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": KEY,
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": KEY,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )  # fmt: skip
    assert said.returncode == 0, f"{said.stdout}\n{said.stderr}\n{platform.logs()}"
    assert s3.get_object(Bucket=BUCKET, Key="counted.txt")["Body"].read() == b"3\n3\n"
    s3.close()
    jobs = platform.sql(
        "SELECT j.state FROM orchestration_job j JOIN orchestration_pipelineversion v ON v.id = j.pipeline_version_id"
        " JOIN orchestration_pipeline p ON p.id = v.pipeline_id WHERE p.is_internal"
    )
    assert jobs == [("SUCCEEDED",), ("SUCCEEDED",)]
