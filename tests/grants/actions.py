"""Which IAM actions on which resources a call to AWS needs. Names in `${…}` are what Terraform fills in.

Buckets and the queue are encrypted with keys of the customer's, so that reading and writing ask their keys too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Needed = list[tuple[str, str]]
type Params = Mapping[str, Any]

HERE: Final = "${region}:${account}"
DEFINITIONS: Final = f"arn:aws:batch:{HERE}:job-definition/${{prefix}}-*"
JOBS: Final = f"arn:aws:batch:{HERE}:job/*"
QUEUES: Final = f"arn:aws:batch:{HERE}:job-queue/${{prefix}}-*"
MACHINE: Final = f"arn:aws:states:{HERE}:stateMachine:${{state_machine}}"
EXECUTIONS: Final = f"arn:aws:states:{HERE}:execution:${{state_machine}}:*"
EVENTS: Final = f"arn:aws:sqs:{HERE}:${{events_queue}}"
# Step Functions makes this rule by itself for every `.sync` of Batch, in the name of the machine's role.
MANAGED_RULE: Final = f"arn:aws:events:{HERE}:rule/StepFunctionsGetEventsForBatchJobsRule"
READ_KEY: Final = ("kms:Decrypt", "${storage_key}")
WRITE_KEY: Final = ("kms:GenerateDataKey", "${storage_key}")

# The folders of our aliases, whatever lies before them in a bucket.
_FOLDER: Final = re.compile(r"(?:^|/)(uploads|results|code|runs)/")
_ALIAS: Final = {"uploads": "uploads", "results": "results", "code": "code", "runs": "manifests"}
_BUCKET: Final = {"code": "results"}
"""Of an alias that has none of its own."""


def objects(key: str) -> str:
    found = _FOLDER.search(key)
    if found is None:
        raise AssertionError(f"{key!r} lies in no folder of ours: tests/grants/actions.py knows them")
    alias = _ALIAS[found[1]]
    return f"{_bucket_of(alias)}/${{{alias}_folder}}/*"


def _bucket_of(alias: str) -> str:
    return f"arn:aws:s3:::${{{_BUCKET.get(alias, alias)}_bucket}}"


def buckets(key: str) -> list[str]:
    """The one where a key or a prefix lies; what is asked of a bucket as a whole is asked of each."""
    found = _FOLDER.search(key)
    aliases = [_ALIAS[found[1]]] if found else ["results", "uploads"]
    return [_bucket_of(alias) for alias in aliases]


def _of_object(*actions: str, versioned: str = "", keys: Needed | None = None) -> Callable[[Params], Needed]:
    """`versioned` is what a call that names a version needs instead."""

    def needed(params: Params) -> Needed:
        names = (versioned,) if versioned and params.get("VersionId") else actions
        return [*((name, objects(params["Key"])) for name in names), *(keys or [])]

    return needed


def _head(params: Params) -> Needed:
    """Without leave to list, S3 answers 403 for what is not there, and nobody could tell it from forbidden."""
    return [*_read(params), *(("s3:ListBucket", one) for one in buckets(params["Key"]))]


def _of_bucket(action: str) -> Callable[[Params], Needed]:
    return lambda params: [(action, one) for one in buckets(params.get("Prefix", ""))]


def _on(action: str, resource: str) -> Callable[[Params], Needed]:
    return lambda _: [(action, resource)]


def _anywhere(action: str) -> Callable[[Params], Needed]:
    """Actions that know no resources: policies can only say `*`."""
    return _on(action, "*")


def _register(params: Params) -> Needed:
    return [
        ("batch:RegisterJobDefinition", DEFINITIONS),
        # Tags on what is made need their own permission, and a role that is handed on needs one to hand it on.
        *([("batch:TagResource", DEFINITIONS)] if params.get("tags") else []),
        *([("iam:PassRole", "${steps_role}")] if params["containerProperties"].get("executionRoleArn") else []),
    ]


def _submit(params: Params) -> Needed:
    """By the state machine, which waits for the end: it looks by polling and by a rule, and ends it when stopped."""
    return [
        *(("batch:SubmitJob", place) for place in (DEFINITIONS, JOBS, QUEUES)),
        *([("batch:TagResource", JOBS)] if params.get("tags") else []),
        ("batch:TerminateJob", JOBS),
        *((f"events:{verb}", MANAGED_RULE) for verb in ("DescribeRule", "PutRule", "PutTargets")),
    ]


def _receive(_: Params) -> Needed:
    return [("sqs:ReceiveMessage", EVENTS), ("kms:Decrypt", "${events_key}")]


_read: Final = _of_object("s3:GetObject", versioned="s3:GetObjectVersion", keys=[READ_KEY])
_write: Final = _of_object("s3:PutObject", keys=[WRITE_KEY])
_write_parts: Final = _of_object("s3:PutObject", keys=[WRITE_KEY, READ_KEY])

NEEDED: Final[dict[str, Callable[[Params], Needed]]] = {
    "StartExecution": _on("states:StartExecution", MACHINE),
    "StopExecution": _on("states:StopExecution", EXECUTIONS),
    "DescribeExecution": _on("states:DescribeExecution", EXECUTIONS),
    "RedriveExecution": _on("states:RedriveExecution", EXECUTIONS),
    "ListExecutions": _on("states:ListExecutions", MACHINE),
    "SubmitJob": _submit,
    "RegisterJobDefinition": _register,
    "DescribeJobDefinitions": _anywhere("batch:DescribeJobDefinitions"),
    "DescribeJobs": _anywhere("batch:DescribeJobs"),
    "ListJobs": _anywhere("batch:ListJobs"),
    "DescribeJobQueues": _anywhere("batch:DescribeJobQueues"),
    "DescribeComputeEnvironments": _anywhere("batch:DescribeComputeEnvironments"),
    # The bulk call asks for the permission of the single one, for each job.
    "TerminateJobs": _on("batch:TerminateJob", JOBS),
    "DescribeStateMachine": _on("states:DescribeStateMachine", MACHINE),
    "DescribeLogGroups": _anywhere("logs:DescribeLogGroups"),
    "GetQueueAttributes": _on("sqs:GetQueueAttributes", EVENTS),
    "ReceiveMessage": _receive,
    "DeleteMessage": _on("sqs:DeleteMessage", EVENTS),
    "PutObject": _write,
    "CreateMultipartUpload": _write,
    "UploadPart": _write_parts,
    "CompleteMultipartUpload": _write_parts,
    "AbortMultipartUpload": _of_object("s3:AbortMultipartUpload"),
    "ListParts": _of_object("s3:ListMultipartUploadParts"),
    "GetObject": _read,
    "HeadObject": _head,
    "GetObjectTagging": _of_object("s3:GetObjectTagging", versioned="s3:GetObjectVersionTagging"),
    "DeleteObject": _of_object("s3:DeleteObject", versioned="s3:DeleteObjectVersion"),
    "ListObjectsV2": _of_bucket("s3:ListBucket"),
    "ListObjectVersions": _of_bucket("s3:ListBucketVersions"),
    "ListMultipartUploads": _of_bucket("s3:ListBucketMultipartUploads"),
    "HeadBucket": _of_bucket("s3:ListBucket"),
    "GetBucketVersioning": _of_bucket("s3:GetBucketVersioning"),
    "GetBucketLifecycleConfiguration": _of_bucket("s3:GetLifecycleConfiguration"),
}


def signed(method: str, key: str, query: Mapping[str, str]) -> Needed:
    """Of a URL: whoever uses it does so with the permissions of the process that signed it."""
    params = {"Key": key, "VersionId": query.get("versionId", "")}
    if method == "GET":
        return _read(params)
    return _write_parts(params) if "uploadId" in query else _write(params)
