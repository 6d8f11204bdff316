"""Credit refresh, run as cron runs it: everybody once a period, whatever else happens to wallets, workers and store."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError

from functions.adapters.breaker import OPEN_FOR
from functions.adapters.firestore import FirestoreStore
from functions.core.config.plans import Every
from functions.core.refresh.refresh import last_due, slot_of
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.wiring import Deps
from localcloud.firestore import in_process_client
from localcloud.firestore.inprocess import Intercept
from scripts.ecolane_cloud import PROJECT
from scripts.inprocess import InProcessCloud
from tests.app import App
from tests.conftest import Configure
from tests.steps import classify, enqueue, letters, statement, stored, wallet

USERS = [uid for uid in (f"user-{number}" for number in range(60)) if not 12 * 60 <= slot_of(uid) < 13 * 60][:40]
"""Nobody's slot is in the hour that the tests begin in, so that a few minutes more make nobody due again."""

UNLUCKY = USERS[7]
CRON = timedelta(minutes=5)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ADD_TEN = {"kind": "add", "amount": 10, "every": "day"}
WELCOME = ("welcome", 10, 10)


@pytest.fixture
def local() -> InProcessCloud:
    """An empty cloud in which the free plan adds ten tokens a day, and `pro` a hundred a month."""
    local = InProcessCloud(seed=1)
    settle(local)
    return local


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client libraries repeat at once what they would repeat after a while."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


def settle(local: InProcessCloud, **rules: Any) -> None:
    """Configure the refresh."""
    pro = {"kind": "add", "amount": 100, "every": "month"}
    local.configure({"refresh": {"allowances": {"free": ADD_TEN, "pro": pro}, **rules}})


def join(local: InProcessCloud, users: list[str] = USERS) -> None:
    """Let users make their first contact."""
    for user in users:
        get_wallet(GetWallet(), user, local.deps)


def change(local: InProcessCloud, user: str, **fields: Any) -> None:
    """Change a stored wallet, as an operator with a heavy hand does."""
    local.client.document("users", user, "wallet", "main").update(fields)


def tomorrow(local: InProcessCloud) -> None:
    """Let a day pass without a run: everybody is due."""
    local.clock.advance(DAY)


def until_given_up(local: InProcessCloud) -> None:
    """Run as often as a wallet is tried that cannot be refreshed."""
    for wait in (0, 1, 2, 4):
        local.clock.advance(wait * MINUTE)
        refresh_credits(local.deps)


def refreshed_once(local: InProcessCloud, users: list[str]) -> None:
    """Check that each of these users got one allowance, and that the books balance."""
    for user in users:
        lines, stored = statement(local, user), wallet(local, user)
        assert [tokens for entry, tokens, _ in lines if entry.startswith("refresh:")] == [10], user
        assert stored["balance"] == sum(tokens for _, tokens, _ in lines)


# A day


def test_everybody_is_refreshed_once_a_day_at_their_own_minute(local: InProcessCloud) -> None:
    """With cron every five minutes for two days, everybody gets two, each within five minutes of the slot."""
    join(local)
    for _ in range(2 * 24 * 12):
        local.clock.advance(CRON)
        refresh_credits(local.deps)
    for user in USERS:
        found = local.client.collection("users", user, "ledger").order_by("seq").stream()
        times = [entry.get("ts") for entry in found if entry.get("reason") == "refresh"]
        assert len(times) == 2
        for moment in times:
            slot = moment.replace(hour=0, minute=0, second=0) + slot_of(user) * MINUTE
            late = min(moment - day for day in (slot, slot - DAY) if day <= moment)
            assert late < CRON


def test_a_refreshed_user_costs_one_read_and_two_writes(local: InProcessCloud) -> None:
    """Besides what a run costs however many there are: the config, and a write for its figures."""
    join(local)
    tomorrow(local)
    local.deps.runtime()
    local.firestore.bill.reset()
    counts = refresh_credits(local.deps)
    totals = local.firestore.bill.snapshot()["totals"]
    assert (counts["seen"], counts["refreshed"], counts["pages"]) == (40, 40, 1)
    assert totals == {"reads": 40, "writes": 2 * 40 + 1, "deletes": 0}


def test_a_user_whose_balance_is_high_costs_no_entry(local: InProcessCloud) -> None:
    """A top-up that finds enough writes the wallet's next time and no entry of zero tokens."""
    settle(local, allowances={"free": {"kind": "top_up", "amount": 5, "every": "day"}})
    join(local, ["ann"])
    tomorrow(local)
    assert refresh_credits(local.deps)["skipped"] == 1
    assert statement(local, "ann") == [WELCOME]
    assert wallet(local, "ann")["nextRefreshAt"] > local.clock()


def test_pages_are_taken_until_nobody_is_due(local: InProcessCloud) -> None:
    """More users than a page holds are refreshed by one run, in the order in which they are due."""
    settle(local, usersPerPage=7)
    join(local)
    tomorrow(local)
    counts = refresh_credits(local.deps)
    assert (counts["refreshed"], counts["pages"]) == (40, 6)
    refreshed_once(local, USERS)
    assert refresh_credits(local.deps)["seen"] == 0


def test_a_run_that_has_no_time_left_is_resumed(local: InProcessCloud) -> None:
    """A slow store makes a run stop between pages; the next one goes on where it stopped."""
    settle(local, usersPerPage=10)
    join(local)
    tomorrow(local)
    started, reads = local.clock(), iter(range(10_000))
    deps = local.new_process(clock=lambda: started + next(reads) * RUN_TIME / 4)
    first = refresh_credits(deps)
    assert 0 < first["refreshed"] < 40
    assert refresh_credits(local.deps)["refreshed"] == 40 - first["refreshed"]
    refreshed_once(local, USERS)


def test_a_month_plan_is_refreshed_once_a_month(local: InProcessCloud) -> None:
    """Over the first of the month, a run a day: one entry, on the first."""
    join(local, ["ann"])
    change(local, "ann", plan="pro", refreshedPeriod="2026-11")
    for _ in range(20):
        local.clock.advance(DAY)
        refresh_credits(local.deps)
    assert statement(local, "ann") == [WELCOME, ("refresh:2026-12", 100, 110)]


# Staying away and coming back


def test_a_dormant_user_costs_nothing_and_loses_nothing(local: InProcessCloud) -> None:
    """Off the schedule after the configured days, at no read and no write; the next look credits every day of it."""
    settle(local, dormantDays=2)
    join(local, ["ann", "bob"])
    for _ in range(4):
        tomorrow(local)
        change(local, "bob", contactAt=local.clock())
        refresh_credits(local.deps)
    assert wallet(local, "ann")["nextRefreshAt"] is None
    change(local, "bob", nextRefreshAt=None)
    local.deps.runtime()
    local.firestore.bill.reset()
    for _ in range(3):
        tomorrow(local)
        refresh_credits(local.deps)
    assert "wallet" not in local.firestore.bill.snapshot()["by_collection"] or (
        local.firestore.bill.snapshot()["by_collection"]["wallet"] == {"reads": 3, "writes": 0, "deletes": 0}
    )
    shown = get_wallet(GetWallet(), "ann", local.deps)
    assert shown["balance"] == wallet(local, "ann")["balance"] == 10 + 7 * 10
    assert wallet(local, "ann")["nextRefreshAt"] > local.clock()


@pytest.mark.parametrize("call", ["upgrade", "cancel"])
def test_a_user_who_upgrades_or_cancels_is_there(local: InProcessCloud, call: str) -> None:
    """Yesterday's photo is upgraded with today's tokens; who cancels it gets these before the price comes back."""
    local.configure({"refresh": {"allowances": {"free": ADD_TEN}}, "tokens": {"welcome": 1}})
    (job_id,) = enqueue(local, "ann")
    tomorrow(local)
    period = local.clock().date().isoformat()
    if call == "upgrade":
        assert upgrade_job(UpgradeJob(jobId=job_id), "ann", local.deps)["status"] == "done"
        posted = [(f"refresh:{period}", 10, 10), (f"upgrade:{job_id}", -4, 6)]
    else:
        assert cancel_job(CancelJob(jobId=job_id), "ann", local.deps)["status"] == "cancelled"
        posted = [(f"refresh:{period}", 10, 10), (f"refund:{job_id}", 1, 11)]
    assert statement(local, "ann") == [("welcome", 1, 1), (f"charge:{job_id}", -1, 0), *posted]
    assert wallet(local, "ann")["contactAt"] == local.clock()


def test_a_look_costs_one_read_until_something_is_due(local: InProcessCloud) -> None:
    """A look at a wallet that is up to date reads it once and writes nothing; a price never writes."""
    join(local, ["ann"])
    local.deps.runtime()
    local.firestore.bill.reset()
    get_wallet(GetWallet(), "ann", local.deps)
    assert local.firestore.bill.snapshot()["totals"] == {"reads": 1, "writes": 0, "deletes": 0}
    tomorrow(local)
    local.deps.runtime()
    local.firestore.bill.reset()
    assert quote(Quote(), "ann", local.deps)["balance"] == 20
    assert local.firestore.bill.snapshot()["totals"] == {"reads": 1, "writes": 0, "deletes": 0}
    assert get_wallet(GetWallet(), "ann", local.deps)["balance"] == 20


def test_a_contact_is_credited_before_it_spends(local: InProcessCloud) -> None:
    """Whoever comes back with nothing left can pay for a photo with what has come meanwhile, in one transaction."""
    join(local, ["ann"])
    change(local, "ann", balance=0, totalSpent=10, nextRefreshAt=None)
    tomorrow(local)
    local.deps.runtime()
    local.deps.queue()
    local.firestore.bill.reset()
    assert classify(local, "one", "batch")["balance"] == 9
    assert local.firestore.bill.snapshot()["totals"]["reads"] == 1
    assert [tokens for _, tokens, _ in statement(local)] == [10, 10, -1]


def test_the_bonus_comes_with_the_allowance(local: InProcessCloud) -> None:
    """A claim on a day that was not refreshed yet posts both, and answers with the bonus."""
    join(local, ["ann"])
    tomorrow(local)
    entry = claim_daily_bonus(ClaimDailyBonus(deviceId="device-one"), "ann", local.deps)["entry"]
    assert (entry["reason"], entry["balanceAfter"]) == ("bonus", 22)
    assert refresh_credits(local.deps)["seen"] == 0


def test_a_wallet_of_an_older_version_enters_the_schedule(local: InProcessCloud) -> None:
    """A document from before the schedule is left alone by the worker and entered by its user's next look."""
    join(local, ["ann"])
    old = wallet(local, "ann")
    for name in ("contactAt", "nextRefreshAt", "refreshShard", "refreshedPeriod", "refreshFailures"):
        del old[name]
    local.client.document("users", "ann", "wallet", "main").set(old)
    tomorrow(local)
    assert refresh_credits(local.deps)["seen"] == 0
    join(local, ["ann"])
    tomorrow(local)
    assert refresh_credits(local.deps)["refreshed"] == 1


def test_a_wallet_made_anew_from_its_ledger_is_not_refreshed_twice(local: InProcessCloud) -> None:
    """The ledger remembers the last period, so a removed wallet brings nothing a second time."""
    join(local, ["ann"])
    tomorrow(local)
    refresh_credits(local.deps)
    local.client.document("users", "ann", "wallet", "main").delete()
    assert get_wallet(GetWallet(), "ann", local.deps)["balance"] == 20
    refreshed_once(local, ["ann"])


# Bad input


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"balance": None}, "balance"),
        ({"balance": "many"}, "balance"),
        ({"balance": -5}, "balance"),
        ({"recent": "none"}, "recent"),
        ({"plan": 7}, "plan"),
        ({"refreshedPeriod": "yesterday"}, "refreshedPeriod"),
        ({"refreshedPeriod": 5}, "refreshedPeriod"),
        ({"contactAt": "long ago"}, "contactAt"),
        ({"today": []}, "today"),
    ],
)
def test_a_damaged_wallet_holds_up_nobody_and_is_given_up(
    local: InProcessCloud, damage: dict[str, Any], reason: str
) -> None:
    """The others of its page are refreshed at once; it is tried four times, and then a dead letter says why."""
    join(local)
    change(local, UNLUCKY, **damage)
    before = wallet(local, UNLUCKY)
    tomorrow(local)
    runs = []
    for wait in (0, 1, 2, 4, 8, 16):
        local.clock.advance(wait * MINUTE)
        runs.append(refresh_credits(local.deps))
    assert [(run["seen"], run["failed"], run["givenUp"]) for run in runs[1:]] == [
        *[(1, 1, 0)] * 2,
        (1, 1, 1),
        *[(0, 0, 0)] * 2,
    ]
    refreshed_once(local, [user for user in USERS if user != UNLUCKY])
    (letter,) = letters(local).values()
    assert reason in letter["reason"]
    assert (letter["uid"], letter["path"], letter["kind"]) == (UNLUCKY, f"users/{UNLUCKY}/wallet/main", "refresh")
    assert letter["expireAt"] > local.clock()
    after = wallet(local, UNLUCKY)
    kept = before.keys() - {"nextRefreshAt", "refreshFailures"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert admin_stats(AdminStats(), "operator", local.deps)["deadLetters"] == 1


def test_a_user_whose_plan_is_not_known_yet_waits_for_it(local: InProcessCloud) -> None:
    """A release that knows the plan has written it, or a hand: nobody is given up for that, nobody is held up, the user
    keeps calling, operators hear of it, and the credit comes as soon as the plan is known."""
    join(local)
    change(local, UNLUCKY, plan="gold", next="kept")
    tomorrow(local)
    for _ in range(6):
        run = refresh_credits(local.deps)
        local.clock.advance(timedelta(hours=1, minutes=1))
    assert (run["waiting"], run["failed"], letters(local)) == (1, 0, {})
    assert all(wallet(local, user)["balance"] > 10 for user in USERS if user != UNLUCKY)
    assert get_wallet(GetWallet(), UNLUCKY, local.deps)["balance"] == 10
    day = local.clock().date().isoformat()
    assert "plan" in stored(local, f"alerts/document_damaged-{day}")["text"]
    change(local, UNLUCKY, plan="free")
    assert refresh_credits(local.deps)["refreshed"] >= 1
    assert wallet(local, UNLUCKY)["balance"] > 10
    assert wallet(local, UNLUCKY)["next"] == "kept"


@pytest.mark.parametrize("failures", ["often", -3, None, 1.5])
def test_a_damaged_count_of_failures_is_put_right(local: InProcessCloud, failures: object) -> None:
    """The one field that the worker itself writes: after the first failure it counts again, and the user is served."""
    join(local)
    change(local, UNLUCKY, refreshFailures=failures)
    tomorrow(local)
    assert refresh_credits(local.deps)["failed"] == 1
    local.clock.advance(MINUTE)
    assert refresh_credits(local.deps)["refreshed"] == 1
    refreshed_once(local, USERS)


def test_a_wallet_without_its_fields_is_given_up(local: InProcessCloud) -> None:
    """Found by its two fields on the schedule, with nothing else in it."""
    join(local, ["ann"])
    bare = {"refreshShard": 3, "nextRefreshAt": local.clock()}
    local.client.document("users/bob/wallet/main").set(bare)
    local.client.document("users/bob/wallet/other").set(bare)
    local.client.document("wallet/stray").set(bare)
    tomorrow(local)
    until_given_up(local)
    refreshed_once(local, ["ann"])
    found = letters(local)
    assert "balance: is missing" in found["users/bob/wallet/main"]["reason"]
    for path in ("users/bob/wallet/other", "wallet/stray"):
        assert found[path]["reason"] == "not the path of a wallet"


def test_whoever_was_given_up_is_credited_once_repaired(local: InProcessCloud) -> None:
    """An operator repairs the wallet; its user's next contact finds every period still open."""
    join(local, ["ann"])
    change(local, "ann", balance="ten")
    tomorrow(local)
    until_given_up(local)
    tomorrow(local)
    change(local, "ann", balance=10)
    assert get_wallet(GetWallet(), "ann", local.deps)["balance"] == 10 + 2 * 10
    assert wallet(local, "ann")["refreshFailures"] == 0


def test_an_entry_that_exists_already_is_not_posted_again(local: InProcessCloud) -> None:
    """A wallet put back from an old copy meets the period's entry: it is given up, the others are not held up."""
    join(local)
    old = wallet(local, UNLUCKY)
    tomorrow(local)
    refresh_credits(local.deps)
    local.client.document(f"users/{UNLUCKY}/wallet/main").set(old)
    until_given_up(local)
    assert [line for line in statement(local, UNLUCKY) if line != WELCOME] == [
        (statement(local, UNLUCKY)[1][0], 10, 20)
    ]
    assert "AlreadyExists" in letters(local)[f"users/{UNLUCKY}/wallet/main"]["reason"]


def test_a_clock_behind_the_last_run_brings_nothing(local: InProcessCloud) -> None:
    """A worker, or a user, whose clock is a day behind finds nothing due; forward again, the next day is due."""
    join(local)
    tomorrow(local)
    refresh_credits(local.deps)
    due = wallet(local, UNLUCKY)["nextRefreshAt"]
    local.clock.advance(-DAY)
    assert refresh_credits(local.deps)["seen"] == 0
    join(local)
    refreshed_once(local, USERS)
    assert wallet(local, UNLUCKY)["nextRefreshAt"] == due
    local.clock.advance(2 * DAY)
    assert refresh_credits(local.deps)["refreshed"] == 40


# Faults of the store


@pytest.mark.parametrize("kind", ["abort", "unavailable", "reply_lost"])
@pytest.mark.parametrize("rpc", ["Commit", "RunQuery", "BatchGetDocuments"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_one_fault_of_the_store_costs_nobody_anything(local: InProcessCloud, kind: str, rpc: str, skip: int) -> None:
    """Wherever a call fails once, before or after its effect, everybody is refreshed once, by this run or the next."""
    settle(local, usersPerPage=16)
    join(local)
    tomorrow(local)
    local.deps.runtime()
    local.firestore.faults.add(kind, rpc=rpc, skip=skip)
    for _ in range(3):
        with suppress(RuntimeError, GoogleAPICallError):  # a run may fail as a whole when the store does
            refresh_credits(local.deps)
        local.clock.advance(CRON)
    local.firestore.faults.clear()  # a run reads few documents by name: it may not have met the fault
    refreshed_once(local, USERS)
    assert letters(local) == {}


def test_one_user_whose_writes_fail_does_not_stop_the_page(local: InProcessCloud) -> None:
    """A commit that fails because of one user is made without them; they are tried again later."""
    join(local)
    tomorrow(local)
    local.firestore.faults.add("unavailable", rpc="Commit", path=f"users/{UNLUCKY}/ledger/*", count=None)
    counts = refresh_credits(local.deps)
    assert (counts["refreshed"], counts["failed"]) == (39, 1)
    refreshed_once(local, [user for user in USERS if user != UNLUCKY])
    local.firestore.faults.clear()
    local.clock.advance(CRON)
    assert refresh_credits(local.deps)["refreshed"] == 1
    refreshed_once(local, USERS)


def test_a_page_that_fails_half_way_is_finished_by_the_next_run(local: InProcessCloud) -> None:
    """The worker dies after some of its commits: what they did stands, the rest is done later, nothing doubles."""
    settle(local, usersPerPage=10)
    join(local)
    tomorrow(local)
    commits = 0

    def intercept(rpc: str, proceed: Any) -> Any:
        nonlocal commits
        commits += rpc == "Commit"
        if commits > 2:
            raise KeyboardInterrupt
        return proceed()

    with pytest.raises(KeyboardInterrupt):
        refresh_credits(intercepted(local, intercept))
    assert sum(len(statement(local, user)) == 2 for user in USERS) == 20
    assert refresh_credits(local.deps)["refreshed"] == 20
    refreshed_once(local, USERS)


@pytest.mark.parametrize("rpc", ["RunQuery", "Commit"])
def test_five_failures_end_the_run_and_one_the_next(local: InProcessCloud, rpc: str) -> None:
    """A store that fails is asked five times, and then by nobody of this process for a minute; after that a run ends at
    its first failure, and one that succeeds closes the breaker."""
    join(local)
    tomorrow(local)
    local.deps.runtime()
    rule = local.firestore.faults.add(
        "unavailable", rpc=rpc, path="users*" if rpc == "Commit" else "wallet", count=None
    )
    for struck in (5, 5):
        with pytest.raises(RuntimeError, match="store failed"):
            refresh_credits(local.deps)
        assert rule.struck == struck

    local.clock.advance(OPEN_FOR)
    with pytest.raises(RuntimeError, match="store failed"):
        refresh_credits(local.deps)
    assert rule.struck == 6

    local.firestore.faults.clear()
    local.clock.advance(OPEN_FOR)
    assert refresh_credits(local.deps)["refreshed"] == 40
    assert not local.deps.store_breaker.open
    refreshed_once(local, USERS)


def test_another_process_finds_out_by_itself(local: InProcessCloud) -> None:
    """Nothing is stored of a breaker: where it is open elsewhere, a run goes on as soon as the store does."""
    join(local)
    tomorrow(local)
    local.deps.runtime()
    local.firestore.faults.add("unavailable", rpc="Commit", count=None)
    with pytest.raises(RuntimeError, match="store failed"):
        refresh_credits(local.deps)
    local.firestore.faults.clear()
    assert refresh_credits(local.new_process())["refreshed"] == 40
    assert not local.client.document("stats/refreshBreaker").get().exists


def test_a_store_that_fails_later_leaves_what_was_done(local: InProcessCloud) -> None:
    """A run that is stopped half-way ends well, with the figures of what it did; the rest waits for the next."""
    settle(local, usersPerPage=10)
    join(local)
    tomorrow(local)
    local.firestore.faults.add("unavailable", rpc="Commit", path="users*", skip=1, count=None)
    assert refresh_credits(local.deps)["refreshed"] == 10
    local.firestore.faults.clear()
    local.clock.advance(OPEN_FOR)
    assert refresh_credits(local.deps)["refreshed"] == 30
    refreshed_once(local, USERS)


def test_lost_figures_lose_no_credits(local: InProcessCloud) -> None:
    """A run whose figures cannot be stored has done its work all the same."""
    join(local)
    tomorrow(local)
    local.firestore.faults.add("unavailable", rpc="Commit", path="stats/refresh")
    assert refresh_credits(local.deps)["refreshed"] == 40
    refreshed_once(local, USERS)


# Several at once


def intercepted(local: InProcessCloud, intercept: Intercept) -> Deps:
    """Return a process whose calls of Firestore, and no other's, go through this."""
    client = in_process_client(local.firestore, PROJECT, intercept=intercept)
    return local.new_process(store=FirestoreStore(client))


def overtaken(local: InProcessCloud, act: Callable[[], object]) -> Deps:
    """Return a worker before whose first commit somebody else acts."""
    acts = iter([act])

    def intercept(rpc: str, proceed: Any) -> Any:
        if rpc == "Commit":
            next(acts, lambda: None)()
        return proceed()

    return intercepted(local, intercept)


def test_a_spend_during_a_refresh_is_never_overwritten(local: InProcessCloud) -> None:
    """Between the worker's read and its commit a user pays: both the payment and the allowance are in the books."""
    join(local)
    tomorrow(local)
    worker = overtaken(local, lambda: classify(local, "one", "batch", UNLUCKY))
    assert refresh_credits(worker)["refreshed"] == 39
    refreshed_once(local, USERS)
    assert wallet(local, UNLUCKY)["balance"] == 19


def test_a_wallet_that_only_changed_is_read_anew(local: InProcessCloud) -> None:
    """A wallet that changed without being refreshed is refreshed by the same run, with one read more."""
    join(local)
    tomorrow(local)
    worker = overtaken(local, lambda: change(local, UNLUCKY, points=7))
    worker.runtime()
    local.firestore.bill.reset()
    assert refresh_credits(worker)["refreshed"] == 40
    assert local.firestore.bill.snapshot()["by_collection"]["wallet"]["reads"] == 41
    refreshed_once(local, USERS)
    assert wallet(local, UNLUCKY)["points"] == 7


def test_workers_that_overlap_refresh_nobody_twice(local: InProcessCloud) -> None:
    """Four workers at once, on shards of their own and on all of them: everybody is refreshed once."""
    settle(local, usersPerPage=5)
    users = [f"user-{number}" for number in range(120)]
    join(local, users)
    tomorrow(local)
    names = ["x-worker-1-of-2", "x-worker-2-of-2", None, None]
    with ThreadPoolExecutor(len(names)) as pool:
        runs = list(pool.map(lambda name: refresh_credits(local.new_process(), name), names))
    refresh_credits(local.deps)
    assert all(run["failed"] == 0 for run in runs)
    refreshed_once(local, users)


def test_each_worker_takes_its_own_shards(local: InProcessCloud) -> None:
    """Two workers see to everybody between them, and each to its own alone; the figures are kept apart."""
    join(local)
    tomorrow(local)
    first = refresh_credits(local.deps, "x-worker-1-of-2")["refreshed"]
    second = refresh_credits(local.deps, "x-worker-2-of-2")["refreshed"]
    assert (first > 0, second > 0, first + second) == (True, True, 40)
    workers = admin_stats(AdminStats(), "operator", local.deps)["refresh"]["workers"]
    assert {name: run["refreshed"] for name, run in workers.items()} == {"1-of-2": first, "2-of-2": second}


# Figures


def test_a_run_stores_what_it_did(local: InProcessCloud) -> None:
    """Users seen, refreshed, skipped, failed and given up; pages, duration, lag; and when."""
    join(local)
    change(local, UNLUCKY, balance=-1)
    due = min(wallet(local, user)["nextRefreshAt"] for user in USERS)
    tomorrow(local)
    refresh_credits(local.deps)
    stats = admin_stats(AdminStats(), "operator", local.deps)
    run = stats["refresh"]["workers"]["1-of-1"]
    times = {name: datetime.fromisoformat(run.pop(name)) for name in ("startedAt", "finishedAt")}
    assert run == {
        "seen": 40,
        "refreshed": 39,
        "skipped": 0,
        "waiting": 0,
        "failed": 1,
        "givenUp": 0,
        "pages": 1,
        "durationMs": 0,
        "lagSeconds": (local.clock() - due).total_seconds(),
    }
    assert set(times.values()) == {local.clock()}
    assert (stats["queue"]["waiting"], stats["deadLetters"]) == (0, 0)


# As deployed


def test_the_trigger_refreshes_over_the_wire(app: App, configure: Configure) -> None:
    """First contact, a day, cron's tick, the app's look and the operator's: through the deployed functions."""
    configure({"refresh": {"allowances": {"free": ADD_TEN}}})
    app.call("get_wallet")
    wire = app.cloud
    yesterday = last_due(Every.DAY, slot_of(app.user.uid), wire.clock() - DAY)
    due = {"nextRefreshAt": wire.clock() - MINUTE, "refreshedPeriod": yesterday}
    wire.firestore_client().document("users", app.user.uid, "wallet", "main").update(due)
    tick = wire.cron.fire("refresh_credits")
    assert tick.ok, tick
    assert app.call("get_wallet")["balance"] == 20
    assert app.statement()[1][:2] == ("refresh", 10)
    wire.set_custom_claims(app.user.uid, {"admin": True})
    operator = App(wire, wire.sign_in(app.user.uid))
    assert operator.call("admin_stats")["refresh"]["workers"]["1-of-1"]["seen"] >= 1
    assert app.refused("admin_stats").details == {"reason": "NOT_ADMIN"}
