"""The documents: what a transaction brings about, what a lost reply leaves, and what a query may cost."""

import ast
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore import Client

from functions.adapters.firestore import StoredJob
from functions.adapters.firestore import jobs as jobs_module
from functions.adapters.firestore.refresh import StoreDownError
from functions.core.batches.batches import Batch, BatchState
from functions.core.budget.holds import NoRoom, call_hold
from functions.core.budget.state import BudgetState
from functions.core.cache.state import CacheState
from functions.core.config.plans import Plan
from functions.core.jobs.endings import Decision, refunding
from functions.core.jobs.jobs import FAILURE_TEXTS, QUEUE_SHARDS, Failure, Job, JobError, Status
from functions.core.jobs.opening import Opened, Outcome, Replayed
from functions.core.jobs.queue_stats import QueueStats
from functions.core.refresh.refresh import SHARDS
from functions.core.rollouts.flags import Flag, read_flags
from functions.core.rollouts.stops import read_states
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import Account, charge, open_account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet
from functions.core.wallet.standing import Board, Ranked
from localcloud.firestore import FirestoreServer, in_process_client
from scripts.ecolane_cloud import PROJECT
from scripts.operators import store as operators
from scripts.operators.repairs_by_hand import AuditEntry, granted
from scripts.operators.store import OperatorStore
from tests.adapters.conftest import INDEXES
from tests.builders import NOW, batch, bulk, job

LOST = JobError(code=Failure.LINE_MISSING, message="the provider lost this photo's answer")
BATCH_ID = "batch-1"
LEASE = NOW + timedelta(days=4)


def numbered(number: int, **changes: Any) -> Job:
    """Return one of many jobs; the higher its number, the later it came."""
    came_at = NOW + timedelta(seconds=number)
    fields = {"created_at": came_at, "queued_at": came_at, "shard": number % QUEUE_SHARDS, **changes}
    return job(job_id=f"{number:032x}", **fields)


def open_jobs(store: OperatorStore, *wanted: Job, welcome: int = 10) -> Outcome:
    """Open the account if need be, charge for the jobs and store them."""

    def decide(wallet: Wallet | None) -> Opened:
        account = open_account(wallet, welcome, NOW)
        for one in wanted:
            account = charge(account, one.job_id, one.tokens_cost, NOW)
        return Opened(account, wanted)

    return store.open_jobs(wanted[0].uid, decide)


def read(store: OperatorStore, job_id: str) -> StoredJob:
    """Return a job that must be there."""
    stored = store.get_job(job_id)
    assert stored is not None
    return stored


def opened(store: OperatorStore, wanted: Job) -> StoredJob:
    """Charge for a job, store it and read it."""
    assert isinstance(open_jobs(store, wanted), Opened)
    return read(store, wanted.job_id)


def queued(store: OperatorStore, limit: int) -> list[StoredJob]:
    """Read the queue as it is in an hour."""
    return store.queued_jobs(NOW + timedelta(hours=1), limit, range(QUEUE_SHARDS))


def settled(store: OperatorStore, held: Job, decide: Decision | None = None) -> StoredJob:
    """End a job, by default as failed, and return it as it is then."""
    after = store.settle_job(held.job_id, held.uid, decide or failing(held))
    assert after is not None
    return after


def created(store: OperatorStore, wanted: Batch) -> datetime:
    """Store a batch and return its version."""
    version = store.create_batch(wanted)
    assert isinstance(version, datetime)
    return version


def wallet_of(store: OperatorStore, uid: str = "ana") -> Wallet:
    """Return a wallet that must be there."""
    wallet = store.get_wallet(uid)
    assert wallet is not None
    return wallet


def statement(client: Client, uid: str = "ana") -> list[tuple[str, int, int]]:
    """Return the stored ledger as lines: what for, tokens, balance."""
    entries = client.collection("users", uid, "ledger").order_by("seq").stream()
    return [(entry.id, entry.get("delta"), entry.get("balanceAfter")) for entry in entries]


def failing(stored: Job) -> Decision:
    """Return the decision to fail a job and give its price back."""
    return refunding(lambda now: now.batch_id == stored.batch_id, LOST, 0, NOW)


# Wallets and jobs


def test_charge_entry_and_job_are_there_together(store: OperatorStore, client: Client) -> None:
    """One transaction: the wallet, its ledger entries and the job, which reads back as it was opened."""
    wanted = job(tokens_cost=5)
    done = open_jobs(store, wanted)
    stored = read(store, wanted.job_id)
    assert isinstance(done, Opened)
    assert (done.account.wallet.balance, done.jobs, done.version) == (5, (wanted,), stored.version)
    assert stored.job == wanted
    assert statement(client) == [("welcome", 10, 10), (f"charge:{wanted.job_id}", -5, 5)]
    assert wallet_of(store).balance == 5


def test_failure_and_refund_are_one(store: OperatorStore, client: Client) -> None:
    """The job ends, its price comes back, and the ledger shows both."""
    held = opened(store, job(status=Status.PROCESSING)).job
    ended = settled(store, held).job
    told = JobError(code=LOST.code, message=FAILURE_TEXTS[Failure.LINE_MISSING])
    assert (ended.status, ended.error) == (Status.FAILED, told)
    assert statement(client)[1:] == [(f"charge:{held.job_id}", -1, 9), (f"refund:{held.job_id}", 1, 10)]


def test_a_job_that_the_decision_leaves_alone_is_returned_as_it_is(store: OperatorStore, client: Client) -> None:
    """Nothing is written when nothing is decided."""
    waiting = opened(store, job(status=Status.QUEUED)).job
    assert settled(store, waiting).job == waiting
    assert len(statement(client)) == 2


def test_a_job_that_does_not_exist_is_not_settled(store: OperatorStore, client: Client) -> None:
    """Nobody is refunded for what never was."""
    assert store.settle_job("f" * 32, "ana", failing(job())) is None
    assert statement(client) == []


def test_a_settled_job_can_be_written_on_under_its_new_version(store: OperatorStore) -> None:
    """The version that comes back is the job's after the settlement."""
    held = opened(store, job(status=Status.PROCESSING)).job
    after = settled(store, held)
    assert after == read(store, held.job_id)
    assert store.update_job(held, after.version, {"priority": 1})


def test_many_jobs_are_opened_together_or_not_at_all(store: OperatorStore, client: Client) -> None:
    """One transaction for all of them: if one exists already, none is charged."""
    assert isinstance(open_jobs(store, *map(numbered, range(3))), Opened)
    assert [delta for _, delta, _ in statement(client)] == [10, -1, -1, -1]
    others = [numbered(number, opened_by="invocation-2") for number in (2, 3, 4)]
    assert isinstance(open_jobs(store, *others), Replayed)
    assert set(store.get_jobs([f"{number:032x}" for number in range(6)])) == {f"{number:032x}" for number in range(3)}
    assert wallet_of(store).balance == 7


# Lost replies


@pytest.fixture(params=[1, 3], ids=["reply lost once", "reply lost three times"])
def reply_lost(firestore: FirestoreServer, request: pytest.FixtureRequest) -> Callable[[], None]:
    """From the call on, commits take effect and their replies are lost, so many times."""

    def lose() -> None:
        for rpc in ("Commit", "BatchWrite"):
            firestore.faults.add("reply_lost", rpc=rpc, count=request.param)

    return lose


def test_a_lost_reply_opens_one_wallet(store: OperatorStore, client: Client, reply_lost: Callable[[], None]) -> None:
    """The welcome came once, and the caller gets the wallet."""
    reply_lost()
    assert store.open_wallet("ana", lambda wallet: open_account(wallet, 10, NOW)).balance == 10
    assert statement(client) == [("welcome", 10, 10)]


def test_a_lost_reply_opens_one_job(store: OperatorStore, client: Client, reply_lost: Callable[[], None]) -> None:
    """Charged once, and the job tells the caller that it is its own."""
    reply_lost()
    wanted = job()
    assert isinstance(open_jobs(store, wanted), Replayed)
    assert read(store, wanted.job_id).job == wanted
    assert statement(client) == [("welcome", 10, 10), (f"charge:{wanted.job_id}", -1, 9)]


def test_a_hold_without_room_stores_nothing(store: OperatorStore, client: Client) -> None:
    """The day is not open, or its shard is full: neither a job nor a batch is there, and nobody has paid."""
    hold = call_hold("2026-11-21", "3", "gpt-test", 600)
    shard = client.document("budget/2026-11-21/shards/3")
    for missing in (NoRoom("2026-11-21", unopened=True), NoRoom("2026-11-21")):
        assert open_jobs(store, job(hold=hold)) == missing
        assert store.create_batch(batch(hold=hold)) == missing
        assert (store.get_wallet("ana"), statement(client)) == (None, [])
        assert store.due_batches(list(BatchState), NOW + timedelta(days=1), 1) == []
        shard.set({"limit": 599})
    shard.set({"limit": 600})
    assert isinstance(open_jobs(store, job(hold=hold)), Opened)


def test_a_lost_reply_refunds_once(store: OperatorStore, client: Client, reply_lost: Callable[[], None]) -> None:
    """The job has failed, its price is back once, and the caller gets the ended job."""
    held = opened(store, job(status=Status.PROCESSING)).job
    reply_lost()
    assert settled(store, held).job.status is Status.FAILED
    assert [delta for _, delta, _ in statement(client)] == [10, -1, 1]


def test_a_lost_reply_claims_jobs_for_the_batch_that_asked(
    store: OperatorStore, reply_lost: Callable[[], None]
) -> None:
    """The repeated claim is refused by its own guards; the jobs are the batch's all the same, each claimed once."""
    waiting = [opened(store, numbered(number)) for number in range(3)]
    reply_lost()
    members = store.claim_jobs(BATCH_ID, waiting, LEASE)
    assert [member.job_id for member in members] == [stored.job.job_id for stored in waiting]
    held = {stored.job.job_id: stored for stored in store.held_jobs(BATCH_ID, 10)}
    assert {stored.job.attempts for stored in held.values()} == {1}
    assert [member.updated_at for member in members] == [held[member.job_id].version for member in members]


def test_a_lost_reply_writes_a_job_once_and_the_job_says_so(
    store: OperatorStore, reply_lost: Callable[[], None]
) -> None:
    """`update_job` cannot tell its own write from another's; the document can."""
    stored = opened(store, job())
    reply_lost()
    store.update_job(stored.job, stored.version, {"status": Status.DONE, "costMicros": 7})
    after = read(store, stored.job.job_id).job
    assert (after.status, after.cost_micros) == (Status.DONE, 7)


def test_a_lost_reply_creates_one_batch(
    store: OperatorStore, firestore: FirestoreServer, reply_lost: Callable[[], None]
) -> None:
    """The batch is there, and its submitter holds the version to go on with."""
    reply_lost()
    version = created(store, batch(batch_id=BATCH_ID))
    firestore.faults.clear()
    assert store.update_batch(BATCH_ID, version, {"polls": 1}) is not None


# Batches


def test_a_claim_takes_only_what_nobody_else_has_changed(store: OperatorStore) -> None:
    """A job that was cancelled, or claimed by another batch, since it was read is left out."""
    waiting = [opened(store, numbered(number)) for number in range(4)]
    store.update_job(waiting[1].job, waiting[1].version, {"status": Status.CANCELLED})
    store.claim_jobs("another", [waiting[2]], LEASE)
    members = store.claim_jobs(BATCH_ID, waiting, LEASE)
    assert [member.job_id for member in members] == [waiting[0].job.job_id, waiting[3].job.job_id]
    assert {stored.job.job_id for stored in store.held_jobs(BATCH_ID, 10)} == {m.job_id for m in members}


def test_a_member_knows_its_job_and_can_end_it_without_reading_it(store: OperatorStore) -> None:
    """What the batch remembers is the job as it was claimed, under the version of the claim."""
    stored = opened(store, job(attempts=1, cost_micros=700, tokens_cost=2))
    (member,) = store.claim_jobs(BATCH_ID, [stored], LEASE)
    assert (member.uid, member.image_path, member.region) == ("ana", stored.job.image_path, "IN")
    assert (member.attempts, member.cost_micros, member.tokens_cost) == (2, 700, 2)
    assert store.update_job(job(job_id=member.job_id), member.updated_at, {"status": Status.DONE})


def test_the_oldest_jobs_come_first_and_no_more_than_asked_for(store: OperatorStore) -> None:
    """The queue is read by age, whatever the order of the ids."""
    for number in (3, 1, 2, 0):
        opened(store, numbered(number))
    assert [stored.job.created_at for stored in queued(store, 3)] == [
        NOW + timedelta(seconds=number) for number in range(3)
    ]


def test_a_job_waits_for_its_turn(store: OperatorStore) -> None:
    """A job that was put back is not read before its time, nor by a reader of other shards."""
    later = opened(store, job(queued_at=NOW + timedelta(minutes=2), shard=3))
    assert store.queued_jobs(NOW + timedelta(minutes=1), 10, range(QUEUE_SHARDS)) == []
    assert store.queued_jobs(NOW + timedelta(minutes=2), 10, [2, 4]) == []
    assert store.queued_jobs(NOW + timedelta(minutes=2), 10, [3]) == [later]


def test_the_calls_that_never_came_back_are_found(store: OperatorStore) -> None:
    """Leases that have run out, oldest first; one that has not, or is no more, is left alone."""
    for number, lease in enumerate((NOW, NOW - timedelta(hours=1), NOW + timedelta(seconds=1), None)):
        opened(store, numbered(number, status=Status.PROCESSING, lease_until=lease))
    assert [stored.job.job_id[-1] for stored in store.stale_leases(NOW, 10)] == ["1", "0"]


def test_a_user_pages_through_their_own_jobs(store: OperatorStore) -> None:
    """Newest first, page after page, each job once also where times are equal, and nobody else's."""
    for number in range(5):
        opened(store, numbered(number, created_at=NOW + timedelta(seconds=number // 2)))
    opened(store, numbered(9, uid="bob"))
    pages, before = [], None
    while page := store.list_jobs("ana", before, 2):
        pages.append([stored.job.job_id[-1] for stored in page])
        before = (page[-1].job.created_at, page[-1].job.job_id)
    assert pages == [["4", "3"], ["2", "1"], ["0"]]


def test_a_batch_is_due_by_its_time_and_in_its_state(store: OperatorStore) -> None:
    """Longest due first; those of other states, or not yet due, wait; no more than asked for."""
    for name, minutes, state in (
        ("later", 1, BatchState.SUBMITTED),
        ("now", 0, BatchState.SUBMITTED),
        ("long ago", -9, BatchState.COLLECTING),
        ("over", -5, BatchState.DONE),
    ):
        store.create_batch(batch(batch_id=name, state=state, due_at=NOW + timedelta(minutes=minutes)))
    states = [BatchState.SUBMITTED, BatchState.COLLECTING]
    assert [stored.batch.batch_id for stored in store.due_batches(states, NOW, 10)] == ["long ago", "now"]
    assert [stored.batch.batch_id for stored in store.due_batches(states, NOW, 1)] == ["long ago"]


def test_a_batch_reads_back_as_it_was_stored(store: OperatorStore) -> None:
    """Every field survives, under its own id."""
    version = created(store, batch(batch_id=BATCH_ID, job_count=3, error="why"))
    (stored,) = store.due_batches([BatchState.SUBMITTED], NOW, 1)
    assert stored.batch == batch(batch_id=BATCH_ID, job_count=3, error="why")
    store.delete_batch(stored.batch, version)
    assert store.due_batches([BatchState.SUBMITTED], NOW, 1) == []


# Settings


def test_settings_that_are_absent_are_empty(store: OperatorStore, client: Client) -> None:
    """A new project has no documents; all come with one call."""
    off, running = read_flags(None), read_states({}, "")[0]
    assert store.runtime_documents() == (None, QueueStats(), BudgetState(), off, running, CacheState(), ())
    client.document("config/runtime").set({"tokens": {"instantPrice": 6}})
    store.write_queue_stats(queued=7)
    store.write_queue_stats(batch_minutes=12.5)
    found = store.runtime_documents()
    assert found.config == {"tokens": {"instantPrice": 6}}
    assert found.queue == QueueStats(queued=7, batch_minutes=12.5)


def test_how_far_answers_are_believed_is_read_while_the_near_tier_is_on(store: OperatorStore, client: Client) -> None:
    """In shadow it serves nothing, and nobody pays for a look at it every half minute."""
    near = {"labels": {"31": {"checked": 368, "wrong": 0, "looks": 1, "passed": True}}, "serves": 31, "recent": b"1"}
    client.document("stats/cache").set({"families": {"f": {"near": near, "seenAt": NOW}}, "labelledUntil": NOW})
    for cache in ({}, {"near": "shadow"}, {"near": 7}, "broken"):
        client.document("config/runtime").set({"cache": cache})
        assert store.runtime_documents().cache == CacheState()
    client.document("config/runtime").set({"cache": {"near": "on"}})
    assert store.runtime_documents().cache.families["f"].near.serves == 31


def test_stops_are_read_while_a_flag_is_on(store: OperatorStore, client: Client) -> None:
    """For whomever; without one, nobody pays for a look at them every half minute."""
    stop = {"at": NOW, "by": "operator", "why": "it is worse"}
    client.document("stats/rollouts").set({"model": {"epoch": 1, "stopped": stop}})
    for flags in ({}, {"model": {"cohort": "off", "percent": 50}}, {"model": "broken"}):
        client.document("config/runtime").set({"flags": flags})
        assert store.runtime_documents().rollouts == read_states({}, "")[0]
    client.document("config/runtime").set({"flags": {"model": {"cohort": "listed"}}})
    state = store.runtime_documents().rollouts[Flag.MODEL]
    assert state is not None
    assert (state.epoch, state.stopped is not None) == (1, True)


# What a query may need and cost


QUERIES: dict[str, Callable[[OperatorStore], object]] = {
    "delete_checks": lambda store: store.delete_checks("ana", 5),
    "count_cached": lambda store: store.count_cached("2026-11-21"),
    "queued_checks": lambda store: store.queued_checks(NOW, 5),
    "answered_jobs": lambda store: store.answered_jobs("2026-11-21", 5),
    "queued_of_trial": lambda store: store.queued_of_trial(1),
    "trial_is_open": lambda store: store.trial_is_open(1),
    "photos_of_trial": lambda store: store.photos_of_trial(1),
    "queued_jobs": lambda store: store.queued_jobs(NOW, 5, range(QUEUE_SHARDS)),
    "stale_leases": lambda store: store.stale_leases(NOW, 5),
    "list_jobs": lambda store: store.list_jobs("ana", None, 5),
    "list_jobs, next page": lambda store: store.list_jobs("ana", (NOW, "0" * 32), 5),
    "list_jobs, of a team": lambda store: store.list_jobs("", None, 5, "0" * 32),
    "queued_of_member": lambda store: store.queued_of_member("0" * 32, "ana", NOW, 5),
    "first_associate": lambda store: store.first_associate("0" * 32),
    "list_associates": lambda store: store.list_associates("0" * 32, None, 5),
    "list_associates, next page": lambda store: store.list_associates("0" * 32, "ana", 5),
    "due_removals": lambda store: store.due_removals(NOW, 5),
    "jobs_of_batch": lambda store: store.jobs_of_batch(BATCH_ID, 5),
    "unknown_states": lambda store: store.unknown_states(5),
    "oldest_queued": lambda store: store.oldest_queued(),
    "photos_of_day": lambda store: store.photos_of_day("2026-11-21", Lane.BATCH),
    "photos_of_user": lambda store: store.photos_of_user("ana", NOW, NOW),
    "batches_made_before": lambda store: store.batches_made_before(BatchState.SUBMITTED, NOW, 5),
    "open_alerts": lambda store: store.open_alerts(5),
    "find_batch": lambda store: store.find_batch("batch_abc"),
    "batches_at_provider": lambda store: store.batches_at_provider(["msgbatch_1", "msgbatch_2"]),
    "held_jobs": lambda store: store.held_jobs(BATCH_ID, 5),
    "count_open_jobs": lambda store: store.count_open_jobs("ana", "2026-11-21"),
    "count_queued": lambda store: store.count_queued(5),
    "due_batches": lambda store: store.due_batches([BatchState.BUILDING, BatchState.UPLOADED], NOW, 5),
    "list_entries": lambda store: store.list_entries("ana", None, 5),
    "list_entries, next page": lambda store: store.list_entries("ana", 3, 5),
    **{
        f"count_ranked, {ranked}, {board}": lambda store, of=(board, ranked): store.count_ranked(*of, "2026-11", (1, 9))  # type: ignore[misc]
        for board in Board
        for ranked in Ranked
    },
    "due_deletions": lambda store: store.due_deletions(NOW, 5),
    "released": lambda store: store.released({("ana", "token")}),
    "due_wallets": lambda store: store.due_wallets(range(SHARDS), NOW, 5),
    "budget_days": lambda store: store.budget_days("2026-11-01", "2026-11-30"),
    "user_micros": lambda store: store.user_micros("ana", NOW, NOW),
    "sampled_users": lambda store: store.sampled_users("2026-11-21", 10),
    "count_jobs": lambda store: store.count_jobs("2026-11-21", "requestedMode", Lane.BATCH),
    "count_jobs, by status": lambda store: store.count_jobs("2026-11-21", "status", Status.DONE),
    "count_visits": lambda store: store.count_visits("2026-11-21"),
    "count_visits, by age": lambda store: store.count_visits("2026-11-21", 7),
    "of_plan": lambda store: store.of_plan("2026-11-21", Plan.PLUS),
    "sum_tokens": lambda store: store.sum_tokens("2026-11-21", Reason.CHARGE),
    "usage_days": lambda store: store.usage_days("2026-11-01", "2026-11-30", ["rows"]),
    "recent_changes": lambda store: store.recent_changes(5),
    "failed_users": lambda store: store.failed_users("model@0"),
    "recent_alerts": lambda store: store.recent_alerts(5),
    "count_batches": lambda store: store.count_batches([BatchState.BUILDING, BatchState.UPLOADED], 5),
    "jobs_with_legs": lambda store: store.jobs_with_legs("2026-11-21", 5),
    "list_batches": lambda store: store.list_batches(5),
    "due_alerts": lambda store: store.due_alerts(NOW, 5),
    "list_letters": lambda store: store.list_letters(5),
    "list_letters, next page": lambda store: store.list_letters(5, "refresh:users:ana:wallet:main"),
    "list_audit": lambda store: store.list_audit(5),
    "due_bulks": lambda store: store.due_bulks(NOW, 5),
    "list_bulks": lambda store: store.list_bulks("ana", None, 5),
    "list_bulks, next page": lambda store: store.list_bulks("ana", NOW, 5),
    "bulks_taking": lambda store: store.bulks_taking("ana", 5),
    "unfinished_of_member": lambda store: store.unfinished_of_member("team", "ana", NOW, 5),
    "delete_bulks": lambda store: store.delete_bulks("ana", 5),
    "count_bulk": lambda store: store.count_bulk(bulk()),
    "queued_of_bulk": lambda store: store.queued_of_bulk(bulk()),
    "due_billing": lambda store: store.due_billing(NOW, 5),
    "due_top_ups": lambda store: store.due_top_ups(NOW, 5),
    "due_checkouts": lambda store: store.due_checkouts(NOW, 5),
    "payments_between, met": lambda store: store.payments_between("metAt", NOW, NOW, 5),
    "payments_between, taken back": lambda store: store.payments_between("reversedAt", NOW, NOW, 5),
    "unclaimed_payments": lambda store: store.unclaimed_payments(5),
    "count_unclaimed": lambda store: store.count_unclaimed(5),
    "payments_of": lambda store: store.payments_of("ana", 5),
    "given_and_booked": lambda store: store.given_and_booked(5),
    "held_packs": lambda store: store.held_packs("ana"),
    "count_dead_letters": lambda store: store.count_dead_letters(5),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_every_query_has_its_index_and_an_empty_one_costs_little(
    store: OperatorStore, firestore: FirestoreServer, query: Callable[[OperatorStore], object]
) -> None:
    """Nothing is asked that `firestore.indexes.json` does not answer: production would refuse it."""
    reads, writes = bill(firestore, lambda: query(store))
    # Two for the queue, which asks for those with and without priority; three for a bulk job, by state; twelve for the
    # cache, by tier and lane.
    assert (reads, writes) in {(1, 0), (2, 0), (3, 0), (12, 0)}


@pytest.mark.parametrize("index", range(len(json.loads(INDEXES.read_text())["indexes"])))
def test_every_index_has_a_query_that_needs_it(index: int, tmp_path: Path) -> None:
    """One that nothing asks for is written and stored with every document all the same."""
    rules = json.loads(INDEXES.read_text())
    del rules["indexes"][index]
    left = tmp_path / "indexes.json"
    left.write_text(json.dumps(rules))
    store = OperatorStore(in_process_client(FirestoreServer(indexes=left), PROJECT))
    queries: list[Callable[[OperatorStore], object]] = [
        *QUERIES.values(),
        lambda store: store.measure_day("2026-11-21"),
        lambda store: store.sum_given(),
    ]
    refused = (exceptions.FailedPrecondition, StoreDownError)
    assert any(isinstance(outcome(query, store), refused) for query in queries)


def outcome(query: Callable[[OperatorStore], object], store: OperatorStore) -> object:
    """Return what a query finds, or how it fails."""
    try:
        return query(store)
    except (exceptions.GoogleAPICallError, StoreDownError) as error:
        return error


def test_the_tests_ask_every_query_that_the_adapter_makes() -> None:
    """A query that is added to the adapter is added above."""
    paths = [*Path(jobs_module.__file__).parent.glob("*.py"), Path(operators.__file__)]
    modules = [ast.parse(path.read_text()) for path in paths]
    functions = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    querying = {function.name for function in functions if ".limit(" in ast.unparse(function)}
    asked = {name.partition(",")[0] for name in QUERIES}
    assert {name for name in querying if not name.startswith("_")} == asked


def test_a_wallet_that_was_removed_comes_back_from_its_ledger(store: OperatorStore, client: Client) -> None:
    """The ledger is the truth: the same tokens as before, and no second welcome."""
    opened(store, job(tokens_cost=4))
    client.document("users/ana/wallet/main").delete()
    assert store.open_wallet("ana", lambda wallet: open_account(wallet, 10, NOW)).balance == 6
    assert [delta for _, delta, _ in statement(client)] == [10, -4]


# The bill


def bill(firestore: FirestoreServer, work: Callable[[], object]) -> tuple[int, int]:
    """Return the reads and writes that this work is billed."""
    firestore.bill.reset()
    work()
    total = firestore.bill.reset()["totals"]
    return total["reads"], total["writes"]


def test_each_step_costs_what_its_docstring_says(store: OperatorStore, firestore: FirestoreServer) -> None:
    """Reads and writes of the hot paths: a photo charged, claimed, finished and looked at."""
    store.open_wallet("ana", lambda wallet: open_account(wallet, 10, NOW))
    wanted = job()
    assert bill(firestore, lambda: open_jobs(store, wanted)) == (1, 3)
    assert bill(firestore, lambda: queued(store, 100)) == (2, 0)
    waiting = queued(store, 100)
    assert bill(firestore, lambda: store.claim_jobs(BATCH_ID, waiting, LEASE)) == (0, 1)
    held = read(store, wanted.job_id).job
    assert bill(firestore, lambda: settled(store, held)) == (2, 3)
    assert bill(firestore, lambda: store.get_job(wanted.job_id)) == (1, 0)
    assert bill(firestore, lambda: store.get_wallet("ana")) == (1, 0)
    assert bill(firestore, lambda: queued(store, 100)) == (2, 0)
    assert bill(firestore, lambda: store.due_batches([BatchState.SUBMITTED], NOW, 100)) == (1, 0)


def test_two_operators_give_what_one_key_names_once(store: OperatorStore, client: Client) -> None:
    """At the same moment, from two shells: one entry, one audit entry, and one of them is told that it was there."""
    store.open_wallet("ana", lambda wallet: open_account(wallet, 10, NOW))

    def grant(number: int) -> bool:
        now = NOW + timedelta(microseconds=number)
        who = {"by": f"operator-{number}", "why": "sorry", "at": now}
        audit = AuditEntry(audit_id="ana:grant:key", action="grant", target="ana", **who)

        def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, dict[str, Any]]:
            return granted(wallet or empty_wallet(now), "key", 5, "sorry", now), {}

        return store.post_by_hand("ana", "grant:key", decide, audit)[1]

    with ThreadPoolExecutor(4) as pool:
        posted = list(pool.map(grant, range(1, 5)))
    assert sorted(posted) == [False, False, False, True]
    assert [delta for _, delta, _ in statement(client)] == [10, 5]
    (entry,) = store.list_audit(5)
    assert entry["by"] == f"operator-{posted.index(True) + 1}"
