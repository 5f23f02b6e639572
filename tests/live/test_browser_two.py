"""Two people of two workspaces in two browsers, a stranger with a link, and a phone: each sees their own."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.live.browsing import sign_in, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PEOPLE: Final = """
from orchestration.models import Membership, User, Workspace
for name, slug in (("ana", "ants"), ("bea", "bees")):
    workspace, _ = Workspace.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})
    if not User.objects.filter(username=name).exists():
        user = User.objects.create_user(name, password=name + " long password")
        Membership.objects.create(workspace=workspace, user=user, role="manager")
"""
PIPELINE: Final = """\
pipeline: talkative
version: 1.0.0
title: Talks much
steps:
  - name: talk
    command:
      - sh
      - -c
      - |
        for i in $(seq 10 39); do echo "::progress 0.$i at $i"; echo "line $i"; sleep 0.2; done
        echo done > "$ESTEIRA_OUTPUTS/done.txt"
"""
ADDRESSES: Final = """(nodes) => nodes.map(
  (one) => new URL(one.getAttribute("formaction") ?? one.src ?? one.href, location).href
)"""
LISTEN: Final = """
const REGIONS = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
window.said = [];
const hear = (node) => {
  const region = (node.nodeType === 1 ? node : node.parentElement)?.closest(REGIONS);
  if (!region || region.ariaLive === "off" || !region.checkVisibility()) return;
  const words = region.textContent.trim().replace(/\\s+/g, " ");
  if (words && window.said.at(-1) !== words) window.said.push(words);
};
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    for (const change of changes) {
      hear(change.target);
      for (const node of change.addedNodes) {
        hear(node);
        for (const region of node.querySelectorAll?.(REGIONS) ?? []) hear(region);
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
});
"""


def _signed_in(page: Page, platform: Platform, name: str) -> None:
    page.goto(f"{platform.url}/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", f"{name} long password")
    page.click("button.primary")
    page.wait_for_url(lambda url: "/login" not in url)


def test_two_people_of_two_workspaces_see_nothing_of_each_other(
    chrome: Browser, platform: Platform, tmp_path: Path
) -> None:
    platform.manage("shell", "-c", PEOPLE)
    platform.publish(PIPELINE)
    file = tmp_path / "secret-of-ana.csv"
    file.write_text("a,b\n1,2\n")
    with chrome.new_context() as hers, chrome.new_context() as others:
        ana, bea = hers.new_page(), others.new_page()
        _signed_in(ana, platform, "ana")
        _signed_in(bea, platform, "bea")
        heard: list[str] = []
        bea.on("websocket", lambda socket: socket.on("framereceived", lambda said: heard.append(str(said))))
        bea.goto(f"{platform.url}/jobs/")
        expect(bea.locator("[data-live-status]")).to_have_text("Live")

        job = _submitted(ana, platform, file, "Secret of Ana")
        expect(ana.locator("#job-state .chip")).to_have_text("Succeeded", timeout=60_000)
        links = ana.eval_on_selector_all("a[href], iframe[src], [formaction]", ADDRESSES)
        links = [link for link in links if re.search(r"/(jobs|files|attempts)/[0-9a-f-]{36}", link)]
        assert any("/files/" in link for link in links)
        assert any("/attempts/" in link for link in links)

        expect(bea.get_by_text("Secret of Ana")).to_have_count(0)
        assert not any("Secret" in said or job in said for said in heard)
        for path in ("/", "/jobs/?q=name:ana", "/files/", "/files/usage/"):
            bea.goto(f"{platform.url}{path}")
            assert "ecret" not in bea.locator("main").inner_text(), path
            assert "Ants" not in bea.content(), path
        for link in {f"{platform.url}/jobs/{job}/", f"{platform.url}/jobs/{job}/live/", *links}:
            assert bea.request.get(link).status in {404, 405}, link
        refused = bea.evaluate(
            "(path) => new Promise((done) => { const socket = new WebSocket(path.replace('http', 'ws'));"
            " socket.onmessage = () => done('heard'); socket.onclose = (event) => done(event.code); })",
            f"{platform.url}/ws/jobs/{job}",
        )
        assert refused in {1006, 1008}


def _submitted(page: Page, platform: Platform, file: Path, name: str) -> str:
    page.goto(f"{platform.url}/jobs/new/")
    page.set_input_files("#file-input", str(file))
    page.get_by_text("Talks much").click()
    page.get_by_label("Name of the job").fill(name)
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/$"))
    return page.url.rstrip("/").rpartition("/")[2]


def test_stranger_with_a_link_gets_these_files_and_nothing_else(
    chrome: Browser, page: Page, platform: Platform
) -> None:
    file = platform.upload("shared.txt", b"shared")["id"]
    job = platform.wait(platform.submit("inspect", [file], key=token_hex(8))["id"])
    page.goto(f"{platform.url}/jobs/{job['id']}/share/")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#secret").inner_text()
    with chrome.new_context() as nobody:
        stranger = nobody.new_page()
        stranger.goto(link)
        with stranger.expect_download() as download:
            stranger.get_by_role("link", name=re.compile("^Download ")).last.click()
        assert download.value.path().stat().st_size > 0
        for path in (f"/jobs/{job['id']}/", "/files/", f"/files/{file}/content"):
            stranger.goto(f"{platform.url}{path}")
            assert "/login/" in stranger.url
        page.get_by_role("button", name=re.compile("^Take back")).click()
        page.get_by_role("dialog").get_by_role("button", name="Take the link back").click()
        expect(page.get_by_text("taken back by")).to_be_visible()
        assert stranger.goto(link).status == 404  # type: ignore[union-attr]


def test_first_job_on_a_phone_is_watched_over_a_restart_and_speaks_seldom(
    chrome: Browser, platform: Platform, tmp_path: Path
) -> None:
    platform.publish(PIPELINE)
    file = tmp_path / "on-a-phone.csv"
    file.write_text("a,b\n1,2\n")
    with chrome.new_context(**PHONE) as context:
        page = context.new_page()
        page.add_init_script(LISTEN)
        sign_in(page, platform, "/")
        page.get_by_role("navigation", name="Main").get_by_role("link", name="New job").tap()
        page.wait_for_url("**/jobs/new/")
        page.set_input_files("#file-input", str(file))
        page.get_by_text("Talks much").tap()
        page.get_by_label("Name of the job").fill("On a phone")
        page.get_by_role("button", name="Submit job").tap()
        page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/$"))
        expect(page.locator("#job-state .chip")).to_have_text("Running", timeout=60_000)
        platform.kill("web")
        expect(page.locator("#job-state .chip")).to_have_text("Succeeded", timeout=60_000)
        said = page.evaluate("window.said")
        assert said[-1] == "Succeeded"
        assert len(said) <= 5, f"thirty lines and thirty moves of the bar are nobody's announcement: {said}"
        with page.expect_download():
            page.locator("#job-results").get_by_role("link", name=re.compile(r"^Download done\.txt")).tap()
        page.locator("#job-results").get_by_role("link", name="Share").tap()
        page.get_by_role("button", name="Make the link").tap()
        expect(page.locator("#secret")).to_contain_text("/s/")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]


def test_job_is_canceled_and_tried_again_on_a_phone(chrome: Browser, platform: Platform) -> None:
    platform.publish(PIPELINE.replace("talkative", "phone-wait").replace("for i", "sleep 600; for i"))
    file = platform.upload("phone.txt", b"x")["id"]
    job = platform.submit("phone-wait", [file], key=token_hex(8))
    with chrome.new_context(**PHONE) as context:
        page = context.new_page()
        sign_in(page, platform, job["url"])
        expect(page.locator("#job-state .chip")).to_have_text("Running", timeout=60_000)
        page.locator("#do-cancel").tap()
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").tap()
        expect(page.locator("#job-state .chip")).to_have_text("Canceled", timeout=30_000)
        page.locator("#do-retry").tap()
        expect(page.locator("#job-state")).to_contain_text("run 2", timeout=30_000)
        platform.call("POST", f"/jobs/{job['id']}/cancel")
        wait_until(lambda: platform.job(job["id"])["state"] == "CANCELED", "the end")
