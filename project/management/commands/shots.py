"""manage.py shots: a picture of every page, in light, in dark and on a phone, to look at before and after a change."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.models import ApiToken, Attempt, BulkOperation, File, Job, Pipeline, WebhookDelivery
from orchestration.states import JobState
from project.management.job_list_states import job_list_states
from project.management.upload_states import upload_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

FLAGS: Final = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}

# Before anybody has signed in.
OUTSIDE: Final = {"account-reset-gone": "/password/reset/x/y/", "account-off": "/account/inactive/"}
MANAGE: Final = str(settings.BASE_DIR / "manage.py")
# What only a service says once: addresses of links, for `pages_now`.
SHARED: Final = """
from datetime import timedelta
from pathlib import Path
from django.conf import settings
from orchestration.models import Job, User
from orchestration.services.shares import Terms, create_share
from orchestration.services.webhook_deliveries import send_test
from orchestration.services.webhooks import create_webhook
admin = User.objects.get(username="admin")
job = Job.objects.filter(state="SUCCEEDED").order_by("-id").first()
terms = Terms(days=7, name="For the reviewers", has_manifest=True), Terms(days=1, password="a long password")
said = [create_share(user=admin, job=job, terms=one)[1] for one in terms]
(Path(settings.ESTEIRA_HOME) / "links").write_text(chr(10).join(said))
from project.management.demo_rows import survey
survey(admin, job.workspace, job.inputs.first())
from orchestration.services.bulk import Choice, Details, begin_bulk
from orchestration.services.job_lists import save_filter
from orchestration.states import BulkAction
for name, wanted in {"Night runs that failed": "state:failed label:night", "Ended today": "finished:>-24h"}.items():
    save_filter(user=admin, workspace=job.workspace, name=name, filter=wanted)
failed = Job.objects.filter(state="FAILED").count()
marked = Details(set_labels={"seen": "yes"})
begin_bulk(user=admin, action=BulkAction.LABEL, choice=Choice(filter="state:failed"), expected=failed, details=marked)
hook, _ = create_webhook(user=admin, url="https://example.org/hook?key=1", description="Tells the lab's chat")
send_test(endpoint=hook)
from orchestration.execution import readings, tally
from orchestration.models import Pipeline
from orchestration.services.pauses import pause
tally.count()
readings.read_all()
pause(user=admin, pipeline=Pipeline.objects.get(name="image-set"), reason="A new release of it is being tried.")
"""
SHOWN_KINDS: Final = (
    "text/html", "text/csv", "image/png", "application/json", "application/pdf", "application/vnd.apache.parquet",
)  # fmt: skip
LONG_RUN: Final = """\
pipeline: long-run
version: 1.0.0
title: {en: Wait and count}
steps:
  - name: count
    for_each: input
    resources: {vcpu: 256}
    command: [sh, -c, "for i in 1 2 3 4; do echo row $i; done; echo ::progress 0.4 Counting; sleep 600"]
"""


class Command(BaseCommand):
    help = "Screenshot every page as PNG with the system's Chromium."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="a running server; without it a throwaway platform is started")
        parser.add_argument("--out", type=Path, default=settings.BASE_DIR / "build" / "shots")
        parser.add_argument("--user", default="admin")
        parser.add_argument("--password", default="")
        parser.add_argument("--only", default="", help="only pages whose name holds this")
        known = [code for code, _ in settings.LANGUAGES]
        parser.add_argument("--language", action="append", choices=known, help="only this one; may be repeated")

    def handle(self, *, url: str | None, out: Path, user: str, password: str, only: str, **given: Any) -> None:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  a development tool, absent in production

        out.mkdir(parents=True, exist_ok=True)
        browser_path = _browser()
        languages: list[str] = given["language"] or [code for code, _ in settings.LANGUAGES]
        if url is None:
            sys.exit(_shoot_own(out, only, languages))
        if not password:
            raise CommandError("Give --password of the user who signs in.")
        # Read before the browser starts: Django refuses queries inside playwright's event loop.
        pages = {page: path for page, path in pages_now().items() if only in page}
        with sync_playwright() as tools:
            browser = tools.chromium.launch(executable_path=browser_path, args=FLAGS)
            for look, options in _looks(languages):
                for made in _shoot(browser, url.rstrip("/"), (user, password), pages, look, options, out, only):
                    self.stdout.write(str(made))
            browser.close()


def _looks(languages: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name, also of the picture, and how the browser is set up."""
    for language in languages:
        tail = "" if language == settings.LANGUAGE_CODE else f".{language}"
        for look, options in LOOKS.items():
            yield f"{look}{tail}", options | {"locale": language}


def _shoot_own(out: Path, only: str, languages: list[str]) -> int:
    """Start a platform of our own with jobs worth a picture, and let this command look at it."""
    home = Path(tempfile.mkdtemp(prefix="esteira-shots-"))
    home.chmod(0o711)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "ESTEIRA_HOME": str(home), "ESTEIRA_PORT": str(port)}
    said = home / "said"
    with said.open("w") as heard:
        up = subprocess.Popen([sys.executable, MANAGE, "up"], env=env, stdout=heard, stderr=heard)
    try:
        password = _await_password(up, said)
        demo_jobs(home, env)
        look = [sys.executable, MANAGE, "shots", "--url", f"http://127.0.0.1:{port}", "--password", password]
        spoken = [f"--language={language}" for language in languages]
        return subprocess.run([*look, "--out", str(out), "--only", only, *spoken], env=env, check=False).returncode
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def _await_password(up: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + 180
    while "Esteira is running" not in said.read_text():
        if up.poll() is not None or time.monotonic() > deadline:
            raise CommandError(f"The platform did not start:\n{said.read_text()}")
        time.sleep(0.2)
    found = re.search(r"Password +(\S+)", said.read_text())
    if found is None:
        raise CommandError("The platform said no password.")
    return found[1]


def demo_jobs(home: Path, env: dict[str, str]) -> None:
    """One that fails on its input, one with failed items, one that runs, one that waits, one of ten thousand items."""
    folder = home / "demo"
    folder.mkdir()
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnot really\n")
    (folder / "ragged.csv").write_text("a,b,c\n1,2\n")
    (folder / "pipeline.yaml").write_text(LONG_RUN)
    subprocess.run([sys.executable, MANAGE, "pipelines", "publish", str(folder)], env=env, check=True)
    sample = str(settings.BASE_DIR / "orchestration" / "samples" / "penguins.csv")
    for words, waits in (
        (["document-text", str(folder / "broken.pdf")], True),
        (["tabular-profile", sample, str(folder / "ragged.csv")], True),
        (["image-set", str(settings.BASE_DIR / "tests" / "pipelines" / "corpus" / "images")], True),
        (["long-run", sample], False),
        (["long-run", sample], False),
    ):
        esteira = [sys.executable, "-m", "api_app.client", "run", *words, *(["--watch"] if waits else [])]
        subprocess.run(esteira, env=env, cwd=settings.BASE_DIR, check=False, capture_output=True)
    subprocess.run([sys.executable, MANAGE, "shell", "-v", "0", "-c", SHARED], env=env, check=True)
    time.sleep(3)


def pages_now() -> dict[str, str]:
    """Name to path: every page, with one job of each state that there is."""
    pages = {
        "home": "/", "job-new": "/jobs/new/",
        "jobs": "/jobs/", "jobs-none": "/jobs/?state=TIMED_OUT", "jobs-wrong": "/jobs/?q=colour:red",
        "jobs-filtered": "/jobs/?q=state:ended", "bulk": "/jobs/all/resubmit/?q=state:ended",
        "bulk-label": "/jobs/all/label/?q=state:ended", "files": "/files/",
        "files-deleted": "/files/deleted/", "files-going": "/files/?going=soon", "usage": "/files/usage/",
        "pipelines": "/pipelines/", "account": "/account/", "account-password": "/account/password/",
        "account-factor": "/account/second-factor/", "account-confirm": "/account/confirm/", "members": "/members/",
        "settings": "/settings/",
        "tokens": "/tokens/", "tokens-service": "/service-accounts/",
        "webhooks": "/webhooks/", "notifications": "/notifications/",
        "notifications-unread": "/notifications/?show=unread",
        "notifications-settings": "/notifications/settings/", "design": "/design/", "api-docs": "/docs/api/",
        "api-docs-one": "/docs/api/#submit_job", "missing": "/nothing/here/",
    }  # fmt: skip
    for state in JobState:
        if job := Job.objects.filter(state=state).order_by("-id").first():
            pages[f"job-{state.lower()}"] = f"/jobs/{job.pk}/"
            pages.setdefault("resubmit", f"/jobs/new/?from={job.pk}")
    for kind in SHOWN_KINDS:
        if file := File.objects.current().filter(media_type=kind).order_by("-id").first():
            pages[f"file-{kind.rpartition('/')[2].rpartition('.')[2]}"] = f"/files/{file.pk}/"
    if attempt := Attempt.objects.filter(log_size__gt=0).order_by("-id").first():
        pages["attempt"] = f"/attempts/{attempt.pk}/"
    for pipeline in Pipeline.objects.order_by("name"):
        pages[f"pipeline-{pipeline.name}"] = f"/pipelines/{pipeline.name}/"
    if job := Job.objects.filter(state=JobState.SUCCEEDED).order_by("-id").first():
        pages["shares"] = f"/jobs/{job.pk}/share/"
    if delivery := WebhookDelivery.objects.order_by("-pk").first():
        pages["webhook"] = f"/webhooks/{delivery.endpoint_id}/"
        pages["webhook-delivery"] = f"/webhooks/{delivery.endpoint_id}/deliveries/{delivery.pk}/"
    with suppress(FileNotFoundError):
        links = (settings.ESTEIRA_HOME / "links").read_text().split()
        pages |= {f"link-{at}": f"/{link.split('/', 3)[3]}" for at, link in enumerate(links)}
    return pages | _many() | _admin()


def _admin() -> dict[str, str]:
    at = "/admin/orchestration"
    pages = {
        "audit": "/audit/",
        "admin": "/admin/",
        "admin-pauses": "/admin/pauses/",
        "admin-system": "/admin/system/",
        "admin-jobs": f"{at}/job/",
        "admin-jobs-failed": f"{at}/job/?q=state:failed",
        "admin-jobs-named": f"{at}/job/?q=name:4",
        "admin-files": f"{at}/file/",
        "admin-audit": f"{at}/auditentry/",
        "admin-storage": f"{at}/file/storage/",
    }
    if job := Job.objects.filter(state=JobState.FAILED).order_by("-id").first():
        pages["admin-job"] = f"{at}/job/{job.pk}/change/"
    if ApiToken.objects.exists():
        pages["admin-tokens"] = f"{at}/apitoken/"
    return pages


def _many() -> dict[str, str]:
    job = Job.objects.filter(pipeline_version__pipeline__name="survey").first()
    pages = {"job-many": f"/jobs/{job.pk}/"} if job else {}
    if operation := BulkOperation.objects.order_by("-id").first():
        pages["bulk-detail"] = f"/bulk/{operation.pk}/"
    return pages


def _browser() -> str:
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise CommandError("There is no Chromium here. On Debian: apt-get install -y chromium")


def _shoot(
    browser: Browser,
    base: str,
    account: tuple[str, str],
    pages: dict[str, str],
    look: str,
    options: dict[str, Any],
    out: Path,
    only: str,
) -> Iterator[Path]:
    context = browser.new_context(**options)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{base}/login/")
    yield _save(page, out / f"login.{look}.png")
    for name, path in OUTSIDE.items():
        if only in name:
            page.goto(f"{base}{path}")
            yield _save(page, out / f"{name}.{look}.png")
    page.goto(f"{base}/login/")
    page.fill("#id_username", account[0])
    page.fill("#id_password", account[1])
    page.click("button.primary")
    page.wait_for_load_state()
    if page.url.startswith(f"{base}/login"):
        raise CommandError(f"{account[0]} could not sign in at {base}.")
    for name, path in pages.items():
        page.goto(f"{base}{path}", wait_until="load")
        page.wait_for_timeout(400)  # sockets open, the log's first piece arrives
        yield _save(page, out / f"{name}.{look}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults = [line for line in said if "404" not in line or name != "missing"]
        if wide > 0 or faults:
            raise CommandError(f"{name} in {look}: {wide} px too wide; the console says {faults or 'nothing'}.")
        said.clear()
    for begins, states in STATES.items():
        if only in begins or only.startswith(begins):
            for name in states(page, base):
                yield _save(page, out / f"{name}.{look}.png")
    context.close()


def _looked(page: Page, base: str) -> Iterator[str]:
    page.goto(f"{base}/admin/system/")
    page.locator(".system form [type=submit]").click()
    page.locator("#findings [role=status]").wait_for()
    yield "admin-system-looked"


STATES: Final = {"upload": upload_states, "jobs": job_list_states, "admin-system": _looked}
"""Pages while something is done with them."""


def _save(page: Page, file: Path) -> Path:
    page.screenshot(path=file, full_page=True)
    return file
