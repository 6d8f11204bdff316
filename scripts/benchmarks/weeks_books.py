"""What an app's three weeks came to: sums over the documents that the functions have left. For `BENCH=whole`."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

from functions.core.jobs.jobs import FINAL
from functions.core.model.classification import Category
from functions.core.shared.alerts import NEWS, AlertKind
from functions.core.shared.errors import InsufficientTokens, PhotoRefused
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from scripts.benchmarks.weeks import BEGINS, DAYS
from scripts.benchmarks.weeks_played import HAPPENS, Weeks
from scripts.simulation.cache import paid_back, served
from scripts.simulation.documents import Fields

PAYING = {"charge", "upgrade", "refund"}
EXPLAINED_FOR = timedelta(days=1)
"""For so long after something has happened, what is unusual is no surprise."""

UNUSUAL = {kind for kind in AlertKind if kind.endswith("_unusual")}


class Books:
    """The documents of one app, sorted by what they belong to."""

    def __init__(self, weeks: Weeks) -> None:
        self._weeks = weeks
        client = weeks.cloud.client
        self.jobs: dict[str, Fields] = {each.id: each.to_dict() or {} for each in client.collection("aiJobs").stream()}
        self.checks = [each.to_dict() or {} for each in client.collection("cacheChecks").stream()]
        self.alerts = [each.to_dict() or {} for each in client.collection("alerts").stream()]
        self.wallets = {each.reference.parent.parent.id: each.to_dict() or {} for each in self._of_users("wallet")}
        self.ledgers: dict[str, list[Fields]] = defaultdict(list)
        for each in self._of_users("ledger"):
            self.ledgers[each.reference.parent.parent.id].append(each.to_dict() or {})
        self.called = [each for each in weeks.called if each.sent.counts]
        of_bulk = {job["imagePath"]: name for name, job in self.jobs.items() if job.get("bulkId")}
        for each in self.called:
            each.job = each.job or of_bulk.get(f"users/{each.sent.uid}/uploads/{each.sent.key}.jpg")
        self._senders = {each.job: each.sent.uid for each in weeks.called}  # also of what is erased with an account

    def _of_users(self, name: str) -> Iterator[Any]:
        found: Iterator[Any] = self._weeks.cloud.client.collection_group(name).stream()
        return found

    def micros_by_photo(self) -> dict[int, int]:
        """Return what each photo of the three weeks cost, by its number."""
        return {each.sent.number: self.jobs[each.job]["costMicros"] for each in self.called if each.job}

    def micros_of_checks(self) -> int:
        """Return what it cost to ask about hits again."""
        return sum(int(each["costMicros"]) for each in self.checks if each["createdAt"] >= BEGINS)

    def micros_by_day(self) -> list[int]:
        """Return what each day's photos and checks cost, from the first of the three weeks on."""
        found = Counter[str]()
        for check in self.checks:
            found[day_of(check["createdAt"])] += check["costMicros"]
        for each in self.called:
            found[day_of(each.sent.at)] += self.jobs[each.job]["costMicros"] if each.job else 0
        return [found[day_of(BEGINS + timedelta(days=day))] for day in range(DAYS)]

    def hits(self) -> dict[int, bool | None]:
        """Return which photos an earlier answer was given for, by number, and whether it was right: None if it is
        erased, with the account."""
        asked = [(each.sent, self.jobs[each.job]) for each in self.called if each.job]
        return {
            sent.number: job["result"] and job["result"]["subcategory"] == sent.kind
            for sent, job in asked
            if served(job)
        }

    def in_batches(self) -> list[int]:
        """Return the numbers of the photos that the model was asked about in a batch."""
        asked = [(each.sent.number, self.jobs[each.job]) for each in self.called if each.job]
        return [number for number, job in asked if job["mode"] == Lane.BATCH and not served(job)]

    def asked_because(self) -> dict[str, list[int]]:
        """Return the numbers of the photos that the model was asked about, by why no earlier answer was given."""
        before: dict[tuple[str, int], list[Fields]] = defaultdict(list)
        found: dict[str, list[int]] = defaultdict(list)
        for each in self._weeks.called:
            job = self.jobs.get(each.job or "")
            if job is None:
                continue
            known = before[each.sent.uid, each.sent.item]
            if each.sent.counts and not served(job):
                found[_why(job, known)].append(each.sent.number)
            known.append(job)
        return dict(found)

    def failures(self) -> int:
        """Return how many photos got no answer and should have."""
        of_the_user = (InsufficientTokens, PhotoRefused)
        refused = sum(each.refused is not None and not isinstance(each.refused, of_the_user) for each in self.called)
        return refused + sum(bool(self.jobs[each.job]["status"] == "failed") for each in self.called if each.job)

    def not_taken(self) -> int:
        """Return how many photos their users had no tokens for."""
        return sum(isinstance(each.refused, InsufficientTokens) for each in self.called)

    def paid_by_a_team(self) -> int:
        """Return how many photos a team has paid for."""
        return sum("payer" in self.jobs[each.job] for each in self.called if each.job)

    def batch_waits(self) -> list[float]:
        """Return how long each photo waited that was asked about in a batch, in hours."""
        numbers = set(self.in_batches())
        asked = [self.jobs[each.job] for each in self.called if each.job and each.sent.number in numbers]
        return [(job["completedAt"] - job["createdAt"]) / timedelta(hours=1) for job in asked if job["completedAt"]]

    def instant_seconds(self) -> list[float]:
        """Return how long each call took whose photo was wanted at once."""
        return [each.seconds for each in self.called if each.sent.lane is Lane.INSTANT and each.job]

    def lost_jobs(self) -> int:
        """Return how many jobs have not ended."""
        return sum(job["status"] not in FINAL for job in self.jobs.values())

    def double_charges(self) -> int:
        """Return how many jobs were paid for otherwise than their price says, or were not to be paid for."""
        paid = Counter[str]()
        for entries in self.ledgers.values():
            for entry in entries:
                if entry["reason"] in PAYING:
                    paid[entry["ref"]] -= entry["delta"]
        return sum(paid[name] != self._price(job) for name, job in self.jobs.items() if not self._left(name, job))

    @staticmethod
    def _price(job: Fields) -> int:
        return int(job["tokensCost"]) if job["status"] == "done" and not paid_back(job) else 0

    def _left(self, name: str, job: Fields) -> bool:
        closed: datetime | None = self.wallets[job["uid"] or self._senders[name]].get("closedAt")
        return closed is not None and (job["completedAt"] or closed) >= closed

    def unbalanced_wallets(self) -> int:
        """Return how many wallets are not the sum of their ledger."""
        return sum(
            wallet["balance"] != sum(entry["delta"] for entry in self.ledgers[uid]) or wallet["balance"] < 0
            for uid, wallet in self.wallets.items()
        )

    def alerts_missed(self) -> list[str]:
        """Return what was to be told, and was not in its time."""
        return [
            kind
            for kind, at, within in HAPPENS
            if not any(alert["kind"] == kind and at <= alert["createdAt"] <= at + within for alert in self.alerts)
        ]

    def alerts_false(self) -> list[str]:
        """Return what was told, and had not happened."""
        ends = BEGINS + timedelta(days=DAYS)
        told = [alert for alert in self.alerts if BEGINS <= alert["createdAt"] < ends]
        return [alert["kind"] for alert in told if not self._explained(alert)]

    def _explained(self, alert: Fields) -> bool:
        kind, told = alert["kind"], alert["createdAt"]
        if kind in NEWS:
            return True
        about = HAPPENS if kind in UNUSUAL else [each for each in HAPPENS if each[0] == kind]
        return any(at <= told <= at + max(within, EXPLAINED_FOR) for _, at, within in about)


def _why(job: Fields, known: list[Fields]) -> str:
    """Return why a photo was not answered by one of the earlier jobs of its user for the same thing."""
    answered = [each for each in known if each["status"] == "done"]
    results = [each["result"] for each in answered if each["result"]]
    reasons = {
        "new": not known,
        "erased": not job["uid"],
        "uncertified": job["cache"] is not None,
        "no_answer_yet": not any(each["completedAt"] <= job["createdAt"] for each in answered),
        "dangerous": any(Category(each["category"]) in {Category.HAZARDOUS, Category.MEDICAL} for each in results),
        "another_model": job["result"] and all(each["model"] != job["result"]["model"] for each in results),
    }
    return next((why for why, holds in reasons.items() if holds), "not_recognised")


def p95(values: list[float]) -> float:
    """Return what nineteen of twenty do not exceed."""
    return quantiles(values, n=20)[18]
