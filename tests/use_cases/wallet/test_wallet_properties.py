"""What is true of every wallet, whatever users, crons, crashes and faults do in whatever order."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, RetryError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from functions.core.model.classification import Category
from functions.core.shared.errors import EcolaneError
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.convert_points import ConvertPoints, convert_points
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from scripts.inprocess import InProcessCloud
from tests.app import photo

USERS = ("ann", "bob")
KEYS = tuple(f"request-{number}" for number in range(6))
DEVICES = ("device-one", "device-two")
PHOTO = photo(64)
CAP, MANUAL_PER_DAY, CONVERTED_PER_DAY, ALLOWANCE = 12, 3, 2, 3
CONFIG = {
    "tokens": {"balanceCap": CAP, "pointsPerClassification": 60, "conversionTokensPerDay": CONVERTED_PER_DAY},
    "plans": {
        "free": {
            "instantPerDay": 4,
            "batchPerDay": 6,
            "manualPerDay": MANUAL_PER_DAY,
            "callsPerMinute": 5,
            "priority": 0,
        }
    },
    "refresh": {"allowances": {"free": {"kind": "add", "amount": ALLOWANCE, "every": "day"}}, "dormantDays": 2},
}

Operation = Callable[[InProcessCloud], Any]


def claim(user: str, device: str) -> Operation:
    """Claim the daily bonus."""
    return lambda cloud: claim_daily_bonus(ClaimDailyBonus(deviceId=device), user, cloud.deps)


def convert(user: str, key: str, points: int) -> Operation:
    """Convert points."""
    return lambda cloud: convert_points(ConvertPoints(requestId=key, points=points), user, cloud.deps)


def sort_by_hand(user: str, key: str, device: str) -> Operation:
    """Record a manual classification."""
    request = RecordManualClassification(requestId=key, deviceId=device, itemName="Can", category=Category.DRY)
    return lambda cloud: record_manual_classification(request, user, cloud.deps)


def classify(user: str, key: str, mode: str) -> Operation:
    """Classify a photo."""

    def run(cloud: InProcessCloud) -> Any:
        path = cloud.upload(user, f"{key}.jpg", PHOTO)
        request = ClassifyImage.model_validate({"requestId": key, "imagePath": path, "mode": mode})
        return classify_image(request, user, cloud.deps)

    return run


def look(user: str) -> Operation:
    """Look at the wallet."""
    return lambda cloud: get_wallet(GetWallet(), user, cloud.deps)


def refresh(worker: str) -> Operation:
    """Let a refresh worker run; it fails as a whole if the store does."""

    def run(cloud: InProcessCloud) -> Any:
        try:
            refresh_credits(cloud.deps, worker)
        except RuntimeError as error:
            assert "the store failed" in str(error)  # noqa: PT017  (most runs raise nothing)

    return run


users, keys, devices = st.sampled_from(USERS), st.sampled_from(KEYS), st.sampled_from(DEVICES)
operations = st.one_of(
    st.builds(claim, users, devices),
    st.builds(convert, users, keys, st.sampled_from([100, 200, 300])),
    st.builds(sort_by_hand, users, keys, devices),
    st.builds(classify, users, keys, st.sampled_from(["instant", "batch"])),
    st.builds(look, users),
    st.builds(refresh, st.sampled_from(["all", "x-worker-1-of-2", "x-worker-2-of-2"])),
)


class Economy(RuleBasedStateMachine):
    """Two users, their devices, the crons, the operator's misfortunes; and a bank examiner after every step."""

    @initialize()
    def start(self) -> None:
        """Open for business with small limits, so that they are met."""
        self.cloud = InProcessCloud(seed=1)
        self.cloud.configure(CONFIG)
        self.days = {self.cloud.clock().date()}
        self.wallet_was_deleted = False

    def attempt(self, operation: Operation) -> None:
        """Run an operation; it may be refused, or fail as the store fails."""
        try:
            operation(self.cloud)
        except (EcolaneError, GoogleAPICallError, RetryError):
            return

    @rule(operation=operations, times=st.integers(1, 2))
    def call(self, operation: Operation, times: int) -> None:
        """A call, or the same one again."""
        for _ in range(times):
            self.attempt(operation)

    @rule(together=st.lists(operations, min_size=2, max_size=4))
    def call_at_once(self, together: list[Operation]) -> None:
        """Several calls at the same moment."""
        with ThreadPoolExecutor(len(together)) as pool:
            list(pool.map(self.attempt, together))

    @rule(
        operation=operations,
        kind=st.sampled_from(["abort", "unavailable", "reply_lost"]),
        rpc=st.sampled_from(["Commit", "BatchGetDocuments", "BeginTransaction"]),
        skip=st.integers(0, 1),
    )
    def call_with_a_fault(self, operation: Operation, kind: str, rpc: str, skip: int) -> None:
        """A call during which the store fails once, before or after the effect; and the app's retry."""
        self.cloud.firestore.faults.add(kind, rpc=rpc, skip=skip)
        self.attempt(operation)
        self.cloud.firestore.faults.clear()
        self.attempt(operation)

    @rule(kind=st.sampled_from(["server_error", "refusal", "line_error", "missing_line"]), count=st.integers(1, 4))
    def provider_fails(self, kind: str, count: int) -> None:
        """The provider's next answers are of no use."""
        self.cloud.openai.faults.add(kind=kind, count=count)

    @rule(minutes=st.sampled_from([1, 7, 60, 6 * 60, 24 * 60, -3 * 60]))
    def time_passes(self, minutes: int) -> None:
        """The clock moves, now and then backwards; midnight comes."""
        self.cloud.clock.advance(timedelta(minutes=minutes))
        self.days.add(self.cloud.clock().date())

    @rule()
    def crons_run(self) -> None:
        """The batch lane and the refresh get their turn."""
        submit_batches(self.cloud.deps)
        poll_batches(self.cloud.deps)
        refresh_credits(self.cloud.deps)

    @rule(user=users)
    def wallet_is_deleted(self, user: str) -> None:
        """Somebody removes a wallet's document; the ledger remains."""
        self.cloud.client.document("users", user, "wallet", "main").delete()
        self.wallet_was_deleted = True

    @rule()
    def process_restarts(self) -> None:
        """A new instance knows nothing of the old one."""
        self.cloud.restart()

    @invariant()
    def the_books_balance(self) -> None:
        """Balance = sum of the ledger, never negative; each entry follows from the one before; totals agree."""
        for user in USERS:
            entries = self.ledger(user)
            balance = 0
            for number, entry in enumerate(entries, 1):
                balance += entry["delta"]
                assert (entry["seq"], entry["balanceAfter"]) == (number, balance)
                assert balance >= 0
                assert entry["delta"] <= 0 or entry["reason"] == "refund" or balance <= CAP
            wallet = self.cloud.client.document("users", user, "wallet", "main").get().to_dict()
            if wallet is not None:
                assert wallet["balance"] == balance == wallet["totalEarned"] - wallet["totalSpent"]
                assert wallet["points"] == sum(entry["points"] for entry in entries)

    @invariant()
    def limits_hold(self) -> None:
        """What can be earned in the days so far is not exceeded, whatever the clock did."""
        for user in USERS:
            entries = self.ledger(user)
            counts = Counter(entry["reason"] for entry in entries)
            assert counts["welcome"] <= 1
            assert counts["bonus"] <= len(self.days)
            refreshed = sum(entry["delta"] for entry in entries if entry["reason"] == "refresh")
            assert refreshed <= ALLOWANCE * ((max(self.days) - min(self.days)).days + 1)
            if not self.wallet_was_deleted:
                assert counts["manual"] <= MANUAL_PER_DAY * len(self.days)
                converted = sum(entry["delta"] for entry in entries if entry["reason"] == "convert")
                assert converted <= CONVERTED_PER_DAY * len(self.days)

    @invariant()
    def every_job_is_paid_once_or_not_at_all(self) -> None:
        """Charges minus refunds are the price of a job that is done or under way, and nothing once it has failed."""
        paid: dict[str, int] = defaultdict(int)
        for user in USERS:
            for entry in self.ledger(user):
                if entry["reason"] in {"charge", "refund"}:
                    paid[entry["ref"]] -= entry["delta"]
        jobs = {snapshot.id: snapshot.to_dict() or {} for snapshot in self.cloud.client.collection("aiJobs").stream()}
        assert paid.keys() == jobs.keys()
        for job_id, job in jobs.items():
            assert paid[job_id] == (0 if job["status"] == "failed" else job["tokensCost"])
            assert (job["status"] == "done") == (job["result"] is not None)

    def ledger(self, user: str) -> list[dict[str, Any]]:
        """Return a user's entries, oldest first."""
        entries = self.cloud.client.collection("users", user, "ledger").order_by("seq").stream()
        return [snapshot.to_dict() or {} for snapshot in entries]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client libraries repeat at once what they would repeat after a while."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.mark.usefixtures("no_waiting")
def test_the_economy_holds() -> None:
    """Random histories of calls, replays, races, faults, restarts and midnights leave every book balanced."""
    run_state_machine_as_test(
        Economy,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),  # explaining traces every line of several libraries
        ),
    )
