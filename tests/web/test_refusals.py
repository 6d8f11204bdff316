"""Every refusal that there is, played to the pages: what they say, and what they offer to do about it."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from playwright.sync_api import Request, Route, expect

from functions.core.payments import refusals
from functions.core.shared import errors
from functions.core.shared.photos import PhotoProblem
from functions.core.teams import refusals as teams
from functions.core.wallet import refusals as accounts
from functions.edge.http_errors import CODES, STATUS
from localcloud.cloud import LocalCloud
from scripts.sample_shop import open_shop
from tests.app import photo
from tests.conftest import Configure
from tests.web.conftest import Opened
from tests.web.test_pages import reasons

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SAID = "what the functions say to developers"
SOON, MIDNIGHT = {"retryAfter": 0}, {"resetsAt": "2099-01-01T00:00:00Z", "limit": 20}


class Refused(NamedTuple):
    """An error, None for a defect of the functions; what the user reads, and whether the other lane is offered."""

    error: errors.EcolaneError | None
    words: str
    later: bool = False


PHOTO = (
    Refused(errors.Unauthenticated(SAID), "You are not signed in any more. Reload the page."),
    Refused(errors.AppNotVerified(SAID), "This app could not be verified. Reload the page."),
    Refused(errors.AuthUnavailable(SAID, **SOON), "We could not verify your sign-in just now. Try again."),
    Refused(errors.StoreUnavailable(SAID, **SOON), "We could not reach our database just now. Try again."),
    Refused(errors.RateLimited(SAID, **SOON), "Too many at once. Try again in 0 seconds."),
    Refused(errors.DataDamaged(SAID), "We have been notified; nothing was charged."),
    Refused(accounts.AccountBlocked(SAID), "This account is blocked. Contact support."),
    Refused(accounts.TeamNotFound(SAID), "You are not in this team any more. Choose who pays"),
    Refused(
        accounts.MemberLimit(SAID, used=18, **MIDNIGHT),
        "Until then pay yourself, or ask the team for a higher limit.",
    ),
    Refused(accounts.AccountDeleted(SAID), "You have deleted this account. Sign out"),
    Refused(errors.InsufficientTokens(SAID, price=5, balance=1), "This costs 5 tokens and you have 1. Claim", True),
    Refused(errors.PriceChanged(SAID, price=6, maxTokens=5, priceVersion="6-1"), "The price is 6 tokens now."),
    Refused(errors.DailyLimit(SAID, **MIDNIGHT), "You have reached today's limit. It starts anew on "),
    Refused(accounts.MonthlyLimit(SAID, **MIDNIGHT, plans=[{"plan": "pro"}]), "With the plan Pro it would be taken."),
    Refused(accounts.PlanRequired(SAID, feature="upgrade", plan="pro"), "Your plan does not have this."),
    Refused(errors.InstantClosed(SAID), "Instant answers are not available now. Choose Later.", True),
    Refused(errors.BudgetExhausted(SAID, **MIDNIGHT), "choose Later until then.", True),
    Refused(errors.InvalidImage(PhotoProblem.TOO_SMALL, SAID), "This photo is too small to show anything."),
    Refused(errors.PhotoRefused(SAID, jobId="0" * 32, refunded=True), "Your tokens are back; choose another one."),
    Refused(errors.ImageNotFound(SAID), "The photo is not there any more. Choose it again."),
    Refused(errors.NotYourImage(SAID), "This photo belongs to another account. Choose it again."),
    Refused(errors.ProviderUnavailable(SAID, retryAfter=30), "try again in 30 seconds, or choose Later.", True),
    Refused(errors.KeyReused(SAID, field="requestId"), "This request was made before. Reload the page."),
    Refused(errors.InvalidRequest(SAID, field="mode"), "This page has sent something that is not taken. Reload it."),
    Refused(None, "Something went wrong on our side. Try again."),
)
"""Of a photo that is handed in."""

WALLET = (
    Refused(
        errors.ConversionLimit(SAID, tokensLeftToday=2, pointsAvailable=90, room=7),
        "You can buy 2 more tokens today; you have 90 points, and room for 7 tokens.",
    ),
    Refused(errors.DailyLimit(SAID, **MIDNIGHT), "You have reached today's limit."),
)
TEAMS = (
    Refused(
        teams.NotTeamAdmin(SAID, role="member"), "Only those who lead the team may do this. Ask one of its owners."
    ),
    Refused(teams.TeamFull(SAID, limit=50, of="team"), "A team can have 50 members. Somebody has to leave it first."),
    Refused(teams.TeamFull(SAID, limit=10, of="user"), "You can be in 10 teams. Leave one first."),
    Refused(teams.InviteInvalid(SAID), "This invite is not valid any more. Ask for another one."),
    Refused(errors.InvalidRequest(SAID, field="name"), "Take up to 60 characters, without links"),
    Refused(errors.InvalidRequest(SAID, field="code"), "This is not the code of an invite"),
    Refused(errors.InvalidRequest(SAID, field="uid"), "This member has left the team already."),
    Refused(teams.LastOwner(SAID), "The team needs an owner. Make somebody else one first."),
)
"""What a page says of them is the same wherever it is said."""
PERKS = (
    Refused(refusals.PurchaseNotHere(SAID, sellOn=[]), "This is not sold here."),
    Refused(errors.PriceChanged(SAID, price=6, maxTokens=5), "The price is 6 tokens now. Nothing was charged."),
    Refused(errors.InvalidRequest(SAID, field="perk"), "You have as many streak savers as you can have. Use one"),
    Refused(errors.InsufficientTokens(SAID, price=50, balance=10), "This costs 50 tokens and you have 10."),
)
CANCEL = (
    Refused(errors.JobNotCancellable(SAID, status="processing"), "Too late to cancel: the photo is being classified."),
    Refused(errors.JobNotFound(SAID), "This photo is not kept any more."),
)
SHOP = (
    Refused(refusals.PurchaseNotHere(SAID, sellOn=["ios"]), "This is not sold here."),
    Refused(refusals.UnknownProduct(SAID, product="old"), "This is not sold any more. Reload the page."),
    Refused(refusals.AlreadySubscribed(SAID, plan="pro", seller="stripe"), "You pay for the plan pro already."),
    Refused(refusals.NothingBought(SAID), "You have no plan that could be managed."),
    Refused(refusals.PaymentMethodNeeded(SAID), "Buy a pack first, and save your card with it."),
    Refused(refusals.SpendingLimit(SAID, **MIDNIGHT), "Your own limit for this month is reached."),
    Refused(refusals.BillingUnavailable(SAID, retryAfter=30), "What was paid is never lost; try again in 30 seconds."),
)
UPGRADE = (Refused(errors.JobNotUpgradable(SAID, status="processing"), "No need to pay more: the photo is being"),)
SETTINGS = (
    Refused(errors.SettingsChanged(SAID, field="tokens.welcome", value=9), "Somebody else has changed tokens.welcome"),
    Refused(errors.NotAdmin(SAID), "Only operators may do this."),
    Refused(errors.NotAdmin(SAID, problem="signInAgain"), "Sign in again: changes are taken for 15 minutes after it."),
    Refused(errors.NotAdmin(SAID, problem="emailNotVerified"), "Verify your e-mail address first."),
    Refused(errors.NotAdmin(SAID, problem="secondFactor"), "Sign in with a second factor to change something."),
    Refused(errors.InvalidRequest("tokens.welcome: must be at most 1000.", field="tokens.welcome"), "at most 1000."),
)

Play = Callable[["Page", str, errors.EcolaneError | None], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A photo on the user's machine."""
    path = tmp_path / "bottle.jpg"
    path.write_bytes(photo(64))
    return path


@pytest.fixture
def refusing(opened: Opened) -> Iterator[Play]:
    """Let a callable refuse, as the functions write it."""

    def play(page: "Page", name: str, error: errors.EcolaneError | None) -> None:
        code = CODES[type(error)] if error else None
        told = {"reason": error.reason, **error.details} if error else {"reason": "INTERNAL", **SOON}
        body = {"status": code.name if code else "INTERNAL", "message": str(error or SAID), "details": told}
        cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}

        def answer(route: Route) -> None:
            asked = route.request.method == "OPTIONS"
            status = 204 if asked else STATUS[code] if code else 500
            route.fulfill(status=int(status), headers=cors, json=None if asked else {"error": body})

        page.unroute(f"**/{name}")
        page.route(f"**/{name}", answer)

    yield play
    opened.problems.clear()  # the browser reports each refused call


def alert(page: "Page") -> "Locator":
    """Return what is said aloud."""
    return page.get_by_role("alert")


def test_every_refusal_is_played() -> None:
    """Each reason of a callable is in a table above, or a defect of the functions themselves."""
    played = {
        each.error.reason
        for each in (*PHOTO, *WALLET, *TEAMS, *PERKS, *SHOP, *CANCEL, *UPGRADE, *SETTINGS)
        if each.error
    }
    assert played == reasons(errors.EcolaneError)


def test_a_photo_that_is_refused_says_why_and_what_to_do(opened: Opened, refusing: Play, file: Path) -> None:
    """In the list, beside the photo: it can be sent again or removed, and where that helps, taken by the other lane."""
    page = opened.start()
    page.get_by_role("radio", name="Instant").check()
    for refused in (*PHOTO, *TEAMS):
        refusing(page, "classify_image", refused.error)
        page.set_input_files("#file", file)
        expect(alert(page)).to_contain_text(refused.words)
        expect(page.get_by_text(SAID)).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile("^Try again$|^Accept 6 tokens$"))).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("^Later, "))).to_have_count(int(refused.later))
        page.get_by_role("button", name="Remove").click()
        expect(alert(page)).to_have_count(0)


def test_what_is_tried_again_is_a_new_request_unless_its_outcome_is_unknown(
    opened: Opened, refusing: Play, file: Path
) -> None:
    """A refused key would be refused again: there is a new one, at the price that was accepted, for the photo that is
    there. One whose answer was lost stays, or the photo would be paid for twice."""
    page = opened.start()
    page.get_by_role("radio", name="Instant").check()
    sent: list[dict[str, Any]] = []

    def note(asked: Request) -> None:
        if asked.method == "POST" and asked.url.endswith("/classify_image"):
            sent.append(json.loads(asked.post_data or "")["data"])

    page.on("request", note)
    refusing(page, "classify_image", errors.PriceChanged(SAID, price=6, maxTokens=5, priceVersion="6-1"))
    page.set_input_files("#file", file)
    expect(alert(page)).to_contain_text("The price is 6 tokens now.")
    refusing(page, "classify_image", errors.StoreUnavailable(SAID, **SOON))
    page.get_by_role("button", name="Accept 6 tokens").click()
    expect(alert(page)).to_contain_text("We could not reach our database just now.")
    page.unroute("**/classify_image")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("list").get_by_role("button").first.wait_for()
    first, *others = sent
    assert len(others) > 2
    assert {each["requestId"] for each in others} == {others[0]["requestId"]} != {first["requestId"]}
    assert {each["imagePath"] for each in others} == {first["imagePath"]}
    assert (first["maxTokens"], {each["maxTokens"] for each in others}) == (5, {6})


def test_what_the_wallet_is_refused_is_said_there(opened: Opened, refusing: Play) -> None:
    """Beside the buttons that ask for tokens."""
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    for refused in WALLET:
        refusing(page, "claim_daily_bonus", refused.error)
        page.get_by_role("button", name="Claim today's bonus").click()
        expect(alert(page)).to_contain_text(refused.words)


def test_what_teams_refuse_is_said_where_they_are_begun_and_joined(opened: Opened, refusing: Play) -> None:
    """Beside the buttons, which can be used again."""
    page = opened.start()
    page.get_by_role("button", name="Teams").click()
    page.get_by_label("Its name").fill("Depot")
    page.get_by_label("The invite's code").fill("A" * 26)
    for name, button in (("create_team", "Begin the team"), ("join_team", "Join")):
        for refused in TEAMS:
            refusing(page, name, refused.error)
            page.get_by_role("button", name=button).click()
            expect(alert(page)).to_contain_text(refused.words)


def test_what_a_perk_is_refused_is_said_there(opened: Opened, refusing: Play, configure: Configure) -> None:
    """Beside what it costs."""
    configure({"shop": {"streakSaver": 5}})
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    for refused in PERKS:
        refusing(page, "buy_perk", refused.error)
        page.get_by_role("button", name="Streak saver: buy for 5 tokens").click()
        expect(alert(page)).to_contain_text(refused.words)


def test_what_the_shop_refuses_is_said_there(opened: Opened, refusing: Play, cloud: LocalCloud) -> None:
    """Beside what is sold."""
    open_shop(cloud)
    cloud.clock.advance(timedelta(seconds=31))
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    for refused in SHOP:
        refusing(page, "start_checkout", refused.error)
        page.get_by_role("button", name="Buy 100 tokens for $4.99").click()
        expect(alert(page)).to_contain_text(refused.words)


def test_a_queued_photo_says_what_it_is_refused(opened: Opened, refusing: Play, file: Path) -> None:
    """Beside its buttons."""
    page = opened.start()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", file)
    for name, button, table in (("cancel_job", "Cancel", CANCEL), ("upgrade_job", "Now, 4 tokens", UPGRADE)):
        for refused in table:
            refusing(page, name, refused.error)
            page.get_by_role("button", name=button).click()
            expect(alert(page)).to_contain_text(refused.words)


def test_an_operator_reads_why_a_change_is_refused(opened: Opened, refusing: Play) -> None:
    """A range in the functions' own words; nothing is applied, and the change stands there to be tried again."""
    page = opened.operate()
    page.get_by_role("link", name="Settings").click()
    welcome = page.get_by_label("tokens.welcome")
    welcome.fill("11")
    welcome.blur()
    for refused in SETTINGS:
        refusing(page, "admin_set_config", refused.error)
        page.get_by_role("button", name="Apply 1").click()
        expect(alert(page)).to_contain_text(refused.words)
