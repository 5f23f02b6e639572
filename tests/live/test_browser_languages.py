"""A first job in Brazilian Portuguese, from the sign-in page to the report, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.live.bench_user import bench_user
from tests.live.browsing import FLAGS, chromium

if TYPE_CHECKING:
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
