"""Accounts that are deleted: what goes, what stays, and that nothing makes the user anew."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.core.jobs.disputes import DisputeReason
from functions.core.wallet.refusals import AccountDeleted
from functions.use_cases.jobs.pages import PAGE
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.erase_accounts import erase_accounts
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.convert_points import ConvertPoints, convert_points
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from localcloud.firestore.store import EVERYWHERE
from scripts.inprocess import InProcessCloud
from scripts.simulation.documents import decoded
from tests.steps import (
    BATCH_CRONS,
    FIVE_MINUTES,
    PHOTO,
    UNLIMITED,
    alerts,
    classify,
    enqueue,
    job,
    listed,
    register,
    statement,
    stored,
    ticks,
    today,
    wallet,
)
from tests.test_crashes import WHENS, Killer, When

UID = "ann-who-leaves"
CRONS = (*BATCH_CRONS, guard_budget, erase_accounts)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A user who has left traces everywhere: a device, photos in each state, words in the ledger, a cache."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"cache": {"exact": "on"}, "tokens": {"welcome": 40}})
    used(cloud)
    return cloud


def used(cloud: InProcessCloud) -> None:
    """Leave these traces. A photo is done, one is at OpenAI, one is in the queue."""
    register(cloud, UID, "push-token")
    classify(cloud, "now", uid=UID)
    said = {"requestId": "request-said", "deviceId": "device-one", "itemName": "My own letter", "category": "Dry Waste"}
    record_manual_classification(RecordManualClassification.model_validate(said), UID, cloud.deps)
    classify(cloud, "at-the-provider", "batch", UID, fresh=True)
    ticks(cloud, timedelta(minutes=5), (*BATCH_CRONS, guard_budget))
    classify(cloud, "in-the-queue", "batch", UID, fresh=True)
    cloud.upload(UID, "never-sent.jpg", PHOTO)
    check = {**next(iter(listed(cloud, "aiJobs").values())), "status": "queued"}
    cloud.client.document(f"cacheChecks/check-{'1' * 32}").set(check)


def leave(cloud: InProcessCloud, uid: str = UID) -> dict[str, Any]:
    """Delete the account."""
    return delete_account(DeleteAccount(confirm="DELETE"), uid, cloud.deps)


def a_day_later(cloud: InProcessCloud) -> None:
    """Let the crons run, each hour."""
    for _ in range(26):
        for cron in CRONS:
            cron(cloud.deps)
        cloud.clock.advance(timedelta(hours=1))


def traces(cloud: InProcessCloud) -> dict[str, Any]:
    """Return all documents and files that name the user, or say what the user said. Without the closed wallet and its
    ledger, which are looked at by themselves."""
    (session,) = cloud.firestore.engine.sessions.values()
    documents = {path: decoded(each.parse()) for path, each in session.database.documents(EVERYWHERE)}
    kept = f"users/{UID}/"
    words = (UID, "My own letter", "push-token", "Leaves or cuttings")
    found = {
        path: each
        for path, each in documents.items()
        if any(word in (str(each) if path.startswith(kept) else path + str(each)) for word in words)
    }
    others = [path for path in documents if path.startswith(kept) and "/ledger/" not in path]
    assert others in ([], [f"{kept}wallet/main"]), others
    return found | {path: "file" for path in cloud.files.objects if UID in path}


def test_nothing_of_the_person_is_left(cloud: InProcessCloud) -> None:
    """Within a quarter of an hour but for the photo at the provider, and all of it within a day."""
    assert UID in stored(cloud, f"budget/{today(cloud)}")["users"]
    answer = leave(cloud)
    assert answer == {"closedAt": answer["closedAt"], "erasedBy": answer["erasedBy"]}
    ticks(cloud, timedelta(minutes=20), (erase_accounts,))
    assert cloud.deleted_sign_ins == {UID}
    (at_provider,) = [each for each in listed(cloud, "aiJobs").values() if each["uid"]]
    assert at_provider["status"] == "processing"
    assert not [path for path in cloud.files.objects if UID in path]
    a_day_later(cloud)
    assert traces(cloud) == {}
    assert listed(cloud, "deletions") == {}


def test_the_books_still_add_up(cloud: InProcessCloud) -> None:
    """The ledger's sum is the wallet's balance, which is nothing; jobs keep what they cost."""
    spent = sum(each["costMicros"] for each in listed(cloud, "aiJobs").values())
    leave(cloud)
    a_day_later(cloud)
    entries = statement(cloud, UID)
    assert (wallet(cloud, UID)["balance"], sum(delta for _, delta, _ in entries), entries[-1][2]) == (0, 0, 0)
    assert all(each["detail"] is None for each in listed(cloud, f"users/{UID}/ledger").values())
    assert sum(each["costMicros"] for each in listed(cloud, "aiJobs").values()) > spent  # one more was answered
    shards = cloud.deps.store.budget_shards(today(cloud)).values()
    assert sum(shard.reserved for shard in shards) == 0


REFUSED: dict[str, Callable[[InProcessCloud], Any]] = {
    "classify_image": lambda cloud: classify(cloud, "again", uid=UID),
    "classify_image, batch": lambda cloud: classify(cloud, "again", "batch", UID),
    "quote": lambda cloud: quote(Quote(), UID, cloud.deps),
    "get_wallet": lambda cloud: get_wallet(GetWallet(), UID, cloud.deps),
    "claim_daily_bonus": lambda cloud: claim_daily_bonus(ClaimDailyBonus(deviceId="device-one"), UID, cloud.deps),
    "convert_points": lambda cloud: convert_points(ConvertPoints(requestId="request-x", points=100), UID, cloud.deps),
    "register_device": lambda cloud: register(cloud, UID, "another-token"),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_nothing_is_made_anew(cloud: InProcessCloud, call: Callable[[InProcessCloud], Any]) -> None:
    """Whoever still has a token is told that there is no such account any more."""
    leave(cloud)
    before = stored(cloud, f"users/{UID}"), wallet(cloud, UID), statement(cloud, UID), listed(cloud, "aiJobs")
    with pytest.raises(AccountDeleted):
        call(cloud)
    after = stored(cloud, f"users/{UID}"), wallet(cloud, UID), statement(cloud, UID), listed(cloud, "aiJobs")
    assert after == before
    assert before[0] == {}


def test_whoever_never_called_can_leave_too() -> None:
    """And gets no welcome tokens afterwards."""
    cloud = InProcessCloud(seed=1)
    leave(cloud, "new")
    with pytest.raises(AccountDeleted):
        get_wallet(GetWallet(), "new", cloud.deps)
    assert statement(cloud, "new") == []


def test_leaving_twice_changes_nothing(cloud: InProcessCloud) -> None:
    """The second call has the answer of the first."""
    first = leave(cloud)
    before = wallet(cloud, UID)
    cloud.clock.advance(timedelta(minutes=1))
    assert leave(cloud) == first
    assert wallet(cloud, UID) == before


def test_a_refund_that_comes_later_is_nobodys(cloud: InProcessCloud) -> None:
    """A photo at the provider comes to nothing: its job ends, and the wallet stays as it is."""
    leave(cloud)
    before = wallet(cloud, UID), statement(cloud, UID)
    cloud.openai.faults.add(kind="missing_line", count=None)
    a_day_later(cloud)
    assert (wallet(cloud, UID), statement(cloud, UID)) == before


def test_a_dispute_makes_no_cache_anew(cloud: InProcessCloud) -> None:
    """Who still has a token can say that an answer is wrong until it is erased: the user's cache stays gone."""
    done = next(name for name, each in listed(cloud, "aiJobs").items() if each["status"] == "done")
    leave(cloud)
    assert listed(cloud, f"users/{UID}/cachedPhotos") == {}
    report_answer(ReportAnswer(jobId=done, reason=DisputeReason.WRONG_ITEM), UID, cloud.deps)
    assert listed(cloud, f"users/{UID}/cachedPhotos") == {}


def test_no_allowance_comes(cloud: InProcessCloud) -> None:
    """Not even from a run that has read the wallet before."""
    cloud.clock.advance(timedelta(days=1))
    due = cloud.deps.store.due_wallets(range(16), cloud.clock(), 10)
    assert UID in {each.uid for each in due}
    leave(cloud)
    refresh_credits(cloud.deps, "refresh_credits")
    assert statement(cloud, UID)[-1][0] == "close"


def test_a_photo_that_is_uploaded_afterwards_goes_too(cloud: InProcessCloud) -> None:
    """For an hour somebody may have a token that uploads."""
    leave(cloud)
    ticks(cloud, FIVE_MINUTES, CRONS)
    cloud.upload(UID, "late.jpg", PHOTO)
    a_day_later(cloud)
    assert traces(cloud) == {}


def test_many_jobs_are_found_behind_those_that_stay(cloud: InProcessCloud) -> None:
    """Those at the provider are the newest, more than a page of them."""
    cloud.configure({"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}})
    classify(cloud, "bob-first", uid="bob")
    old = enqueue(cloud, "bob", 3)
    new = enqueue(cloud, "bob", PAGE)
    for name in new:
        cloud.client.document(f"aiJobs/{name}").update({"status": "processing", "batchId": "b", "queuedAt": None})
    leave(cloud, "bob")
    erase_accounts(cloud.deps)
    assert [job(cloud, name)["uid"] for name in old] == ["", "", ""]
    assert {job(cloud, name)["uid"] for name in new} == {"bob"}


def test_one_account_that_cannot_be_erased_keeps_no_other_waiting(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, less and less often, and operators hear of it after three days."""
    leave(cloud)
    leave(cloud, "bob")

    def refuse(uid: str) -> None:
        if uid == UID:
            raise ValueError("this sign-in cannot be deleted")

    monkeypatch.setattr(cloud.deps, "delete_sign_in", refuse)
    assert erase_accounts(cloud.deps) == {"erased": 0, "waiting": 1, "failed": 1, "damaged": 0}
    ticks(cloud, timedelta(hours=3), (erase_accounts,))
    assert set(listed(cloud, "deletions")) == {UID}
    assert alerts(cloud, "deletion_late") == {}
    for _ in range(13):
        cloud.clock.advance(timedelta(hours=6))
        erase_accounts(cloud.deps)
    assert len(alerts(cloud, "deletion_late")) == 1
    assert listed(cloud, "deletions")[UID]["failures"] > 5


def test_a_run_that_fails_in_the_middle_forgets_no_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs say no more whose they were, so the days whose books name the user are kept from before."""
    cloud = InProcessCloud(seed=1)
    classify(cloud, "the-only-one", uid=UID)
    guard_budget(cloud.deps)
    assert UID in stored(cloud, f"budget/{today(cloud)}")["users"]
    leave(cloud)
    update = cloud.deps.store.update_jobs

    def fail_afterwards(changes: Any) -> Any:
        update(changes)
        raise ValueError("after the jobs were emptied")

    with monkeypatch.context() as patch:
        patch.setattr(cloud.deps.store, "update_jobs", fail_afterwards)
        assert erase_accounts(cloud.deps)["failed"] == 1
    for _ in range(2):
        cloud.clock.advance(timedelta(hours=3))
        erase_accounts(cloud.deps)
    assert traces(cloud) == {}


def test_a_reply_that_is_lost_is_no_error(cloud: InProcessCloud) -> None:
    """The account is closed once, and the user is told so."""
    cloud.firestore.faults.add("reply_lost", rpc="Commit")
    leave(cloud)
    assert [name for name, _, _ in statement(cloud, UID)].count("close") == 1


def test_whoever_has_a_damaged_profile_can_leave(cloud: InProcessCloud) -> None:
    """It goes like any other."""
    cloud.client.document(f"users/{UID}").set({"devices": {"one": "no device", "two": {"pushToken": 5}}})
    leave(cloud)
    assert stored(cloud, f"users/{UID}") == {}


def test_words_of_the_ledger_are_removed_once(cloud: InProcessCloud) -> None:
    """At the end: a ledger is long, and nothing is added to it any more."""
    leave(cloud)
    erase_accounts(cloud.deps)
    cloud.firestore.bill.reset()
    cloud.clock.advance(timedelta(minutes=15))
    erase_accounts(cloud.deps)
    assert cloud.firestore.bill.reset()["totals"]["reads"] < 10


def test_a_damaged_deletion_is_reported_and_looked_at_again(cloud: InProcessCloud) -> None:
    """The others go on."""
    cloud.client.document("deletions/somebody").set({"nextAt": cloud.clock()})
    leave(cloud)
    assert erase_accounts(cloud.deps) == {"erased": 0, "waiting": 1, "failed": 0, "damaged": 1}
    assert alerts(cloud, "document_damaged")


def calls(when: When, run: Callable[[InProcessCloud], Any], prepare: Callable[[InProcessCloud], Any]) -> int:
    """Return how many calls leave the process."""
    cloud = InProcessCloud(seed=1)
    used(cloud)
    prepare(cloud)
    cloud.interrupt = counter = Killer(at=0, when=when)
    run(cloud)
    return counter.calls


STEPS: dict[str, tuple[Callable[[InProcessCloud], Any], Callable[[InProcessCloud], Any]]] = {
    "delete_account": (lambda _: None, leave),
    "erase_accounts": (leave, lambda cloud: erase_accounts(cloud.deps)),
}
CRASHES = [
    (name, at, when)
    for name, (prepare, run) in STEPS.items()
    for when in WHENS
    for at in range(1, calls(when, run, prepare) + 1)
]


@pytest.mark.parametrize(("name", "at", "when"), CRASHES, ids=[f"{n} {w} {a}" for n, a, w in CRASHES])
def test_a_crash_anywhere_leaves_nothing_of_the_person(name: str, at: int, when: When) -> None:
    """Wherever it dies: the user calls again, or the cron goes on, and everything goes."""
    prepare, run = STEPS[name]
    cloud = InProcessCloud(seed=1)
    used(cloud)
    prepare(cloud)
    cloud.interrupt = Killer(at, when)
    with pytest.raises(BaseException):  # noqa: B017, PT011  (a client library may cover it with an error of its own)
        run(cloud)
    cloud.restart()
    cloud.clock.advance(FIVE_MINUTES)  # locks of a dead process are over
    leave(cloud)
    a_day_later(cloud)
    assert traces(cloud) == {}
    assert listed(cloud, "deletions") == {}
    assert wallet(cloud, UID)["balance"] == sum(delta for _, delta, _ in statement(cloud, UID)) == 0
