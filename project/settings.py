"""The one settings file. Reads of the environment go through `project.env`, which stops on a bad value."""

import os
import re
import secrets
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api_app.client.home import default_home
from project import aws_cell, content_origin, env, object_storage, production, setting_names, tes, traces_setting
from project.db_check import check
from project.embedded.location import embedded_database_url
from project.kept_secret import made_once, signing_key
from project.price_table import price_table
from project.sign_in import *  # noqa: F403  what it lists in __all__
from project.sign_in import ALLAUTH_SIGN_IN_APPS

setting_names.refuse_mistyped(os.environ)
BASE_DIR = Path(__file__).resolve().parent.parent
LEAST_KEY = 32
"""Characters: below them a key can be guessed."""
# Beyond one's own machine: then nothing is made up that has to be given, and nothing is left open.
PRODUCTION = env.flag("ESTEIRA_PRODUCTION", default=False)
ESTEIRA_HOME = env.folder("ESTEIRA_HOME", default_home())
ESTEIRA_HOST = env.text("ESTEIRA_HOST", "127.0.0.1")
ESTEIRA_PORT = env.integer("ESTEIRA_PORT", 8000, least=1, most=65_535)
# After SIGTERM the web process goes on for DRAIN_S, not ready any longer; then what is under way has GRACE_S.
DRAIN_S = env.integer("ESTEIRA_DRAIN_S", 0, least=0, most=600)
GRACE_S = env.integer("ESTEIRA_GRACE_S", 4, least=1, most=600)


def _secret_key() -> str:
    """From the environment, else one that is made once and kept beside the data."""
    if given := env.text("ESTEIRA_SECRET_KEY"):
        if len(given) < LEAST_KEY:
            raise env.BadSetting("ESTEIRA_SECRET_KEY", "***", f"at least {LEAST_KEY} characters")
        return given
    return made_once(ESTEIRA_HOME / "secret_key", secrets.token_urlsafe(64))


def _address(url: str) -> dict[str, Any]:
    return dict(conninfo_to_dict(url))


def _database(url: str) -> dict[str, Any]:
    parts = env.database("DATABASE_URL", url)
    known = {"dbname", "user", "password", "host", "port"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "CONN_MAX_AGE": 0,
        # Not optional: without it every request after a failover fails once per pooled connection.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "pool": {"min_size": 0, "max_size": DB_POOL_SIZE, "timeout": 10, "max_idle": 60, "check": check},
            # Plans are made once a connection, not once a statement: a third of the database's work for a job.
            "server_side_binding": True,
            "prepare_threshold": 3,
            "application_name": env.text("ESTEIRA_PROCESS", "manage"),
            # A statement that waits longer than this for a lock gives up instead of queueing behind others.
            "options": f"-c lock_timeout={DB_LOCK_TIMEOUT_MS} -c statement_timeout={DB_STATEMENT_TIMEOUT_MS}",
            **{key: value for key, value in parts.items() if key not in known},
        },
        "TEST": {"NAME": env.text("ESTEIRA_TEST_DATABASE", "test_esteira")},
    }


SECRET_KEY = _secret_key()
# Signs the manifests of jobs; every process that signs must have the same one.
SIGNING_KEY = signing_key(ESTEIRA_HOME)
SECRET_KEY_FALLBACKS = env.keys("ESTEIRA_SECRET_KEY_FALLBACKS", LEAST_KEY)
DEBUG = env.flag("ESTEIRA_DEBUG", default=False)
ALLOWED_HOSTS = env.words("ESTEIRA_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
if "*" in ALLOWED_HOSTS:
    raise env.BadSetting("ESTEIRA_ALLOWED_HOSTS", "*", "a comma-separated list of host names, without *")
TRUSTED_PROXIES = [str(one) for one in env.networks("ESTEIRA_TRUSTED_PROXIES", strict=False)]
# From elsewhere the admin is not there; none: it is for everybody who may sign in to it.
ADMIN_NETWORKS = env.networks("ESTEIRA_ADMIN_NETWORKS")
ADMIN_IDLE_S = 60 * env.integer("ESTEIRA_ADMIN_IDLE_MINUTES", 60, least=1, most=1_440)
CSRF_TRUSTED_ORIGINS = env.origins("ESTEIRA_TRUSTED_ORIGINS")

DB_POOL_SIZE = env.integer("ESTEIRA_DB_POOL_SIZE", 16, least=4, most=200)
DB_LOCK_TIMEOUT_MS = env.integer("ESTEIRA_DB_LOCK_TIMEOUT_MS", 10_000, least=100, most=600_000)
DB_STATEMENT_TIMEOUT_MS = env.integer("ESTEIRA_DB_STATEMENT_TIMEOUT_MS", 60_000, least=0, most=3_600_000)
# API threads never outnumber the pool: a thread that waits for a connection stalls its request.
API_THREADS = env.integer("ESTEIRA_API_THREADS", 8, least=1, most=DB_POOL_SIZE)
DATABASE_URL = env.text("DATABASE_URL") or embedded_database_url(ESTEIRA_HOME)
DATABASES = {"default": _database(DATABASE_URL)}

INSTALLED_APPS = [
    "orchestration",
    "frontend_app",
    "project",
    "channels",
    # Its pages are found by the URLs: a process that serves none need not load them.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    *ALLAUTH_SIGN_IN_APPS,
]
AUTH_USER_MODEL = "orchestration.User"
MIDDLEWARE = [
    "frontend_app.packed.PackedPages",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "frontend_app.people.signed_in.SignedIn",
    "frontend_app.people.reader.SpeaksToReader",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "frontend_app.people.required.SecondFactorRequired",
    "frontend_app.admin.door.AdminDoor",
]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "frontend_app.catalogue.words",
                "frontend_app.people.frame.frame",
            ],
        },
    },
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "job-list"
LOGOUT_REDIRECT_URL = "account_login"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Cookies are Secure wherever the public address is https; on the laptop's http://127.0.0.1 they cannot be.
HTTPS = env.flag("ESTEIRA_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Sent by the stack (project/stack/headers.py), over https alone.
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Probes ask a process past the proxy that has the certificate.
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/"]
# Two clones on one machine share the host name, and cookies know no ports: the port is in the name.
_COOKIE_PREFIX = "__Host-" if HTTPS else f"esteira{ESTEIRA_PORT}-"
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrf"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_HTTPONLY = True

LANGUAGE_CODE = "en"
# Each in its own words: whoever looks for hers may not read the one the page is in. docs/languages.md.
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)")]
LANGUAGE_COOKIE_NAME = f"{_COOKIE_PREFIX}language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
FORMAT_MODULE_PATH = "project.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = env.folder("ESTEIRA_STATIC_ROOT", ESTEIRA_HOME / "static")
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
MAX_UPLOAD_BYTES = env.integer("ESTEIRA_MAX_UPLOAD_BYTES", 5 << 40, least=1, most=48 << 40)
# auto: bodies of files go past the event loop where a test at start shows that it works; stock: never.
RECEIVE = env.choice("ESTEIRA_RECEIVE", "auto", allowed=("auto", "stock"))
SCANNER = env.choice("ESTEIRA_SCANNER", "none", allowed=("none", "clamd", "guardduty"))
CLAMD = env.text("ESTEIRA_CLAMD", "unix:/run/clamav/clamd.ctl")
if not re.fullmatch(r"unix:/.+|tcp:.+:[0-9]+", CLAMD):
    raise env.BadSetting("ESTEIRA_CLAMD", CLAMD, "unix:/path/of/its.socket or tcp:host:port")
# How long before its date somebody is told that a file will be deleted; 0: nobody is.
EXPIRY_WARNING_DAYS = env.integer("ESTEIRA_EXPIRY_WARNING_DAYS", 14, least=0, most=365)
# From today on; no file can be extended beyond it.
MAX_RETENTION_DAYS = env.integer("ESTEIRA_MAX_RETENTION_DAYS", 3_660, least=1, most=36_600)
# Every stored byte is read against its digest once in so many days, and at most so much of them in a second.
SCRUB_DAYS = env.integer("ESTEIRA_SCRUB_DAYS", 30, least=0, most=3_660)
SCRUB_MIB_S = env.integer("ESTEIRA_SCRUB_MIB_S", 50, least=1, most=100_000)
# Results may be shown to people without an account by links that last so long at most; 0: by none.
SHARE_MAX_DAYS = env.integer("ESTEIRA_SHARE_MAX_DAYS", 90, least=0, most=3_660)
# Requests to the API in a minute, by each web process; 0: as many as they like.
RATE_TOKEN = env.integer("ESTEIRA_RATE_TOKEN", 6_000, least=0, most=10_000_000)
RATE_USER = env.integer("ESTEIRA_RATE_USER", 12_000, least=0, most=10_000_000)
RATE_WORKSPACE = env.integer("ESTEIRA_RATE_WORKSPACE", 30_000, least=0, most=10_000_000)
# The page about the API shows it; front ends do not know each other.
API_DOCUMENT = "api_app.main.document"
API_DOCS_PUBLIC = env.flag("ESTEIRA_API_DOCS_PUBLIC", default=False)
MAX_OPEN_UPLOADS = env.integer("ESTEIRA_MAX_OPEN_UPLOADS", 10_000, least=1, most=1_000_000)

# Uploads by tus: where files lie on our own disk, or nowhere.
UPLOAD_TUS = env.choice("ESTEIRA_UPLOAD_TUS", "local", allowed=("local", "off"))
# The IETF's draft of the same, which still changes, at the same address.
UPLOAD_IETF = env.flag("ESTEIRA_UPLOAD_IETF", default=False)

USES_BUCKETS = object_storage.uses_buckets()
S3_CHECKSUM = env.choice("ESTEIRA_S3_CHECKSUM", "crc64nvme", allowed=("crc64nvme", "sha256", "md5"))
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    **object_storage.aliases(ESTEIRA_HOME),
}
if SCANNER == "guardduty" and not USES_BUCKETS:
    # In a folder nobody would ever write the tag, and every file would wait for good.
    raise env.BadSetting(
        "ESTEIRA_SCANNER", SCANNER, "none or clamd while uploads lie in a folder: GuardDuty looks at S3"
    )
# Where EventBridge delivers; the number in it is the account whose events are taken.
EVENTS_QUEUE = env.text("ESTEIRA_EVENTS_QUEUE")
AWS_ACCOUNT = ""
if EVENTS_QUEUE:
    if not (_queue := re.fullmatch(r"https?://[^/]+/([0-9]{12})/[A-Za-z0-9_-]{1,80}", EVENTS_QUEUE)):
        raise env.BadSetting("ESTEIRA_EVENTS_QUEUE", EVENTS_QUEUE, "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    AWS_ACCOUNT = _queue[1]

ENGINE = env.choice("ESTEIRA_ENGINE", "local", allowed=("local", "aws"))
ENGINES = {
    "local": "orchestration.engines.local.adapter.LocalEngine",
    "aws": "orchestration.engines.step_functions.adapter.StepFunctionsEngine",
}
MAX_ACTIVE_JOBS = env.integer("ESTEIRA_MAX_ACTIVE_JOBS", 5_000, least=1, most=1_000_000)
LOCAL_VCPUS = env.integer("ESTEIRA_LOCAL_VCPUS", max(4, 2 * (os.cpu_count() or 1)), least=1, most=4_096)
LOCAL_MEMORY_MIB = env.integer("ESTEIRA_LOCAL_MEMORY_MIB", 0, least=0, most=1 << 24)
STEP_ISOLATION = env.choice("ESTEIRA_STEP_ISOLATION", "auto", allowed=("auto", "none", "bubblewrap"))
# Commands that people send (GA4GH's TES). None unless an administrator has said which images, who and whether online.
TES_IMAGES = tes.images(engine=ENGINE)
TES_ROLE = env.choice("ESTEIRA_TES_ROLE", "manager", allowed=("submitter", "manager"))
TES_NETWORK = env.flag("ESTEIRA_TES_NETWORK", default=False)
PUBLIC_URL = env.text("ESTEIRA_PUBLIC_URL", f"http://{ESTEIRA_HOST}:{ESTEIRA_PORT}").rstrip("/")
if CONTENT_ORIGIN := content_origin.read(PUBLIC_URL):
    ALLOWED_HOSTS.append(content_origin.host(CONTENT_ORIGIN))
# Starts that one dispatcher has under way on AWS, each with a connection to the database.
HAND_OVERS_AT_ONCE = env.integer("ESTEIRA_HAND_OVERS_AT_ONCE", min(8, DB_POOL_SIZE - 2), least=1, most=DB_POOL_SIZE - 2)
AWS_CELL: dict[str, str] = aws_cell.read(PUBLIC_URL) if ENGINE == "aws" else {}
PRICES = price_table(ENGINE)

MAILERS: dict[str, Any] = {}
SILENCED_SYSTEM_CHECKS = [
    # Without a mail server there is no mailer, nobody is told anything, and that is no reason to warn at every start.
    "mail.W001",
    # The stack sends X-Frame-Options with every answer, of the API and of static files too.
    "security.W002",
    # A browser's list of hosts for https alone is for the owner of the domain to enter, and hard to leave.
    "security.W021",
]
if _mail_server := env.mail_server("ESTEIRA_MAIL_URL"):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": _mail_server}}
    DEFAULT_FROM_EMAIL = env.mailbox("ESTEIRA_MAIL_FROM")

# Addresses that are not of the public internet and may be sent to all the same, also by http.
WEBHOOK_NETWORKS = env.networks("ESTEIRA_WEBHOOK_NETWORKS")
WEBHOOK_PORTS = env.ports("ESTEIRA_WEBHOOK_PORTS", "443,8443")
# The only way out of the workers' network, where there is one: the second line after the check of addresses.
WEBHOOK_PROXY = env.proxy("ESTEIRA_WEBHOOK_PROXY")
# Requests that one process has under way; 1: in the thread that asks for it.
WEBHOOK_SENDERS = env.integer("ESTEIRA_WEBHOOK_SENDERS", 32, least=1, most=256)

# Where Prometheus reads what this process counts; 0: nowhere.
METRICS_PORT = env.integer("ESTEIRA_METRICS_PORT", 0, least=0, most=65_535)
METRICS_HOST = env.text("ESTEIRA_METRICS_HOST", "127.0.0.1")
TRACES = traces_setting.read()
TRACE_URL = traces_setting.link()

BROKER_URL = env.text("ESTEIRA_BROKER_URL", "pgmq://")
_PGMQ_OPTIONS = {
    # Set on purpose: without it a DATABASE_URL in the environment would win silently. In libpq's own form,
    # because the transport does not understand a socket folder in a URL.
    "conn_string": make_conninfo("", **_address(DATABASE_URL)),
    "init_extension": False,
    "use_notify": True,
    # Together these two give 9 ms from message to start instead of 58 ms (docs/design/0002).
    "wait_time_seconds": 0,
    "notify_throttle_interval_ms": 0,
    "polling_interval": 1,
    # Tasks are short; what was read by a worker that died comes back after this.
    "visibility_timeout": 60,
    "pool_size": 4,
}
CELERY = {
    "broker_url": BROKER_URL,
    "broker_transport": "project.broker:Transport" if BROKER_URL == "pgmq://" else None,
    "broker_transport_options": _PGMQ_OPTIONS if BROKER_URL == "pgmq://" else {},
    "broker_connection_retry_on_startup": True,
    "task_default_queue": "esteira",
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    # The transport has no remote control: asking for it fails at start.
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "beat_scheduler": "project.clock.Clock",
    "beat_schedule_filename": str(ESTEIRA_HOME / "beat-schedule"),
    "timezone": "UTC",
}

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 500}}}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"event": {"()": "project.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "event"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("ESTEIRA_LOG_LEVEL", "INFO", allowed=("DEBUG", "INFO", "WARNING", "ERROR")),
    },
    "loggers": {
        "uvicorn.access": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # They write whole addresses down, and a signed one is a permission (SEC-076).
        **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "urllib3", "botocore", "boto3")},
    },
}

if PRODUCTION:
    production.check(
        database_url=DATABASE_URL,
        public_url=PUBLIC_URL,
        content_origin=CONTENT_ORIGIN,
        allowed_hosts=ALLOWED_HOSTS,
        origins=CSRF_TRUSTED_ORIGINS,
        proxies=TRUSTED_PROXIES,
        secret_keys=[SECRET_KEY, *SECRET_KEY_FALLBACKS],
        debug=DEBUG,
        https=HTTPS,
        engine=ENGINE,
        uses_buckets=USES_BUCKETS,
    )
