"""What holds for both pages: their policy, their region, and that a refusal has its words."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import expect

from functions.core.config.changes import known_fields
from functions.core.shared.errors import EcolaneError
from functions.core.shared.photos import PhotoProblem
from functions.core.wallet.ledger import SPENDING, Reason
from functions.deploy import params
from functions.edge.http_errors import CODES
from localcloud.cloud import LocalCloud
from tests.web.conftest import Opened, classify

WEB = Path(__file__).resolve().parents[2] / "web"
REFUSALS = (WEB / "lib" / "refusals.js").read_text(encoding="utf-8")
WALLET = (WEB / "user" / "wallet.js").read_text(encoding="utf-8")
COUNTS = (WEB / "operator" / "counts.js").read_text(encoding="utf-8")


def reasons(error: type[EcolaneError]) -> set[str]:
    """Return the reasons of all errors below this one."""
    below = {reason for each in error.__subclasses__() for reason in reasons(each)}
    return below | ({error.reason} if isinstance(getattr(error, "reason", None), str) else set())


def test_every_refusal_and_photo_problem_has_words() -> None:
    """What a call can be refused for stands in refusals.js, and nothing that no call says any more."""
    listed = set(re.findall(r"^  ([A-Z_]+): \(", REFUSALS, re.MULTILINE))
    assert listed == {str(error.reason) for error in CODES} | {"INTERNAL"}
    problems = set(re.findall(r"^  ([a-z]+[A-Za-z]*): \"", REFUSALS, re.MULTILINE))
    assert problems == {problem.value for problem in PhotoProblem}


def test_every_reason_of_tokens_has_words() -> None:
    """For operators and for users; and the page adds up as spent what a wallet does."""
    words, spending = COUNTS.split("export const SPENDING")
    for listed in (words, WALLET.partition("};")[0]):
        assert set(re.findall(r"^  ([a-z]+): \"", listed, re.MULTILINE)) == set(Reason)
    assert set(re.findall(r'"([a-z]+)"', spending.partition(")")[0])) == SPENDING


def test_every_section_of_the_settings_has_a_title() -> None:
    """One without would not be shown."""
    sections = re.search(r"SECTIONS = \{(.*?)\};", (WEB / "operator" / "settings.js").read_text(encoding="utf-8"))
    assert sections is not None
    titled = set(re.findall(r'(\w+|""): "', sections[1]))
    assert titled == {field.rpartition(".")[0].partition(".")[0] or '""' for field in known_fields()}


def test_the_pages_call_the_region_that_a_deploy_has_by_default() -> None:
    """They cannot ask for it: Firebase's reserved address does not say it."""
    assert f'REGION = "{params.REGION.default}"' in (WEB / "lib" / "firebase.js").read_text(encoding="utf-8")


def test_the_policy_lets_no_foreign_script_run(opened: Opened, cloud: LocalCloud) -> None:
    """A script that gets into the page is not run, and the page may not be framed or talk to strangers."""
    del cloud
    page = opened.go()
    expect(page.get_by_role("heading", name="Ecolane")).to_be_visible()
    ran = page.evaluate(
        """async () => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          const image = document.createElement("img");
          image.setAttribute("onerror", "window.ran = true");
          image.src = "/missing.png";
          document.body.append(image);
          const stranger = await fetch("https://example.com/").then(() => "answered", () => "refused");
          await new Promise((later) => setTimeout(later, 200));
          return [window.ran ?? false, stranger];
        }"""
    )
    assert ran == [False, "refused"]
    assert any("Content Security Policy" in problem for problem in opened.problems)
    opened.problems.clear()


def test_a_page_goes_by_the_servers_clock(opened: Opened) -> None:
    """A device's own may be days wrong: what happened a moment ago is not "in 3 days", and today is the server's."""
    page = opened.page
    page.clock.install(time=datetime.now(UTC) - timedelta(days=3))
    opened.start()
    uid = opened.uid()
    classify(opened.cloud, uid, "clock", "instant")
    expect(page.get_by_role("listitem").filter(has_text=re.compile(r"just now|seconds? ago"))).to_be_visible()
