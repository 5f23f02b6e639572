"""Every error that AWS can answer is "later" or "never", each for a reason."""

from __future__ import annotations

import logging
from typing import Any, Final

import botocore.retries.standard
import botocore.session
import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from orchestration.engines.step_functions.faults import CODES, Verdict, by_code, translate, translated, verdict
from orchestration.errors import EngineRejected, EngineUnavailable

standard: Any = botocore.retries.standard
OPERATIONS: Final = {
    "stepfunctions": (
        "StartExecution",
        "StopExecution",
        "DescribeExecution",
        "ListExecutions",
        "GetExecutionHistory",
        "RedriveExecution",
    ),
    "batch": (
        "RegisterJobDefinition",
        "DescribeJobDefinitions",
        "DescribeJobs",
        "ListJobs",
        "TerminateJob",
        "TerminateJobs",
        "DescribeJobQueues",
        "DescribeComputeEnvironments",
    ),
    "logs": ("GetLogEvents", "DescribeLogStreams", "FilterLogEvents"),
}
NEVER: Final = {
    "ClientException",
    "ExecutionAlreadyExists",
    "ExecutionDoesNotExist",
    "ExecutionNotRedrivable",
    "InvalidArn",
    "InvalidExecutionInput",
    "InvalidName",
    "InvalidParameterException",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StateMachineTypeNotSupported",
    "ValidationException",
}
# aws.md 2.4, as Batch and Step Functions spell what a state machine sees with `Batch.` before it.
SUBMISSION: Final = ("TooManyRequestsException", "ServerException", "AWSBatchException", "SdkClientException")


def declared() -> set[str]:
    found = set()
    for service, operations in OPERATIONS.items():
        model = botocore.session.get_session().get_service_model(service)
        for name in operations:
            shapes: Any = model.operation_model(name).error_shapes
            found |= {shape.error_code for shape in shapes}
    return found


def answered(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "No."},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r", "RetryAttempts": 0},
    }
    return ClientError(response, "StartExecution")


@pytest.mark.parametrize("code", sorted(declared()))
def test_every_code_that_the_services_declare_is_in_the_table(code: str) -> None:
    assert (CODES[code] is Verdict.NEVER) == (code in NEVER)


def test_services_declare_what_this_table_was_made_for() -> None:
    assert declared() >= NEVER | {"ServerException", "ExecutionLimitExceeded", "KmsThrottlingException"}


@pytest.mark.parametrize(
    "code",
    [
        *SUBMISSION,
        *standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
        *standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES,
    ],
)
def test_what_botocore_tries_again_is_later(code: str) -> None:
    assert CODES[code] is Verdict.LATER


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KmsAccessDeniedException",
        "KmsInvalidStateException",
        "StateMachineDoesNotExist",
        "UnrecognizedClientException",
    ],
)
def test_what_an_administrator_can_mend_is_later_and_is_said_aloud(code: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert isinstance(translate(answered(code)), EngineUnavailable)

    assert [(record.levelname, record.__dict__["reason"]) for record in caplog.records] == [("ERROR", code)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, Verdict.LATER),
        (200, Verdict.LATER),
        (302, Verdict.LATER),
        (400, Verdict.NEVER),
        (401, Verdict.MENDABLE),
        (403, Verdict.MENDABLE),
        (404, Verdict.NEVER),
        (408, Verdict.LATER),
        (413, Verdict.NEVER),
        (429, Verdict.LATER),
        (500, Verdict.LATER),
        (503, Verdict.LATER),
        (599, Verdict.LATER),
    ],
)
def test_unknown_code_is_judged_by_its_status(status: int, expected: Verdict) -> None:
    assert by_code("BrandNewException", status) is expected
    assert by_code("", status) is expected


def test_unknown_code_that_speaks_of_throttling_is_later() -> None:
    assert by_code("NewFangledThrottlingException", 400) is Verdict.LATER


def test_missing_permission_is_mendable_by_whatever_code_it_is_said() -> None:
    assert verdict(answered("ClientException", 403)) is Verdict.MENDABLE
    assert verdict(answered("ClientException", 400)) is Verdict.NEVER


CONNECTION: Final[list[BotoCoreError]] = [
    exceptions.EndpointConnectionError(endpoint_url="https://states"),
    exceptions.ConnectTimeoutError(endpoint_url="https://states"),
    exceptions.ReadTimeoutError(endpoint_url="https://states"),
    exceptions.ConnectionClosedError(endpoint_url="https://states"),
    exceptions.ProxyConnectionError(proxy_url="https://proxy"),
    exceptions.SSLError(endpoint_url="https://states", error=OSError("expired")),
    exceptions.HTTPClientError(error="reset"),
    exceptions.ResponseStreamingError(error="cut"),
    exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
]
SET_UP: Final[list[BotoCoreError]] = [
    exceptions.NoCredentialsError(),
    exceptions.PartialCredentialsError(provider="env", cred_var="key"),
    exceptions.CredentialRetrievalError(provider="web identity", error_msg="no"),
    exceptions.NoRegionError(),
    exceptions.ProfileNotFound(profile="lab"),
]
ASKED: Final[list[BotoCoreError]] = [
    exceptions.ParamValidationError(report="no"),
    exceptions.MissingParametersError(object_name="x", missing="y"),
    exceptions.RangeError(value=1, param="x", min_value=2, max_value=3),
]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((error, Verdict.LATER) for error in CONNECTION),
        *((error, Verdict.MENDABLE) for error in SET_UP),
        *((error, Verdict.NEVER) for error in ASKED),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else given.name,
)
def test_error_without_an_answer_is_judged_by_its_kind(error: BotoCoreError, expected: Verdict) -> None:
    assert verdict(error) is expected


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (answered("ThrottlingException"), EngineUnavailable, "ThrottlingException"),
        (answered("InvalidName"), EngineRejected, "InvalidName"),
        (CONNECTION[0], EngineUnavailable, "EndpointConnectionError"),
        (ASKED[0], EngineRejected, "ParamValidationError"),
    ],
)
def test_error_is_translated_with_its_reason_and_its_cause(
    error: ClientError | BotoCoreError, kind: type[EngineUnavailable | EngineRejected], reason: str
) -> None:
    with pytest.raises(kind) as caught, translated():
        raise error

    assert caught.value.details == {"reason": reason}
    assert caught.value.__cause__ is error


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError("executionArn")
