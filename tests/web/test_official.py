"""The pages in front of Google's own Firestore emulator: what is live there is live in production."""

import uuid
from collections.abc import Iterator

import pytest
from google.cloud.firestore import Increment
from playwright.sync_api import Browser, expect

from localcloud.cloud import LocalCloud
from localcloud.firestore import find_official
from scripts.ecolane_cloud import ecolane_cloud
from tests.web.conftest import Opened, classify


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product on Google's emulator; skips with what it lacks where there is none."""
    del browser
    install, why = find_official()
    if install is None:
        pytest.skip(why)
    with ecolane_cloud(openai="standin", firestore="official") as cloud:
        yield cloud


def test_an_operator_sees_what_is_spent_as_it_is_spent(opened: Opened) -> None:
    """A commit is painted without a look, under the rules that are deployed."""
    opened.cloud.cron.fire("guard_budget")
    page = opened.operate()
    page.get_by_text("live").wait_for()
    today = opened.cloud.clock().strftime("%Y-%m-%d")
    opened.cloud.firestore_client().document(f"budget/{today}/shards/0").update({"spent": Increment(1_230_000)})
    expect(page.locator("main .figure.fresh")).to_have_text("$1.23")


def test_a_user_sees_an_answer_as_it_comes(opened: Opened) -> None:
    """A photo handed in elsewhere stands in the list, with its answer."""
    page = opened.start()
    classify(opened.cloud, opened.uid(), uuid.uuid4().hex, "instant")
    expect(page.get_by_role("list").get_by_role("button").first).to_be_visible()
    expect(page.get_by_role("button", name="5 tokens", exact=True)).to_be_visible()
