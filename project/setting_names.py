"""The names of all settings, so that a mistyped one is no setting that silently does nothing."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from project.env import BadSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: Final = frozenset(
    {
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "DATABASE_URL",
        "ESTEIRA_ADMIN_IDLE_MINUTES",
        "ESTEIRA_ADMIN_NETWORKS",
        "ESTEIRA_ALLOWED_HOSTS",
        "ESTEIRA_API_DOCS_PUBLIC",
        "ESTEIRA_API_THREADS",
        "ESTEIRA_AWS_ENDPOINT",
        "ESTEIRA_BATCH_EXECUTION_ROLE",
        "ESTEIRA_BATCH_FAIR_SHARE",
        "ESTEIRA_BATCH_GPU_QUEUE",
        "ESTEIRA_BATCH_IMAGE",
        "ESTEIRA_BATCH_LOG_GROUP",
        "ESTEIRA_BATCH_PLATFORM",
        "ESTEIRA_BATCH_PREFIX",
        "ESTEIRA_BATCH_QUEUE",
        "ESTEIRA_BATCH_SPOT_QUEUE",
        "ESTEIRA_BROKER_URL",
        "ESTEIRA_CLAMD",
        "ESTEIRA_CONTENT_ORIGIN",
        "ESTEIRA_DB_LOCK_TIMEOUT_MS",
        "ESTEIRA_DB_NEAR_HOSTS",
        "ESTEIRA_DB_POOL_SIZE",
        "ESTEIRA_DB_STATEMENT_TIMEOUT_MS",
        "ESTEIRA_DEBUG",
        "ESTEIRA_DRAIN_S",
        "ESTEIRA_ENGINE",
        "ESTEIRA_EVENTS_QUEUE",
        "ESTEIRA_EXPIRY_WARNING_DAYS",
        "ESTEIRA_GRACE_S",
        "ESTEIRA_HAND_OVERS_AT_ONCE",
        "ESTEIRA_HOME",
        "ESTEIRA_HOST",
        "ESTEIRA_HTTPS",
        "ESTEIRA_LOCAL_MEMORY_MIB",
        "ESTEIRA_LOCAL_VCPUS",
        "ESTEIRA_LOG_LEVEL",
        "ESTEIRA_MAIL_FROM",
        "ESTEIRA_MAIL_URL",
        "ESTEIRA_MANIFESTS",
        "ESTEIRA_MAX_ACTIVE_JOBS",
        "ESTEIRA_MAX_OPEN_UPLOADS",
        "ESTEIRA_MAX_RETENTION_DAYS",
        "ESTEIRA_MAX_UPLOAD_BYTES",
        "ESTEIRA_METRICS_HOST",
        "ESTEIRA_METRICS_PORT",
        "ESTEIRA_OIDC",
        "ESTEIRA_PORT",
        "ESTEIRA_PRICES",
        "ESTEIRA_PROCESS",
        "ESTEIRA_PRODUCTION",
        "ESTEIRA_PUBLIC_URL",
        "ESTEIRA_RATE_TOKEN",
        "ESTEIRA_RATE_USER",
        "ESTEIRA_RATE_WORKSPACE",
        "ESTEIRA_RECEIVE",
        "ESTEIRA_RUNNER_URL",
        "ESTEIRA_S3_ACCELERATE",
        "ESTEIRA_S3_ADDRESSING",
        "ESTEIRA_S3_BUCKET_RESULTS",
        "ESTEIRA_S3_BUCKET_UPLOADS",
        "ESTEIRA_S3_CHECKSUM",
        "ESTEIRA_S3_ENDPOINT",
        "ESTEIRA_S3_KMS_KEY",
        "ESTEIRA_S3_PREFIX",
        "ESTEIRA_S3_REGION",
        "ESTEIRA_SCANNER",
        "ESTEIRA_SCRUB_DAYS",
        "ESTEIRA_SCRUB_MIB_S",
        "ESTEIRA_SECOND_FACTOR",
        "ESTEIRA_SECRETS_DIR",
        "ESTEIRA_SECRET_KEY",
        "ESTEIRA_SECRET_KEY_FALLBACKS",
        "ESTEIRA_SHARE_MAX_DAYS",
        "ESTEIRA_SIGNING_KEY",
        "ESTEIRA_SIGN_IN_TRIES",
        "ESTEIRA_STATE_MACHINE",
        "ESTEIRA_STATIC_ROOT",
        "ESTEIRA_STEP_ISOLATION",
        "ESTEIRA_STORAGE",
        "ESTEIRA_TEST_DATABASE",
        "ESTEIRA_TES_IMAGES",
        "ESTEIRA_TES_NETWORK",
        "ESTEIRA_TES_ROLE",
        "ESTEIRA_TRACES",
        "ESTEIRA_TRACES_HEADERS",
        "ESTEIRA_TRACES_SAMPLED",
        "ESTEIRA_TRACES_TRUSTED",
        "ESTEIRA_TRACE_URL",
        "ESTEIRA_TRUSTED_ORIGINS",
        "ESTEIRA_TRUSTED_PROXIES",
        "ESTEIRA_UPLOAD_IETF",
        "ESTEIRA_UPLOAD_TUS",
        "ESTEIRA_WEBHOOK_NETWORKS",
        "ESTEIRA_WEBHOOK_PORTS",
        "ESTEIRA_WEBHOOK_PROXY",
        "ESTEIRA_WEBHOOK_SENDERS",
    }
)
OTHERS: Final = frozenset(
    {
        "ESTEIRA_ATTEMPT_ID",
        "ESTEIRA_INPUTS",
        "ESTEIRA_ITEM",
        "ESTEIRA_ITEMS",
        "ESTEIRA_ITEMS_PER_CHILD",
        "ESTEIRA_JOB_ID",
        "ESTEIRA_MANIFEST",
        "ESTEIRA_OUTPUTS",
        "ESTEIRA_PARAMS",
        "ESTEIRA_POINTS",
        "ESTEIRA_PULSE",
        "ESTEIRA_RUN",
        "ESTEIRA_SEED",
        "ESTEIRA_SERVER",
        "ESTEIRA_STEP",
        "ESTEIRA_STEP_TOKEN",
        "ESTEIRA_TOKEN",
        "ESTEIRA_URL",
    }
)
"""Of the command, the runner and the steps: they mean nothing to the platform, and are no mistakes."""
ALIKE: Final = 0.9
OURS: Final = "ESTEIRA_"
MISTAKEN: Final = {f"{OURS}{name}": name for name in SETTINGS if not name.startswith(OURS)}


def refuse_mistyped(environ: Mapping[str, str]) -> None:
    """What is like none of ours is let be: a cluster puts variables of its own beside them."""
    for name in environ:
        plain = name.removesuffix("_FILE")
        if plain in SETTINGS | OTHERS or not name.startswith(OURS):
            continue
        meant = MISTAKEN.get(plain) or next(iter(get_close_matches(plain, SETTINGS, n=1, cutoff=ALIKE)), "")
        if meant:
            raise BadSetting(name, "set", f"no such name. Rename it to {meant}, or take it away")
