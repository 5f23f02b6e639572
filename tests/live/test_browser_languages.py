"""A first job in Brazilian Portuguese, from the sign-in page to the report, in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.live.bench_user import bench_user
from tests.live.browsing import FLAGS, chromium, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SAMPLE: Final = Path(__file__).resolve().parents[2] / "orchestration" / "samples" / "penguins.csv"
THEIRS: Final = (
    "code, kbd, pre, bdi, option, iframe, [lang]:not(html), #job-steps p .break, #job-attempts .sub.break,"
    " [aria-labelledby=params-title] dt"
)
ENGLISH: Final = re.compile(
    r"\b(?:the|and|with|your|this|files?|sent|waiting|running|succeeded|failed|took|download|show|ago|state|by)\b",
    re.IGNORECASE,
)
IN_TOKYO: Final = """
from orchestration.models import User
User.objects.filter(username="toki").delete()
User.objects.create_superuser("toki", password="toki long password", time_zone="Asia/Tokyo")
"""
WAITS: Final = """\
pipeline: browser-clock
version: 1.0.0
steps: [{name: wait, command: [sleep, "600"]}]
"""
SENT_ALL: Final = """
const Socket = WebSocket;
window.heard = "";
window.WebSocket = class extends Socket {
  constructor(url) {
    const address = new URL(url);
    address.searchParams.delete("seen"); // as one who comes back: all of the page is sent
    super(address);
    this.addEventListener("message", (event) => { window.heard += event.data; });
  }
};
document.addEventListener("readystatechange", () => {
  if (document.readyState !== "interactive") return;
  window.first = ["job-state", "job-history"].map((id) => document.getElementById(id));
});
"""


def test_what_is_sent_at_another_clock_is_not_drawn_anew(chrome: Browser, platform: Platform) -> None:
    platform.manage("shell", "-c", IN_TOKYO)
    platform.publish(WAITS)
    file = platform.upload("a.txt", b"x")["id"]
    deadline = (datetime.now(UTC) + timedelta(days=30)).replace(hour=0, minute=30, second=0, microsecond=0)
    job = platform.submit("browser-clock", [file], key=token_hex(8), deadline=deadline.isoformat())
    wait_until(lambda: platform.job(job["id"])["state"] == "RUNNING", "the start")
    with chrome.new_context(locale="en-US", timezone_id="America/Sao_Paulo") as context:
        page = context.new_page()
        page.goto(f"{platform.url}/login/")
        page.fill("#id_username", "toki")
        page.fill("#id_password", "toki long password")
        page.click("button.primary")
        page.wait_for_url(lambda url: "/login" not in url)
        page.add_init_script(SENT_ALL)
        page.goto(f"{platform.url}{job['url']}")
        wait_until(lambda: "job-history" in page.evaluate("window.heard"), "the whole page", page=page)
        assert page.evaluate("window.first.map((one) => one.isConnected)") == [True, True]
        expect(page.locator("#job-deadline")).to_contain_text(re.compile(r"^deadline \w+ \d+, \d+, 9:30\sAM$"))
    platform.call("POST", f"/jobs/{job['id']}/cancel")


def test_first_job_in_portuguese(platform: Platform) -> None:
    user, password = bench_user(platform)
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(locale="en-US", timezone_id="America/Sao_Paulo").new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{platform.url}/login/")
        page.get_by_role("button", name="Português (Brasil)").click()
        expect(page.get_by_label("Senha")).to_be_visible()
        page.fill("#id_username", user)
        page.fill("#id_password", password)
        page.get_by_role("button", name="Entrar", exact=True).click()
        page.wait_for_url(lambda url: "/login" not in url)

        page.goto(f"{platform.url}/jobs/new/")
        page.set_input_files("input[type=file]", str(SAMPLE))
        expect(page.get_by_text("1 de 1 arquivo enviado")).to_be_visible(timeout=30_000)
        page.get_by_text("Perfil de uma tabela").click()
        page.get_by_role("button", name="Submeter job").click()
        page.wait_for_url("**/jobs/*/")
        expect(page.locator("#job-state .chip")).to_have_text("Concluído", timeout=60_000)
        expect(page.locator("[data-live-status]")).to_have_text("Ao vivo")
        expect(page.get_by_text("Converter e perfilar cada tabela").first).to_be_visible()
        expect(page.get_by_role("heading", name="Resultados")).to_be_visible()
        expect(page.locator("p.meta time")).to_have_text(re.compile("agora mesmo|há"))

        for path in ("/", "/jobs/", "/files/", "/account/", page.url.removeprefix(platform.url)):
            page.goto(f"{platform.url}{path}")
            shown = page.evaluate(
                """(theirs) => {
                    for (const node of document.querySelectorAll(theirs)) node.remove();
                    return document.body.innerText;
                }""",
                THEIRS,
            )
            assert ENGLISH.findall(shown.replace("Webhooks", "").replace("Downloads", "")) == [], (path, shown)

        # The account remembers it, in another browser too.
        page.goto(f"{platform.url}/account/")
        page.get_by_label("Idioma").select_option("pt-br")
        page.get_by_label("Fuso horário").select_option("Asia/Tokyo")
        page.get_by_label("Fuso horário").locator("xpath=ancestor::form").get_by_role("button", name="Salvar").click()
        expect(page.get_by_text("Salvo.")).to_be_visible()
        assert page.evaluate("readerZone") == "Asia/Tokyo"
        page.get_by_label("Idioma").select_option("")
        page.get_by_label("Fuso horário").locator("xpath=ancestor::form").get_by_role("button", name="Salvar").click()
        expect(page.get_by_text("Salvo.")).to_be_visible()
        browser.close()
    assert said == []
