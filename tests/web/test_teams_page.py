"""Teams on the user's page: begun, joined by a link, changed and left; who pays for a photo, and what is said when the
team does not."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from localcloud.cloud import LocalCloud
from scripts.sample_shop import open_shop
from tests.app import photo
from tests.web.conftest import Opened
from tests.web.test_accessibility import SCHEMES, SIZES

TOKENS = 20


@pytest.fixture
def other(browser: Browser, cloud: LocalCloud) -> Iterator[Opened]:
    """The visit of somebody else, with whatever is reported in it."""
    visit = Opened(browser, cloud)
    yield visit
    visit.context.close()


def begin(page: Page, name: str = "Green office") -> str:
    """Begin a team on its own page; return its id."""
    page.get_by_role("button", name="Teams").click()
    page.get_by_label("Its name").fill(name)
    page.get_by_role("button", name="Begin the team").click()
    said = page.get_by_text("this is the team").inner_text()
    return re.search(r"[0-9a-f]{32}", said)[0]  # type: ignore[index]


def endow(cloud: LocalCloud, team_id: str) -> None:
    """Give a team tokens, as an operator does."""
    cloud.firestore_client().document(f"teams/{team_id}/wallet/main").update({"balance": TOKENS})


def member(cloud: LocalCloud, page: Page, team_id: str, limit: int) -> str:
    """Let the page's user into a team of somebody else's; return the uid of that one."""
    owner = cloud.sign_up()
    made = cloud.call("create_team", {"requestId": uuid.uuid4().hex, "name": team_id}, owner.id_token)
    invite = {"requestId": str(uuid.uuid4()), "teamId": made["teamId"], "monthlyLimit": limit}
    code = cloud.call("invite_member", invite, owner.id_token)["code"]
    page.get_by_role("button", name="Teams").click()
    page.get_by_label("The invite's code").fill(f" {code.lower()} ")
    page.get_by_role("button", name="Join").click()
    page.get_by_text(re.compile("You are a member: 0 of ")).wait_for()
    return str(made["teamId"])


def violations(page: Page) -> list[Any]:
    """Return what is in somebody's way on the page as it is, on a telephone and a desk, in light and dark."""
    found = list[Any]()
    for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [(size, scheme, each["id"], each["nodes"]) for each in Axe().run(page).response["violations"]]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found.append((size, scheme, "wider than the screen"))
    page.set_viewport_size(SIZES["telephone"])
    return found


def test_a_team_is_begun_and_joined_by_a_link_changed_and_left(
    opened: Opened, other: Opened, cloud: LocalCloud
) -> None:
    """The owner passes a link on, with its end. Whoever opens it comes in by saying so, and is seen at once; a changed
    limit is seen on the other page at once, and so is the end."""
    page = opened.start()
    page.get_by_role("button", name="Teams").click()
    expect(page.get_by_role("heading", name="Teams")).to_be_focused()
    expect(page.get_by_text("You are in no team yet.")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    team_id = begin(page)
    endow(cloud, team_id)
    expect(page.locator(".figure")).to_have_text(str(TOKENS))
    invite = page.get_by_role("region", name="Invite somebody")
    invite.get_by_label("Most tokens a month").fill("12")
    invite.get_by_role("button", name="Make an invite").click()
    expect(invite.get_by_text("For one person, as a member with 12 tokens a month.")).to_contain_text(", until ")
    link = invite.get_by_label("Link").input_value()
    assert link.endswith("/#invite=" + invite.get_by_label("Code").input_value())

    second = other.go("/" + link.rpartition("/")[2])
    second.get_by_role("button", name="Start without an account").click()
    expect(second.get_by_text("Somebody has invited you.")).to_be_visible()
    second.get_by_role("button", name="Join").click()
    expect(second.get_by_text("You are a member: 0 of 12 tokens used this month.")).to_be_visible()
    assert "#" not in second.url
    expect(second.get_by_role("button", name=re.compile("Change|Make an invite"))).to_have_count(0)

    members = page.get_by_role("region", name="2 members")
    joined = members.get_by_role("listitem").filter(has_text="a member")
    joined.get_by_role("button", name="Change").click()
    limit = members.get_by_label("Most tokens a month")
    expect(limit).to_be_focused()
    assert violations(page) == []
    limit.fill("7")
    limit.press("Enter")
    expect(page.get_by_text("a member, 7 tokens a month.")).to_be_visible()
    expect(joined.get_by_role("button", name="Change")).to_be_focused()
    expect(second.get_by_text("You are a member: 0 of 7 tokens used this month.")).to_be_visible()

    page.get_by_role("button", name="Leave the team").click()
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_role("alert")).to_have_text("The team needs an owner. Make somebody else one first.")
    opened.problems.clear()  # the browser reports the call that was refused
    joined.get_by_role("button", name="Change").click()
    joined.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="1 member")).to_be_focused()
    expect(second.get_by_text("You are not in this team any more.")).to_be_visible()
    assert violations(second) == []
    second.get_by_role("button", name="Back").click()
    expect(second.get_by_text("You are in no team yet.")).to_be_visible()
    second.get_by_label("The invite's code").fill(link)
    second.get_by_role("button", name="Join").click()
    expect(second.get_by_role("alert")).to_contain_text("This invite is not valid any more. Ask for another one.")


def test_a_photo_is_paid_by_the_team_as_far_as_its_limit_goes(
    opened: Opened, cloud: LocalCloud, tmp_path: Path
) -> None:
    """What it costs and who pays stand on the button; beyond the member's limit the page says so and offers the
    user's own tokens, which are never taken unasked. The team's page lists what it has paid."""
    file = tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page = opened.start()
    team_id = member(cloud, page, "Depot", 7)
    endow(cloud, team_id)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("radio", name="Instant").check()
    page.get_by_label("Who pays").select_option("The team Depot")
    expect(page.get_by_text("The team has 20 tokens; you may spend 7 of them this month.")).to_be_visible()
    expect(page.get_by_text("Classify now, 5 tokens from the team")).to_be_visible()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    expect(page.get_by_text("The team has 15 tokens; you may spend 2 of them this month.")).to_be_visible()
    expect(page.get_by_role("button", name="10 tokens")).to_be_visible()
    page.set_input_files("#file", [file])
    expect(page.get_by_role("alert")).to_contain_text("You have spent 5 of the 7 tokens that your team gives you")
    assert violations(page) == []
    opened.problems.clear()  # the browser reports the call that was refused
    page.get_by_role("button", name="Pay yourself, 5 tokens").click()
    expect(page.get_by_role("button", name="5 tokens", exact=True)).to_be_visible()
    expect(page.get_by_role("list").get_by_role("button")).to_have_count(2)
    page.get_by_role("list").get_by_role("button").last.click()
    expect(page.get_by_text("Instant · 5 tokens from the team")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Teams").click()
    page.get_by_role("button", name="Depot").click()
    page.get_by_role("button", name="Show them").click()
    row = page.get_by_role("region", name="Photos that the team has paid").get_by_role("row").last
    expect(row).to_contain_text("You")
    expect(row).to_contain_text("Instant")
    expect(page.get_by_role("region", name="Photos that the team has paid").get_by_role("row")).to_have_count(2)
    expect(page.get_by_text("You are a member: 5 of 7 tokens used this month.")).to_be_visible()
    assert violations(page) == []


def test_several_photos_later_are_the_teams_and_one_who_is_out_chooses_anew(
    opened: Opened, cloud: LocalCloud, tmp_path: Path
) -> None:
    """The team pays each; taken out of it, the user reads so, nothing is sent until somebody pays, and what was queued
    is cancelled."""
    file = tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page = opened.start()
    team_id = member(cloud, page, "Fleet", 9)
    endow(cloud, team_id)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Back").click()
    page.get_by_label("Who pays").select_option("The team Fleet")
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", [file, file])
    expect(page.get_by_text("in the queue")).to_have_count(2)
    expect(page.get_by_role("button", name="Now, 4 tokens from the team")).to_have_count(2)
    expect(page.get_by_text("The team has 18 tokens; you may spend 7 of them this month.")).to_be_visible()
    uid = opened.uid()
    members = cloud.firestore_client().document(f"teams/{team_id}/wallet/main").get().get("members")
    (owner,) = set(members) - {uid}
    change = {"teamId": team_id, "uid": uid, "remove": True}
    cloud.call("change_member", change, cloud.sign_in(owner).id_token)
    expect(page.get_by_text("Cancelled")).to_have_count(2)
    expect(page.get_by_role("alert")).to_contain_text("You are not in this team any more. Choose who pays")
    expect(page.locator("#file")).to_be_disabled()
    page.get_by_label("Who pays").select_option("You, with your own tokens")
    expect(page.get_by_text("Classify later, 1 token", exact=True)).to_be_visible()
    expect(page.locator("#file")).to_be_enabled()
    opened.problems.clear()  # the browser reports each price that was refused, one for each photo that has ended


def test_what_comes_slowly_or_not_at_all_is_said(opened: Opened) -> None:
    """A team that is on its way has an outline; one that cannot be had says so; a lost connection leaves what is
    there. A slow price takes no newer one's place."""
    page = opened.start()
    begin(page, "Slow")
    opened.context.set_offline(True)
    expect(page.get_by_text("connecting again …")).to_be_visible()
    expect(page.get_by_role("heading", name="Slow")).to_be_visible()
    invite = page.get_by_role("region", name="Invite somebody")
    invite.get_by_label("Most tokens a month").fill("1")
    invite.get_by_role("button", name="Make an invite").click()
    expect(page.get_by_role("alert")).to_contain_text("You are offline.")
    opened.context.set_offline(False)
    expect(page.get_by_text("connecting again …")).to_be_hidden()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Back").click()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/quote", hold)
    opened.problems.clear()  # the browser reports what it could not fetch
    for who in ("The team Slow", "You, with your own tokens", "The team Slow"):
        page.get_by_label("Who pays").select_option(who)
    page.wait_for_timeout(100)
    _, late, newest = (route for route in held if route.request.method == "POST")
    newest.continue_()
    said = page.get_by_text("The team has 0 tokens.")
    expect(said).to_be_visible()
    late.continue_()
    page.wait_for_timeout(300)  # until the page had time to show it
    expect(said).to_be_visible()
    assert opened.problems == []
    page.unroute("**/quote")
    page.route("**/google.firestore.v1.Firestore/**", lambda _: None)  # never answered
    page.reload()
    page.get_by_role("button", name="Teams").click()
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    assert violations(page) == []
    opened.problems.clear()  # the browser reports what it could not fetch


def test_the_keyboard_alone_founds_a_team_and_leaves_it_again(opened: Opened) -> None:
    """Each field and button is reached by Tab; the dialog keeps the keyboard to itself, and Escape changes nothing."""
    page = opened.start()
    page.get_by_role("button", name="Teams").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Teams")).to_be_focused()

    def reach(name: str) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            said = page.evaluate(
                "(({ labels, textContent }) => labels?.[0]?.textContent || textContent)(document.activeElement)"
            )
            if name in said:
                return
        raise AssertionError(name)

    reach("Its name")
    page.keyboard.type("Keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keys")).to_be_focused()
    reach("Leave the team")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_a_folder_is_paid_by_the_team(opened: Opened, cloud: LocalCloud, tmp_path: Path) -> None:
    """As far as the member's limit goes; the price that is agreed to is asked for by whoever is to pay, and whoever
    chooses another payer meanwhile sees that one's."""
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(photo(64))
    page = opened.start()
    team_id = member(cloud, page, "Yard", 4)
    endow(cloud, team_id)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Back").click()
    page.get_by_label("Who pays").select_option("The team Yard")
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(tmp_path)
    expect(page.get_by_text("The team has 20 tokens; you may spend 4 of them this month.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Upload 3 photos for 3 tokens from the team").click()
    expect(page.get_by_text("3 tokens from the team, ")).to_be_visible()
    page.locator("#folder:enabled").set_input_files(tmp_path)
    page.get_by_role("button", name="Upload 3 photos for 3 tokens from the team").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "You have spent 3 of the 4 tokens that your team gives you a month."
    )
    opened.problems.clear()  # the browser reports the call that was refused
    page.get_by_label("Who pays").select_option("You, with your own tokens")
    page.get_by_role("button", name="Upload 3 photos for 3 tokens", exact=True).click()
    expect(page.get_by_text(re.compile("^3 tokens, "))).to_be_visible()
    expect(page.get_by_role("button", name="7 tokens", exact=True)).to_be_visible()


def test_an_owner_buys_a_pack_for_the_team(opened: Opened, cloud: LocalCloud) -> None:
    """On Stripe's page, which comes back with whose tokens they are; they are the team's, and not the buyer's."""
    open_shop(cloud)
    cloud.clock.advance(timedelta(seconds=31))
    page = opened.start()
    begin(page, "Bottles")
    page.get_by_role("button", name="Show what can be bought").click()
    assert violations(page) == []
    page.get_by_role("button", name="Buy 100 tokens for the team for $4.99").click()
    page.get_by_role("button", name="Pay by card", exact=True).click()
    expect(page.get_by_text("Thank you. The tokens are those of the team Bottles;")).to_be_visible()
    expect(page.get_by_role("button", name="10 tokens")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Teams").click()
    page.get_by_role("button", name="Bottles").click()
    expect(page.get_by_text("100 tokens, 100 of them bought")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Tokens bought")).to_contain_text("+100")


def test_operators_find_a_team(opened: Opened, cloud: LocalCloud) -> None:
    """By its id: tokens, members with what they have used of their limits, photos; a member is one click away, and what
    is neither a team nor a photo is said."""
    owner = cloud.sign_up()
    cloud.call("get_wallet", {}, owner.id_token)
    request = {"requestId": uuid.uuid4().hex, "name": "Recyclers"}
    team_id = cloud.call("create_team", request, owner.id_token)["teamId"]
    endow(cloud, team_id)
    bucket, path = cloud.storage_client().bucket(cloud.bucket), f"users/{owner.uid}/uploads/one.jpg"
    bucket.blob(path).upload_from_string(photo(64), content_type="image/jpeg")
    order = {"requestId": uuid.uuid4().hex, "imagePath": path, "mode": "batch", "payer": team_id}
    cloud.call("classify_image", order, owner.id_token)
    page = opened.operate()
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_role("searchbox").fill(team_id)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="Team Recyclers")).to_be_visible()
    expect(page.get_by_text("19 tokens, 0 of them bought")).to_be_visible()
    expect(page.get_by_role("region", name="1 member").get_by_role("row").last).to_contain_text("owner1none")
    paid = page.get_by_role("region", name="Photos that it has paid for")
    expect(paid.get_by_role("row").last).to_contain_text("queued")
    expect(page.get_by_role("region", name="Last entries").get_by_role("row").last).to_contain_text("charge:")
    assert violations(page) == []
    page.get_by_role("button", name=owner.uid).first.click()
    expect(page.get_by_role("heading", name=owner.uid)).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("0" * 32)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("There is no job and no team")).to_be_visible()


def test_bought_tokens_are_given_to_a_member(opened: Opened, cloud: LocalCloud) -> None:
    """Nobody without bought tokens is offered it. They are there at once, and the page says how many more may go today;
    more than that is refused in words."""
    document = cloud.firestore_client().document("config/runtime")
    document.set({"shop": {"giftTokensPerDay": 6}}, merge=True)
    cloud.clock.advance(timedelta(seconds=31))
    page = opened.start()
    team_id = member(cloud, page, "Givers", 4)
    expect(page.get_by_role("button", name="Give tokens")).to_have_count(0)
    uid = opened.uid()
    wallet = cloud.firestore_client().document(f"users/{uid}/wallet/main")
    wallet.update({"balance": 30, "purchased": 20})
    give = page.get_by_role("button", name=re.compile("^Give tokens to "))
    give.click()
    expect(page.get_by_role("spinbutton", name="Tokens of yours to give")).to_be_focused()
    expect(page.get_by_text("Up to 6 now:")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("spinbutton", name="Tokens of yours to give").fill("4")
    page.get_by_role("button", name="Give them").click()
    expect(page.get_by_text(re.compile("got 4 tokens from you"))).to_be_visible()
    expect(page.get_by_role("heading", name="2 members")).to_be_focused()
    expect(page.get_by_role("button", name="26 tokens")).to_be_visible()
    members = cloud.firestore_client().document(f"teams/{team_id}/wallet/main").get().get("members")
    (owner,) = set(members) - {uid}
    assert cloud.firestore_client().document(f"users/{owner}/wallet/main").get().get("purchased") == 4
    give.click()
    expect(page.get_by_text("Up to 2 now:")).to_be_visible()
    wallet.update({"purchased": 1})
    expect(page.get_by_text("Up to 1 now:")).to_be_visible()
    field = page.get_by_role("spinbutton", name="Tokens of yours to give")
    field.fill("2")
    field.evaluate("each => (each.form.noValidate = true)")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is 1 bought token, and only those can be given.")
    opened.problems.clear()  # the browser reports the call that was refused


def test_a_team_takes_part_in_the_board_of_teams(opened: Opened) -> None:
    """Its owner says so, under a name that is checked, and takes it off again."""
    page = opened.start()
    begin(page, "Ranks")
    page.get_by_role("button", name="Leaderboard of teams").click()
    expect(page.get_by_role("heading", name="Leaderboard of teams")).to_be_focused()
    page.get_by_label("The team's name").fill("admin")
    page.get_by_role("button", name="Take part").click()
    expect(page.get_by_role("alert")).to_contain_text("This name cannot be shown.")
    opened.problems.clear()  # the browser reports the call that was refused
    expect(page.get_by_label("The team's name")).to_have_value("admin")
    page.get_by_label("The team's name").fill("Ranks")
    page.get_by_role("button", name="Take part").click()
    expect(page.get_by_text("Your team has no points here yet: each photo that it pays brings some.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Leave the leaderboard").click()
    expect(page.get_by_text("Your team takes no part.")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", name="Ranks")).to_be_focused()


def test_tokens_of_the_team_are_allotted_and_returned(opened: Opened, cloud: LocalCloud) -> None:
    """By an owner, to whom they then belong; the page says how many, and takes them back."""
    page = opened.start()
    team_id = begin(page, "Allots")
    expect(page.get_by_role("button", name="Allot tokens")).to_have_count(0)
    fields = {"balance": 20, "purchased": 20, "totalEarned": 20}
    cloud.firestore_client().document(f"teams/{team_id}/wallet/main").update(fields)
    page.get_by_role("button", name="Allot tokens to You").click()
    expect(page.get_by_role("spinbutton", name="Tokens of the team's to allot")).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("8")
    page.get_by_role("button", name="Allot them").click()
    expect(page.get_by_text("You got 8 tokens from the team.")).to_be_visible()
    expect(page.get_by_text(", 8 allotted")).to_be_visible()
    expect(page.get_by_role("button", name="18 tokens", exact=True)).to_be_visible()
    page.get_by_role("button", name="Return tokens").click()
    page.get_by_role("spinbutton", name="Tokens to return").fill("3")
    page.get_by_role("button", name="Return them").click()
    expect(page.get_by_text("You have returned 3 tokens to the team.")).to_be_visible()
    expect(page.get_by_text("15 tokens, 15 of them bought")).to_be_visible()
    expect(page.get_by_text(", 5 allotted")).to_be_visible()


def test_an_associate_gets_tokens_and_is_made_a_member(opened: Opened, other: Opened, cloud: LocalCloud) -> None:
    """They see the team's name and what it allots, and are offered to pay with nothing of it; owners find them in
    pages."""
    page = opened.start()
    team_id = begin(page, "Wide")
    fields = {"balance": 20, "purchased": 20, "totalEarned": 20}
    cloud.firestore_client().document(f"teams/{team_id}/wallet/main").update(fields)
    invite = page.get_by_role("region", name="Invite somebody")
    invite.get_by_label("Role").select_option("associate")
    invite.get_by_label("Most tokens a month").fill("6")
    invite.get_by_role("button", name="Make an invite").click()
    link = invite.get_by_label("Link").input_value()
    second = other.go("/" + link.rpartition("/")[2])
    second.get_by_role("button", name="Start without an account").click()
    second.get_by_role("button", name="Join").click()
    expect(second.get_by_text("You are an associate: you pay with tokens of your own")).to_be_visible()
    expect(second.get_by_role("heading", name="Wide")).to_be_visible()
    assert violations(second) == []

    found = page.get_by_role("region", name="1 associate")
    found.get_by_role("button", name="Show associates").click()
    found.get_by_role("button", name=re.compile("^Allot tokens to ")).click()
    page.get_by_role("spinbutton", name="Tokens of the team's to allot").fill("8")
    page.get_by_role("button", name="Allot them").click()
    expect(found.get_by_text("8 tokens allotted")).to_be_visible()
    assert violations(page) == []
    second.get_by_role("button", name="Return tokens").click()
    second.get_by_role("spinbutton", name="Tokens to return").fill("3")
    second.get_by_role("button", name="Return them").click()
    expect(second.get_by_text("5 tokens of them can be returned to it.")).to_be_visible()
    second.get_by_role("button", name="Back").click()
    expect(second.get_by_text("you are an associate")).to_be_visible()
    second.get_by_role("button", name="Back").click()
    expect(second.get_by_label("Who pays").get_by_role("option")).to_have_text(["You, with your own tokens"])

    found.get_by_role("button", name=re.compile("^Change ")).click()
    found.get_by_label("Role").select_option("member")
    found.get_by_role("button", name="Save").click()
    expect(
        page.get_by_role("region", name="2 members").get_by_text("0 of 6 tokens used this month, 5 allotted")
    ).to_be_visible()
    expect(found).to_have_count(0)
    second.get_by_label("Who pays").select_option("The team Wide")
    expect(second.get_by_text("The team has 15 tokens; you may spend 6 of them this month.")).to_be_visible()
    other.problems.clear()  # the browser reports a listener that was refused
