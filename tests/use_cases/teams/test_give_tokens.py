"""`give_tokens`: bought tokens that a member gives to another one, the team to a member, and a member back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens, InvalidRequest, KeyReused
from functions.core.teams.refusals import NotTeamAdmin
from functions.core.wallet.refusals import AccountBlocked, AccountDeleted, TeamNotFound
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.teams.change_member import ChangeMember, change_member
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.get_team import GetTeam, get_team
from functions.use_cases.teams.give_tokens import GiveTokens, give_tokens
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from scripts.inprocess import InProcessCloud
from scripts.shop_in_process import Shop
from tests.steps import buy, listed, stored, wallet
from tests.test_crashes import WHENS, Killer, When


@pytest.fixture
def shop() -> Shop:
    """A shop whose users ann and bob are in one team."""
    return Shop().visited("ann", "bob")


@pytest.fixture
def team_id(shop: Shop) -> str:
    """Their team."""
    return shop.team("ann", "bob")


def give(
    shop: Shop, team_id: str, tokens: int = 30, *, by: str = "ann", to: str = "bob", key: str = "gift-0001"
) -> str:
    """Give tokens. Returns the entry's id."""
    request = {"requestId": key, "teamId": team_id, "uid": to, "tokens": tokens}
    return str(give_tokens(GiveTokens.model_validate(request), by, shop.cloud.deps)["entry"]["entryId"])


def balanced(shop: Shop, *uids: str) -> list[int]:
    """Return bought tokens less debts, which are the sums of the ledgers."""
    for uid in uids:
        entries, found = shop.entries(uid), shop.wallet(uid)
        assert found["balance"] == sum(each["delta"] for each in entries)
        assert found["purchased"] - found["owed"] == sum(each["bought"] for each in entries)
    return [shop.wallet(uid)["purchased"] - shop.wallet(uid)["owed"] for uid in uids]


def test_a_gift_goes_from_one_to_the_other_once(shop: Shop, team_id: str) -> None:
    """The same key gives the same entry, and another gift under it is refused."""
    shop.buy()
    assert give(shop, team_id) == give(shop, team_id)
    assert balanced(shop, "ann", "bob") == [70, 30]
    for tokens, to in ((31, "bob"), (30, "eve")):
        with pytest.raises(KeyReused):
            give(shop, team_id, tokens, to=to)
    assert "bob" not in str(shop.entries("ann"))
    assert "ann" not in str(shop.entries("bob"))
    assert balanced(shop, "ann", "bob") == [70, 30]


def test_what_is_refused_changes_nothing(shop: Shop, team_id: str) -> None:
    """Strangers, free tokens, the day's limit, a blocked giver."""
    cases: list[tuple[type[EcolaneError], int, str, str]] = [
        (TeamNotFound, 1, "eve", "bob"),
        (InvalidRequest, 1, "ann", "eve"),
        (InvalidRequest, 1, "ann", "ann"),
        (InsufficientTokens, 1, "bob", "ann"),
        (DailyLimit, 51, "ann", "bob"),
    ]
    shop.buy()
    for refusal, tokens, by, to in cases:
        with pytest.raises(refusal):
            give(shop, team_id, tokens, by=by, to=to)
    shop.cloud.client.document("users/ann/wallet/main").update({"blockedAt": shop.cloud.clock()})
    with pytest.raises(AccountBlocked):
        give(shop, team_id)
    assert balanced(shop, "ann", "bob") == [100, 0]
    assert listed(shop.cloud, "users/eve/ledger") == {}


def test_a_refund_after_a_gift_is_owed_by_the_buyer(shop: Shop, team_id: str) -> None:
    """Whoever got the tokens keeps them."""
    intent = shop.buy()["payment_intent"]
    give(shop, team_id)
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert (shop.tokens("ann"), shop.tokens("bob")) == ((0, 30), (30, 0))
    assert balanced(shop, "ann", "bob") == [-30, 30]


def test_a_member_who_was_never_here_gets_a_gift(shop: Shop) -> None:
    """With their welcome, which comes once."""
    team_id = shop.team("ann", "cid")
    shop.buy()
    give(shop, team_id, to="cid")
    assert (wallet(shop.cloud, "cid")["balance"], shop.visited("cid").tokens("cid")) == (40, (30, 0))


def test_whoever_has_left_the_app_gets_no_gift(shop: Shop, team_id: str) -> None:
    """Also while a team that was damaged meanwhile still names them; and nobody else is told to sign out."""
    shop.buy()
    path = f"teams/{team_id}/wallet/main"
    sound = stored(shop.cloud, path)
    shop.cloud.client.document(path).update({"balance": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "bob", shop.cloud.deps)
    shop.cloud.client.document(path).set(sound)
    with pytest.raises(InvalidRequest, match="not in the team"):
        give(shop, team_id)
    with pytest.raises(AccountDeleted):
        give(shop, team_id, by="bob", to="ann")
    assert (balanced(shop, "ann"), shop.wallet("bob")["balance"]) == ([100], 0)


def test_a_gift_costs_five_reads_and_four_writes(shop: Shop, team_id: str) -> None:
    """The team and both wallets, and an entry each, and whether the key has moved anything in another way; the settings
    are read by all calls together."""
    shop.buy()
    give(shop, team_id)
    shop.cloud.firestore.bill.reset()
    give(shop, team_id, 5, key="gift-0002")
    totals = shop.cloud.firestore.bill.snapshot()["totals"]
    assert (totals["reads"], totals["writes"]) == (5, 4)


def test_racing_gifts_pass_neither_tokens_nor_the_day() -> None:
    """Of forty at once for the last twenty tokens four are given, and then forty more for the day's last."""
    cloud = InProcessCloud(seed=1)
    shop = Shop(cloud=cloud).visited("ann", "bob")
    team_id = shop.team("ann", "bob")

    def one(number: int) -> str:
        try:
            return give(shop, team_id, 5, key=f"gift-{number:04}").partition(":")[0]
        except EcolaneError as error:
            return error.reason

    for bought, given in ((20, 4), (100, 6)):
        buy(cloud, "ann", bought)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(one, range(40 * given, 40 * given + 40)))
        assert outcomes.count("give") == given
    assert balanced(shop, "ann", "bob") == [70, 50]
    assert stored(cloud, "users/ann/wallet/main")["today"]["given"] == 50


# Allotments


def move(shop: Shop, by: str, tokens: int, key: str, **what: Any) -> str:
    """Allot tokens of the team, or return them. Returns the entry's id."""
    request = {"requestId": key, "tokens": tokens, "teamId": shop.team("ann", "bob"), **what}
    return str(give_tokens(GiveTokens.model_validate(request), by, shop.cloud.deps)["entry"]["entryId"])


def allot(shop: Shop, tokens: int = 30, *, by: str = "ann", to: str = "bob") -> str:
    """Have an owner allot tokens of the team."""
    return move(shop, by, tokens, "allot-0001", uid=to, fromTeam=True)


def test_an_allotment_goes_to_a_member_and_back_once(shop: Shop, team_id: str) -> None:
    """Each once by its key; the member spends it as any bought tokens, also after leaving."""
    team = f"teams/{team_id}"
    shop.buy(payer=team_id)
    assert allot(shop) == allot(shop)
    assert balanced(shop, team, "bob") == [70, 30]
    with pytest.raises(KeyReused):
        allot(shop, 31)
    returned = [move(shop, "bob", 10, "return-0001") for _ in range(2)]
    assert returned[0] == returned[1]
    assert balanced(shop, team, "bob") == [80, 20]
    members = get_team(GetTeam(teamId=team_id), "ann", shop.cloud.deps)["members"]
    assert {each["uid"]: each["allotted"] for each in members} == {"ann": 0, "bob": 20}
    with pytest.raises(InvalidRequest, match="20 are to return"):
        move(shop, "bob", 21, "return-0002")
    request = {"teamId": team_id, "uid": "bob", "remove": True}
    change_member(ChangeMember.model_validate(request), "bob", shop.cloud.deps)
    assert balanced(shop, team, "bob") == [80, 20]


@pytest.mark.parametrize("first", ["gift", "allotment", "return"])
def test_a_key_is_for_one_kind_of_move(shop: Shop, team_id: str, first: str) -> None:
    """Whichever comes first, both others are refused, and it is answered again."""
    team = f"teams/{team_id}"
    shop.buy()
    shop.buy(payer=team_id)
    move(shop, "ann", 20, "allot-0000", uid="ann", fromTeam=True)
    kinds: dict[str, dict[str, Any]] = {
        "gift": {"uid": "bob"},
        "allotment": {"uid": "bob", "fromTeam": True},
        "return": {},
    }
    entry = move(shop, "ann", 10, "one-key-for-all", **kinds[first])
    after = balanced(shop, team, "ann", "bob")
    for kind, what in kinds.items():
        if kind == first:
            assert move(shop, "ann", 10, "one-key-for-all", **what) == entry
            continue
        with pytest.raises(KeyReused) as refused:
            move(shop, "ann", 10, "one-key-for-all", **what)
        assert refused.value.details == {"field": "requestId"}
    assert balanced(shop, team, "ann", "bob") == after


def test_of_two_kinds_that_race_for_a_key_one_is_made() -> None:
    """Each reads what the other one writes."""
    for seed in range(3):
        shop = Shop(cloud=InProcessCloud(seed=seed)).visited("ann", "bob")
        team_id = shop.team("ann", "bob")
        shop.buy()
        shop.buy(payer=team_id)

        def one(from_team: bool, shop: Shop = shop) -> str:
            try:
                return move(shop, "ann", 10, "one-key-for-all", uid="bob", fromTeam=from_team)
            except KeyReused:
                return ""

        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(one, (True, False)))
        assert sorted(map(bool, made)) == [False, True]
        assert balanced(shop, "bob") == [10]


def test_one_key_allots_of_each_team(shop: Shop, team_id: str) -> None:
    """To a member of both: the second one was an internal error, since both entries had one name in that ledger."""
    deps = shop.cloud.deps
    other = create_team(CreateTeam(requestId="another-team", name="Blue"), "ann", deps)["teamId"]
    invite = InviteMember.model_validate({"requestId": "invite-bob-0123456789", "teamId": other, "monthlyLimit": 1})
    join_team(JoinTeam(code=invite_member(invite, "ann", deps)["code"]), "bob", deps)
    for team in (team_id, other):
        shop.buy(payer=team)
        request = {"requestId": "allot-0001", "teamId": team, "uid": "bob", "fromTeam": True, "tokens": 30}
        for _ in range(2):
            give_tokens(GiveTokens.model_validate(request), "ann", deps)
    assert balanced(shop, f"teams/{team_id}", f"teams/{other}", "bob") == [70, 70, 60]


def test_what_cannot_be_allotted_changes_nothing(shop: Shop, team_id: str) -> None:
    """By an admin to oneself, by a stranger, to one, or more than was bought for the team."""
    team = f"teams/{team_id}"
    shop.buy(payer=team_id)
    cases: list[tuple[type[EcolaneError], str, str, int]] = [
        (NotTeamAdmin, "bob", "bob", 1),
        (TeamNotFound, "eve", "bob", 1),
        (InvalidRequest, "ann", "eve", 1),
        (InsufficientTokens, "ann", "bob", 101),
    ]
    for refusal, by, to, tokens in cases:
        with pytest.raises(refusal):
            allot(shop, tokens, by=by, to=to)
    assert balanced(shop, team, "ann", "bob") == [100, 0, 0]


def test_a_refund_after_an_allotment_is_owed_by_the_team(shop: Shop, team_id: str) -> None:
    """The member keeps the tokens; what is returned pays the debt."""
    team = f"teams/{team_id}"
    intent = shop.buy(payer=team_id)["payment_intent"]
    allot(shop)
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert balanced(shop, team, "bob") == [-30, 30]
    move(shop, "bob", 30, "return-0001")
    assert balanced(shop, team, "bob") == [0, 0]


def moved(shop: Shop, kind: str) -> None:
    """Give thirty tokens, allot them, or return ten."""
    if kind == "gift":
        give(shop, shop.team("ann", "bob"))
    elif kind == "allotment":
        allot(shop)
    else:
        move(shop, "bob", 10, "return-0001")


def begun(kind: str) -> Shop:
    """Return a shop in which this kind of move can be made."""
    shop = Shop().visited("ann", "bob")
    shop.buy(**({} if kind == "gift" else {"payer": shop.team("ann", "bob")}))
    shop.team("ann", "bob")
    if kind == "return":
        allot(shop)
    return shop


def outside_calls(kind: str, when: When) -> int:
    """Return how many outside calls a move makes when nothing goes wrong."""
    shop, counter = begun(kind), Killer(at=0, when=when)
    shop.cloud.interrupt = counter
    moved(shop, kind)
    return counter.calls


LEFT = {"gift": [70, 30], "allotment": [70, 30], "return": [80, 20]}
CRASHES = [(kind, at, when) for kind in LEFT for when in WHENS for at in range(1, outside_calls(kind, when) + 1)]


@pytest.mark.parametrize(("kind", "at", "when"), CRASHES, ids=str)
def test_a_move_survives_a_crash_anywhere(kind: str, at: int, when: When) -> None:
    """The same call finishes it, once."""
    shop = begun(kind)
    shop.cloud.interrupt = Killer(at, when)
    with pytest.raises(BaseException):  # noqa: B017, PT011  (a client library may cover it with an error of its own)
        moved(shop, kind)
    shop.cloud.restart()
    shop.tick(minutes=2)  # the locks of what died go by themselves
    moved(shop, kind)
    giver = "ann" if kind == "gift" else f"teams/{shop.team('ann', 'bob')}"
    assert balanced(shop, giver, "bob") == LEFT[kind]
