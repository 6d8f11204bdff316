"""What must be true after the drain. The checks do not ask the product: they read documents, Storage, and what OpenAI
has made and charged for, and work the rest out by themselves."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from scripts.simulation.achievements import wrong_achievements
from scripts.simulation.actions import job_id_of, photo_path
from scripts.simulation.bulk import job_key, wrong_bulks
from scripts.simulation.cache import paid_back, served, wrong_checks, wrong_hits, wrong_twins
from scripts.simulation.documents import Documents, Fields
from scripts.simulation.faults import Kind
from scripts.simulation.invariants import Violation
from scripts.simulation.leaderboard import wrong_boards, wrong_standing
from scripts.simulation.leaving import left_at, wrong_wallets
from scripts.simulation.perks import wrong_perks
from scripts.simulation.providers import HAIKU, asked_too_often, drawn_trouble, misbooked
from scripts.simulation.rollouts import miscounted, misjudged, wrong_ways
from scripts.simulation.schema import problems
from scripts.simulation.teams import ledger_of, payer_of, wrong_moves, wrong_teams
from scripts.simulation.world import Billed, Outcome, World

FINAL = {"done", "failed", "cancelled"}
PAYING = {"charge", "upgrade", "refund"}
EARNING = {"bonus", "convert", "manual", "refresh"}

BY_THE_PHOTO = {"PROVIDER_REJECTED", "ANSWER_UNUSABLE"}
FAILURES_REFUNDED_MAX = 3
STOOD_STILL_MAX = timedelta(hours=4)

JOB_LEASE = timedelta(days=4)
UNPOLLED = timedelta(hours=20)

PRICES = {
    "gpt-6-luna": (Decimal("0.10"), Decimal("0.50")),
    "gpt-5.6-luna": (Decimal("0.20"), Decimal("1.20")),
    HAIKU: (Decimal("0.10"), Decimal("0.50")),
}
"""Micro-dollars for an input and an output token; half of that in a batch."""


CACHED_HAIKU = Decimal("0.01"), Decimal("0.125")
"""The same for an input token that its cache gave, and one that it took."""

Check = Callable[["Books"], Iterator[Violation]]


class Books:
    """What the checks look at: the documents, sorted by what they belong to. Ledgers are of users, and of teams under
    the name of `teams.ledger_of`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.documents: Documents = world.documents()
        self._written = world.written()
        self.jobs = self._in("aiJobs")
        self.checks = self._in("cacheChecks")
        self.batches = self._in("batches")
        self.bulks = self._in("bulkJobs")
        self.usage = self._in("usage")
        self.ledgers: dict[str, list[Fields]] = defaultdict(list)
        self.wallets: dict[str, Fields] = {}
        self.teams: dict[str, Fields] = {}
        self.shards: dict[str, dict[str, Fields]] = defaultdict(dict)
        for path, fields in self.documents.items():
            parts = path.split("/")
            if parts[0] == "users" and parts[2:3] == ["ledger"]:
                self.ledgers[parts[1]].append({**fields, "id": parts[3]})
            if parts[0] == "users" and parts[2:3] == ["wallet"]:
                self.wallets[parts[1]] = fields
            if parts[0] == "teams" and parts[2:3] == ["ledger"]:
                self.ledgers[ledger_of(parts[1])].append({**fields, "id": parts[3]})
            if parts[0] == "teams" and parts[2:3] == ["wallet"]:
                self.teams[ledger_of(parts[1])] = fields
            if parts[0] == "budget" and len(parts) == 4:
                self.shards[parts[1]][parts[3]] = fields
        for entries in self.ledgers.values():
            entries.sort(key=lambda entry: entry["seq"])
        self.billed: dict[str, list[Billed]] = defaultdict(list)
        by_photo = {job["imagePath"]: job_id for job_id, job in self.jobs.items()}
        for answer in world.billed:
            of = by_photo.get(answer.photo, f"photo {answer.photo}")  # a check asks about its hit's photo
            self.billed[answer.job_id if answer.job_id in self.checks else of].append(answer)

    def jobs_of(self, uid: str) -> dict[str, Fields]:
        """Return the jobs that a user has paid for."""
        return {job_id: job for job_id, job in self.jobs.items() if job["uid"] == uid and not job.get("payer")}

    def written(self, uid: str) -> dict[str, int]:
        """Return in which order a user's entries, and all jobs, were written, by their ids."""
        of = f"users/{uid}/ledger/", "aiJobs/"
        return {path.rpartition("/")[2]: tick for path, tick in self._written.items() if path.startswith(of)}

    def _in(self, collection: str) -> dict[str, Fields]:
        return {
            path.partition("/")[2]: fields
            for path, fields in self.documents.items()
            if path.startswith(f"{collection}/") and path.count("/") == 1
        }


def jobs_end_once(books: Books) -> Iterator[Violation]:
    """Every job is final, with exactly one outcome, and nothing of its way there is left."""
    for job_id, job in books.jobs.items():
        if job["status"] not in FINAL:
            yield Violation("lost_jobs", f"job {job_id} is {job['status']} for ever (batch {job['batchId']})")
            continue
        if _forgotten(job) and not _stood_still(books) and not _long_unpolled(books):
            yield Violation("lost_jobs", f"job {job_id} was lost sight of, and only its lease ended it")
        outcome = (job["result"] is not None, job["completedAt"] is not None, job["leaseUntil"], job["queuedAt"])
        if outcome != (job["status"] == "done", True, None, None):
            yield Violation("outcomes", f"job {job_id} is {job['status']}, but {outcome}")
        if (job["status"] == "failed" and job["error"] is None) or (job["status"] == "done" and job["error"]):
            yield Violation("outcomes", f"job {job_id} is {job['status']} with error {job['error']}")
        key = job_key(job) if job["bulkId"] else job["imagePath"].rpartition("/")[2].removesuffix(".jpg")
        if job_id != job_id_of(job["uid"], key):
            yield Violation("outcomes", f"job {job_id} is under another id than its request's")
    for batch_id, batch in books.batches.items():
        if batch["state"] not in {"done", "failed"}:
            yield Violation("lost_jobs", f"batch {batch_id} is {batch['state']} for ever")


def _forgotten(job: Fields) -> bool:
    """Tell whether a job was ended by its own lease, since its batch had not."""
    ended = job["status"] == "failed" and job["error"]["code"] == "PROVIDER_UNAVAILABLE"
    return bool(ended and job["mode"] == "batch" and job["completedAt"] - job["createdAt"] > JOB_LEASE)


def _long_unpolled(books: Books) -> bool:
    """Tell whether the crons themselves were away for so long that a batch's jobs could outlive their lease."""
    polls = [outcome.ended for outcome in books.world.outcomes if (outcome.what, outcome.how) == ("poll", "ok")]
    return any(later - earlier > UNPOLLED for earlier, later in pairwise([books.world.history.start, *sorted(polls)]))


def _stood_still(books: Books) -> bool:
    """Tell whether a submitter went on after its lease: what it claims then, and dies, only the job's lease ends."""
    late = {Kind.STALL, Kind.LATE_EFFECT}
    submitters = {outcome.key for outcome in books.world.outcomes if outcome.what == "submit"}
    return any(fault.kind in late and fault.key in submitters for fault in books.world.struck)


def limits_hold(books: Books) -> Iterator[Violation]:
    """No job is tried too often or costs more than its price, and no user earns beyond a day's limits or the cap."""
    settings = Settings(books)
    for job_id, job in books.jobs.items():
        upgraded = job["mode"] == "instant" and job["requestedMode"] == "batch"
        if job["attempts"] > settings.attempts + upgraded:
            yield Violation("limits", f"job {job_id} was tried {job['attempts']} times")
        if job["tokensCost"] not in settings.prices and not job["bulkId"]:
            yield Violation("double_charges", f"job {job_id} costs {job['tokensCost']}, never one of {settings.prices}")
    for uid, entries in books.ledgers.items():
        bought = 0
        for entry in entries:
            bought += entry["bought"]
            free = entry["balanceAfter"] - max(bought, 0)
            if entry["delta"] > 0 and entry["reason"] in EARNING and free > settings.cap:
                yield Violation("limits", f"{uid}: {entry['id']} passes the balance cap of {settings.cap}")
        days = {entry["ts"].date() for entry in entries}
        for day in days:
            today = [entry for entry in entries if entry["ts"].date() == day]
            converted = sum(entry["delta"] for entry in today if entry["reason"] == "convert")
            by_hand = sum(entry["reason"] == "manual" for entry in today)
            if converted > settings.converted or by_hand > settings.by_hand:
                yield Violation("limits", f"{uid} converted {converted} and recorded {by_hand} on {day}")


def plans_hold(books: Books) -> Iterator[Violation]:
    """No user gets more photos a day, or makes more paid calls a minute, than the plan allows."""
    settings = Settings(books)
    for uid, entries in _counted_together(books).items():
        served, calls = Counter[tuple[date, str]](), Counter[int]()
        day, minute = date.min, 0
        for entry in entries:
            day = max(day, entry["ts"].date())  # a call that was slow counts where the wallet is by then
            job = books.jobs.get(entry["ref"])
            if job is None or entry["reason"] not in {"charge", "upgrade"}:
                continue
            minute = max(minute, int(entry["ts"].timestamp()) // 60)
            calls[minute] += 1
            upgraded = job["mode"] == "instant" and job["requestedMode"] == "batch"
            if job["status"] == "done" and (entry["reason"] == "upgrade") is upgraded:
                served[day, job["mode"]] += 1
        for (day, mode), count in served.items():
            if count > settings.plan(f"{mode}PerDay"):
                yield Violation("limits", f"{uid} was served {count} {mode} photos on {day}")
        if max(calls.values(), default=0) > settings.plan("callsPerMinute"):
            yield Violation("limits", f"{uid} made {max(calls.values())} paid calls in a minute")


def _counted_together(books: Books) -> dict[str, list[Fields]]:
    """Return the entries that one set of counters is for: a user's, and those of each member of a team since they came
    (back) to it."""
    found: dict[str, list[Fields]] = defaultdict(list)
    for owner, entries in books.ledgers.items():
        members = books.teams[owner]["members"] if owner in books.teams else {}
        for entry in entries:
            job = books.jobs.get(entry["ref"], {})
            if owner not in books.teams:
                found[owner].append(entry)
            elif job.get("uid") in members and job["createdAt"] >= members[job["uid"]]["joinedAt"]:
                found[f"{job['uid']} in {owner}"].append(entry)
    return found


PLAN = {"instantPerDay": 20, "batchPerDay": 100, "manualPerDay": 5, "callsPerMinute": 60}
"""The free plan where the config does not say."""


class Settings:
    """What was in force at any time of a history: prices and limits, the loosest of each."""

    def __init__(self, books: Books) -> None:
        self._configs = books.world.invariants.configs
        batch = self._all("tokens", "batchPrice", 1)
        instant = self._all("tokens", "instantPrice", 5)
        surged = {min(2 * price, max(instant)) for price in batch} | {2 * price for price in batch}
        # An upgrade pays the difference, if there is one: a job bought at a higher price keeps it.
        self.prices = batch | instant | surged | self._all("tokens", "cachedPrice", 1)
        self.converted = max(self._all("tokens", "conversionTokensPerDay", 5))
        self.attempts = max(self._all("batch", "attemptsMax", 3))
        self.cap = max(self._all("tokens", "balanceCap", 200))
        self.by_hand = self.plan("manualPerDay")

    def plan(self, name: str) -> int:
        """Return the largest value that a limit of the free plan ever had."""
        most: int = max(config.get("plans", {}).get("free", PLAN)[name] for config in self._configs)
        return most

    def _all(self, section: str, name: str, default: int) -> set[int]:
        return {config.get(section, {}).get(name, default) for config in self._configs}


def tokens_are_conserved(books: Books) -> Iterator[Violation]:
    """A job that is done is paid for once, at its price; any other costs nothing, unless the provider was paid for
    photos of the same user and day before, which came to nothing for what they show. Points go with the price."""
    paid, points = Counter[str](), Counter[str]()
    for uid, entries in books.ledgers.items():
        for entry in entries:
            if entry["reason"] in PAYING and ":" not in entry["ref"]:  # a bulk job's are added up with it
                paid[entry["ref"]] -= entry["delta"]
                points[entry["ref"]] += entry["points"]
                job = books.jobs.get(entry["ref"])
                owner = payer_of(job) if job else None
                if owner != uid:
                    yield Violation("lost_jobs", f"{uid} has {entry['id']} for a job that {owner} pays for")
    for job_id, job in books.jobs.items():
        kept = (job["status"] == "done" and not paid_back(job)) or job.get("chargeStands", False)
        price, earned = (job["tokensCost"], job["points"]) if kept else (0, 0)
        if (
            job["status"] in FINAL
            and not job["bulkId"]
            and not _forfeited(job, books)
            and (paid[job_id], points[job_id]) != (price, earned)
        ):
            found = f"paid {paid[job_id]}, not {price}; points {points[job_id]}, not {earned}"
            yield Violation("double_charges", f"job {job_id} is {job['status']}: {found}")
        if job.get("chargeStands") and not _stands_for_a_reason(job, books):
            yield Violation("double_charges", f"job {job_id} was not refunded, for no reason")


def bulks_are_whole(books: Books) -> Iterator[Violation]:
    """Every photo of a bulk job that was taken on is one job, and its tokens, its counts and its report say so."""
    wallets = {**books.wallets, **books.teams}
    left = {uid for uid in wallets if left_at(wallets, uid) is not None}
    found = wrong_bulks(books.bulks, books.jobs, books.ledgers, books.world.files.objects, left)
    yield from (Violation("bulk", wrong) for wrong in found)


def _forfeited(job: Fields, books: Books) -> bool:
    """Whether a job ended, or was disputed, when who has paid had left: what it would give back goes to nobody."""
    left, ended = left_at({**books.wallets, **books.teams}, payer_of(job)), job["completedAt"]
    last = job["dispute"]["at"] if paid_back(job) else ended
    return left is not None and ended is not None and last >= left


def _stands_for_a_reason(job: Fields, books: Books) -> bool:
    ended = job["completedAt"]
    who = job["uid"], payer_of(job)
    others = [each for each in books.jobs.values() if (each["uid"], payer_of(each)) == who and each is not job]
    before = [each for each in others if each["completedAt"] and each["completedAt"].date() == ended.date()]
    return _for_nothing(job) and sum(map(_for_nothing, before)) >= FAILURES_REFUNDED_MAX


def _for_nothing(job: Fields) -> bool:
    """Whether a job has ended after an answer that was paid for and came to nothing for what its photo shows."""
    ended = job["status"] in {"failed", "cancelled"} and job["error"]
    return bool(ended and job["costMicros"] and job["error"]["code"] in BY_THE_PHOTO)


def photos_for_nothing_cost_their_user(books: Books) -> Iterator[Violation]:
    """Of the photos that the provider was paid for and that came to nothing for what they show, a user has a few
    refunded in a day: what a user costs beyond the tokens that were taken is no more than those."""
    refunded: Counter[tuple[str, date]] = Counter()
    for job in books.jobs.values():
        ended = job["completedAt"]
        if not _counted(job, books):
            continue
        # Who decides and stands still over midnight counts for the day that the wallet has come to meanwhile.
        given_back = not job.get("chargeStands") and not _forfeited(job, books)
        if given_back and _for_nothing(job) and (ended + STOOD_STILL_MAX).date() == ended.date():
            refunded[f"{job['uid']}, of {payer_of(job)},", ended.date()] += 1
    for (uid, day), count in refunded.items():
        if count > FAILURES_REFUNDED_MAX:
            yield Violation("hostile", f"{uid} had {count} photos refunded on {day} that the operator paid for")


def _counted(job: Fields, books: Books) -> bool:
    """Whether whom a job is counted for is still there: members who go, and come back, begin anew."""
    team = books.teams.get(payer_of(job))
    member = team["members"].get(job["uid"]) if team else None
    return team is None or (member is not None and job["createdAt"] >= member["joinedAt"])


def wallets_balance(books: Books) -> Iterator[Violation]:
    """The balance is the sum of the ledger, which has no gap, never falls below zero, and welcomes once."""
    wallets = {**books.wallets, **books.teams}
    for uid in wallets.keys() | books.ledgers.keys():
        wallet, entries = wallets.get(uid), books.ledgers[uid]
        balance = points = bought = 0
        for number, entry in enumerate(entries, 1):
            balance, points = balance + entry["delta"], points + entry["points"]
            bought += entry["bought"]
            if (entry["seq"], entry["balanceAfter"]) != (number, balance) or balance < 0:
                yield Violation("unbalanced_wallets", f"{uid}: entry {entry['id']} does not follow: {entry}")
            ref = entry["ref"]
            if entry["id"] != (entry["reason"] if ref is None else f"{entry['reason']}:{ref}"):
                yield Violation("unbalanced_wallets", f"{uid}: entry {entry['id']} under a wrong id")
        if wallet is None:
            yield Violation("unbalanced_wallets", f"{uid} has a ledger and no wallet")
            continue
        names = ("balance", "points", "entryCount", "purchased", "owed")
        kept = (wallet["totalEarned"] - wallet["totalSpent"], *(wallet[name] for name in names))
        summed = (balance, balance, points, len(entries), min(max(bought, 0), balance), max(-bought, 0))
        if kept != summed:
            yield Violation("unbalanced_wallets", f"{uid}: the wallet says {kept}, the ledger {summed}")
        if uid in books.teams:
            yield from (Violation("unbalanced_wallets", f"{uid}: {wrong}") for wrong in _wrong_recent(wallet, entries))
        elif wallet["closedAt"] is None:  # of others nothing else is kept
            config, written = books.world.history.config, books.written(uid)
            wrongs = [
                *_misremembered(wallet, entries),
                *wrong_achievements(config, wallet, entries, books.jobs_of(uid), written),
                *wrong_standing(wallet, entries, written),
                *wrong_perks(config, wallet, entries),
            ]
            yield from (Violation("unbalanced_wallets", f"{uid}: {wrong}") for wrong in wrongs)


def _misremembered(wallet: Fields, entries: list[Fields]) -> Iterator[str]:
    """Yield what a wallet keeps beside its sums and has wrong."""
    yield from _wrong_recent(wallet, entries)
    converted = sum(int(entry["detail"]["points"]) for entry in entries if entry["reason"] == "convert")
    if converted != wallet["convertedPoints"]:
        yield f"{converted} points converted, not {wallet['convertedPoints']}"
    if Counter(entry["reason"] for entry in entries)["welcome"] != 1:
        yield "the welcome came not once"


def _wrong_recent(wallet: Fields, entries: list[Fields]) -> Iterator[str]:
    recent = [f"{e['seq']}" for e in wallet["recent"]]
    if recent != [f"{e['seq']}" for e in reversed(entries)][:20]:
        yield f"recent entries are {recent}"


def moves_sum_to_zero(books: Books) -> Iterator[Violation]:
    """What one wallet has given another one has got: a gift, an allotment or a return changes no sum of all."""
    yield from (Violation("unbalanced_wallets", wrong) for wrong in wrong_moves(books.ledgers))


def teams_are_whole(books: Books) -> Iterator[Violation]:
    """Each team has an owner and the members that know of it, or is closed; and nobody's removal is left undone."""
    damaged = any(each.kind == "damage" for each in books.world.history.actions)
    yield from (Violation("teams", wrong) for wrong in wrong_teams(books.documents, damaged=damaged))


def who_leaves_is_gone(books: Books) -> Iterator[Violation]:
    """Nothing is given to a user who has left, and nothing is kept of them but the books."""
    yield from (Violation("leaving", wrong) for wrong in wrong_wallets(books.wallets, books.ledgers))


def boards_show_who_takes_part(books: Books) -> Iterator[Violation]:
    """Nobody is on a board who does not take part, or by another name, at any time."""
    yield from (Violation("leaderboard", wrong) for wrong in wrong_boards(books.documents, books.wallets))


def submitted_once(books: Books) -> Iterator[Violation]:
    """No batch is created twice at its provider, and every batch there is collected; Anthropic has deleted it."""
    sent = Counter(created.batch_id for created in books.world.created)
    for created in books.world.created:
        batch = books.batches.get(created.batch_id)
        if sent[created.batch_id] > 1:
            yield Violation(
                "double_submissions", f"batch {created.batch_id} was created {sent[created.batch_id]} times"
            )
        elif batch is None or (batch["openaiBatchId"] != created.provider_id and not _unknowable(batch)):
            yield Violation(
                "double_submissions", f"{created.provider_id} was created for {created.batch_id}, which is {batch}"
            )
    kept = books.world.left_at_anthropic()
    for batch_id, batch in books.batches.items():
        if batch["state"] == "done" and not sent[batch_id]:
            yield Violation("lost_jobs", f"batch {batch_id} is done and was never created")
        if batch["state"] == "done" and batch["openaiBatchId"] in kept:
            yield Violation("storage", f"batch {batch_id} is left at Anthropic, with its photos")


def answers_are_paid_once(books: Books) -> Iterator[Violation]:
    """Providers make at most one answer for each attempt recorded, and what it charges is on the job's books."""
    given_up = _given_up(books)
    for job_id, answers in books.billed.items():
        job = books.jobs.get(job_id) or books.checks.get(job_id)
        if job is None:
            yield Violation("double_submissions", f"{len(answers)} answers were bought for {job_id}, which is no job")
            continue
        tried = sum(answer.batch or answer.model != HAIKU for answer in answers)  # a second leg is no attempt more
        if tried > job["attempts"] and job_id not in given_up:
            text = f"job {job_id} has {job['attempts']} attempts, and {len(answers)} answers were paid for"
            yield Violation("double_submissions", text)
        cost = sum(map(cost_micros, answers))
        if job["costMicros"] < cost and job_id not in given_up and not _forgotten(job):
            yield Violation("budget", f"job {job_id} cost {cost} micro-dollars, and {job['costMicros']} are booked")
        plain = job["status"] == "done" and len(answers) == job["attempts"] == 1 and not job["tried"]
        if plain and job["costMicros"] != cost:
            yield Violation("budget", f"job {job_id} cost {cost} micro-dollars, not {job['costMicros']}")


def legs_are_booked(books: Books) -> Iterator[Violation]:
    """Each provider of an instant call is booked under its own model, once, and none is asked after an answer. A shard
    that was damaged by hand has lost its own."""
    yield from (Violation("legs", wrong) for wrong in asked_too_often(books.jobs, books.billed))
    if not any(each.details.get("what") == "shard" for each in books.world.history.actions if each.kind == "damage"):
        yield from (Violation("legs", wrong) for wrong in misbooked(books.jobs, books.shards))


def results_are_their_own(books: Books) -> Iterator[Violation]:
    """A job's result is an answer that OpenAI has made about its own photo, for no other job."""
    for job_id, job in books.jobs.items():
        answers = books.billed[job_id]
        if others := {answer.job_id for answer in answers} - {job_id, ""}:
            yield Violation("answers", f"the photo of job {job_id} was sent for {others}")
        if (
            job["status"] == "done"
            and not served(job)
            and not any(_says(answer.text, job["result"]) for answer in answers)
        ):
            yield Violation("answers", f"the result of job {job_id} is no answer about its photo: {job['result']}")


def _says(text: str, result: Fields) -> bool:
    """Tell whether an answer, which may be cut off or empty, says what was stored."""
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    return all(answer[name] == result[name] for name in ("itemName", "subcategory", "confidence"))


def _given_up(books: Books) -> set[str]:
    """Return the jobs of batches given up or cancelled: their cost is on the batch's books, if at all."""
    lost = {batch_id for batch_id, batch in books.batches.items() if batch["error"] and batch["state"] == "done"}
    lost |= {batch_id for batch_id, batch in books.batches.items() if _unknowable(batch)}
    lost |= {each.batch_id for each in books.world.created if books.world.cancelled(each.provider_id)}
    return {job for created in books.world.created if created.batch_id in lost for job in created.jobs}


def _unknowable(batch: Fields) -> bool:
    """Tell whether nobody could tell for 28 hours if a provider has it. All held is booked, its jobs are refunded."""
    return bool(batch["state"] == "failed" and (batch["error"] or "").startswith("nobody can tell"))


def cost_micros(answer: Billed) -> int:
    """Return what OpenAI charges for an answer, in micro-dollars."""
    per_input, per_output = PRICES[answer.model]
    whole = answer.usage["prompt_tokens"] * per_input + answer.usage["completion_tokens"] * per_output
    if answer.model == HAIKU:
        read, written = CACHED_HAIKU
        whole += answer.usage["read"] * (read - per_input) + answer.usage["written"] * (written - per_input)
    return int((whole / 2 if answer.batch else whole).quantize(Decimal(1), ROUND_HALF_UP))


def budget_is_settled(books: Books) -> Iterator[Violation]:
    """Nothing is held any more, all that was settled is booked, and what OpenAI charges is covered by it."""
    holds = [(name, each["hold"]) for name, each in [*books.jobs.items(), *books.batches.items()] if each["hold"]]
    settled = Counter[str]()
    for name, hold in holds:
        settled[hold["day"]] += hold["settled"]
        if hold["micros"] or hold["parts"]:
            yield Violation("budget", f"{hold['micros']} micro-dollars are held for {name} for ever")
    by_hand = any(each.details.get("what") == "shard" for each in books.world.history.actions if each.kind == "damage")
    for day in settled.keys() | books.shards.keys():
        shards = books.shards[day].values()
        reserved = sum(each["reserved"] for each in shards)
        spent = sum(each["spent"] + each["excess"] for each in shards)
        excess = sum(each["excess"] for each in shards)
        if excess and not by_hand:
            yield Violation("budget", f"{day}: {excess} micro-dollars were spent that nobody had held")
        if (reserved, spent) != (0, settled[day]):
            yield Violation("budget", f"{day}: shards hold {reserved} and spent {spent}; holds settled {settled[day]}")
        by_model = sum(cost for each in shards for models in each["costs"].values() for cost in models.values())
        if by_model != spent:
            yield Violation("budget", f"{day}: {by_model} by lane and model, {spent} in all")
    billed = sum(cost_micros(answer) for answers in books.billed.values() for answer in answers)
    if billed > sum(settled.values()):
        yield Violation("budget", f"providers charge {billed} micro-dollars, {sum(settled.values())} are booked")
    for path in books.documents:
        if path.startswith("alerts/drift") and not by_hand:
            yield Violation("budget", f"the guard has found shards that were not what the calls say: {path}")


def jobs_are_counted(books: Books) -> Iterator[Violation]:
    """The tallies say what became of every job. A shard that was damaged by hand has lost its own; answers that nobody
    came for, until their jobs' own leases had ended them, count all the same."""
    if any(map(_forgotten, books.jobs.values())) or any(
        each.details.get("what") == "shard" for each in books.world.history.actions if each.kind == "damage"
    ):
        return
    counted, wanted = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for day, shards in books.shards.items():
        for lane, name, n in _counts(shard["tally"] for shard in shards.values()):
            kind = name.partition(":")[0]
            if kind in {"started", "done", "failed", "checked"} and (lane, kind) != ("batch", "failed"):
                counted[day if lane == "instant" else lane, kind] += n
    for job in books.jobs.values():
        if job["mode"] == "instant" and job["hold"]:
            wanted.update([(job["hold"]["day"], "started"), (job["hold"]["day"], job["status"])])
        elif job["mode"] == "batch" and job["status"] == "done" and not served(job):
            wanted["batch", "done"] += 1
    wanted["batch", "checked"] += sum(check["status"] == "done" for check in books.checks.values())
    wanted += Counter()
    if counted != wanted:
        yield Violation("counts", f"the tallies are off by {dict(counted - wanted)}, and lack {dict(wanted - counted)}")


def arms_are_kept(books: Books) -> Iterator[Violation]:
    """Each call goes the way of its arms, none takes one that was stopped, and the shards count what came of them. A
    shard that was damaged by hand has lost its own."""
    yield from (Violation("arms", wrong) for wrong in wrong_ways(books.jobs, books.batches, books.documents))
    if not any(each.details.get("what") == "shard" for each in books.world.history.actions if each.kind == "damage"):
        yield from (Violation("arms", wrong) for wrong in miscounted(books.jobs, books.batches, books.shards))
        yield from (Violation("arms", wrong) for wrong in misjudged(books.documents, books.shards))


def answers_given_again_are_right(books: Books) -> Iterator[Violation]:
    """Each is the same user's own answer to the same question about the same picture, at its price, for no points and
    at no cost."""
    configs = books.world.invariants.configs
    found = wrong_hits(books.jobs, books.documents, books.world.uploads, configs)
    yield from (Violation("cache", wrong) for wrong in found)


def checks_are_of_hits(books: Books) -> Iterator[Violation]:
    """Each hit that is asked again is so once, costs no user anything, and says whether the model agrees."""
    yield from (Violation("cache", wrong) for wrong in wrong_checks(books.jobs, books.checks, books.documents))


def twins_are_the_same_file(books: Books) -> Iterator[Violation]:
    """What is said to have been sent already was, by its user."""
    actions = {str(action.number): action for action in books.world.history.actions}
    for outcome in books.world.outcomes:
        if outcome.what in {"classify", "classify_many"} and outcome.how == "ok" and outcome.key in actions:
            details = actions[outcome.key].details
            found = wrong_twins(outcome.what, details, outcome.value, books.jobs, books.world.uploads)
            yield from (Violation("cache", wrong) for wrong in found)


def slots_add_up(books: Books) -> Iterator[Violation]:
    """The slots of a day come to what its book says, by the same review."""
    for day, usage in books.usage.items():
        book = books.documents[f"budget/{day}"]
        noted = sum(n for _, name, n in _counts(slot["tally"] for slot in usage["slots"]) if name == "micros")
        spent = sum(micros for models in book["costs"].values() for micros in models.values())
        if usage["rounds"] == book["rounds"] and noted != spent:
            yield Violation("counts", f"the slots of {day} come to {noted} micro-dollars, and its book to {spent}")


def _counts(tallies: Iterator[Fields]) -> Iterator[tuple[str, str, int]]:
    for tally in tallies:
        for lane, models in tally.items():
            for counters in models.values():
                yield from ((lane, name, n) for name, n in counters.items())


def everybody_is_refreshed(books: Books) -> Iterator[Violation]:
    """Every wallet on the schedule has had each period that fell due, once, at its amount."""
    now, allowance = books.world.clock(), books.world.history.config["refresh"]["allowances"]["free"]
    given_up = {fields["uid"] for path, fields in books.documents.items() if path.startswith("deadLetters/")}
    for uid, wallet in books.wallets.items():
        slot = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8]) % 1_440
        late = wallet["nextRefreshAt"] is not None and wallet["nextRefreshAt"] <= now - timedelta(hours=2)
        if late and uid not in given_up:
            yield Violation("refresh", f"{uid} was due at {wallet['nextRefreshAt']} and is still")
        refs = [entry["ref"] for entry in books.ledgers[uid] if entry["reason"] == "refresh"]
        if sorted(set(refs)) != refs:
            yield Violation("refresh", f"{uid} was refreshed for {refs}")
        if wallet["nextRefreshAt"] is None:
            continue
        due = _period(now - timedelta(hours=2), slot, allowance["every"])
        if wallet["refreshedPeriod"] < due and uid not in given_up:
            yield Violation("refresh", f"{uid} has had {wallet['refreshedPeriod']}, and {due} is due")
        yield from _allowance_is_exact(uid, books, allowance, slot)


def _allowance_is_exact(uid: str, books: Books, allowance: dict[str, Any], slot: int) -> Iterator[Violation]:
    """A daily allowance that adds, in a wallet far from its cap, credits its amount each day."""
    wallet, entries = books.wallets[uid], books.ledgers[uid]
    far = max((entry["balanceAfter"] for entry in entries), default=0) + allowance["amount"] <= 60
    if allowance["kind"] != "add" or allowance["every"] != "day" or not far:
        return
    first = datetime.fromisoformat(_period(wallet["createdAt"], slot, "day"))
    last = datetime.fromisoformat(wallet["refreshedPeriod"])
    wanted = (last - first).days * allowance["amount"]
    brought = sum(entry["delta"] for entry in entries if entry["reason"] == "refresh")
    if brought != wanted:
        yield Violation("refresh", f"{uid} was to have {wanted} tokens from {first:%F} to {last:%F}, and had {brought}")


def _period(now: datetime, slot: int, every: str) -> str:
    """Return the day or month that fell due last for a slot."""
    moment = now - timedelta(minutes=slot)
    return moment.strftime("%Y-%m-%d" if every == "day" else "%Y-%m")


def storage_is_tidy(books: Books) -> Iterator[Violation]:
    """Nothing is left of any batch, and no photo is missing that its user did not remove."""
    world = books.world
    for path in world.files.objects:
        if path.startswith("batches/"):
            yield Violation("storage", f"{path} is left in Storage")
    removed = {
        photo_path(action.details["user"], action.details["key"])
        for action in world.history.actions
        if action.kind == "remove_photo"
    }
    for path in world.uploads.keys() - world.files.objects.keys() - removed:
        yield Violation("storage", f"the photo {path} is gone")


def documents_fit(books: Books) -> Iterator[Violation]:
    """No document is outside the schema."""
    for problem in problems(books.documents):
        yield Violation("schema", problem)


def answers_hold(books: Books) -> Iterator[Violation]:
    """Answers match what is stored, and refused calls have left nothing."""
    actions = {str(action.number): action for action in books.world.history.actions}
    for outcome in books.world.outcomes:
        action = actions.get(outcome.key)
        if action is None:
            continue
        if outcome.how == "refused":
            yield from _refusal_holds(outcome, books)
        if outcome.how != "ok":
            continue
        user = action.details.get("user", "")
        match action.kind:
            case "classify" | "upgrade" | "cancel" | "dispute":
                told = [outcome.value]
            case "classify_many":
                told = [result["job"] for result in outcome.value["results"] if "job" in result]
            case "bonus" | "convert" | "manual":
                told = []
                entry = outcome.value["entry"]
                ids = {each["id"]: each for each in books.ledgers[user]}
                stored = ids.get(entry["entryId"])
                if stored is None or stored["delta"] != entry["delta"]:
                    yield Violation("answers", f"{user} was told of {entry['entryId']}, and stored is {stored}")
            case _:
                told = []
        for job in told:
            yield from _answer_holds(job, action.kind, action.details, books)


def _refusal_holds(outcome: Outcome, books: Books) -> Iterator[Violation]:
    """A call that answers "refunded" has refunded by then."""
    details = getattr(outcome.error, "details", {})
    job = books.jobs.get(details.get("jobId", ""))
    if job is not None and (job["completedAt"] is None or job["completedAt"] > outcome.ended):
        yield Violation("answers", f"job {details['jobId']} was said to be refunded, and was not yet")


def _answer_holds(told: Fields, kind: str, details: Any, books: Books) -> Iterator[Violation]:
    job = books.jobs.get(told["jobId"])
    if job is None:
        yield Violation("lost_jobs", f"{details['user']} was told of job {told['jobId']}, which is not there")
        return
    if told["status"] in FINAL and job["status"] != told["status"]:
        yield Violation("answers", f"job {told['jobId']} was {told['status']} and is {job['status']}")
    if told["result"] is not None and (job["result"] or {}).get("itemName") != told["result"]["itemName"]:
        yield Violation("answers", f"job {told['jobId']} was answered with another result than is stored")
    if kind == "cancel" and told["status"] != "cancelled":
        yield Violation("answers", f"cancelling {told['jobId']} was answered with {told['status']}")
    if kind == "classify":
        # Not what the job cost: its user may have upgraded it before the call was repeated.
        charge = -sum(each["delta"] for each in books.ledgers[payer_of(job)] if each["id"] == f"charge:{told['jobId']}")
        if charge > details.get("maxTokens", 1_000):
            yield Violation("double_charges", f"job {told['jobId']} was charged {charge}, more than {details}")


BLAMING = ("refusal", "line_error", "batch_invalid_line")  # what of OpenAI's trouble is, or may be, about a photo


def photos_are_blamed_for_their_own(books: Books) -> Iterator[Violation]:
    """No user is asked for another photo because of a fault of a key, a model or an account."""
    history = books.world.history
    of_openai, of_anthropic = drawn_trouble(history.seed)
    drawn = [action.details.get("trouble", {}) for action in history.actions]
    troubles = [*history.weaknesses, *drawn, *of_openai, *of_anthropic]
    if any(trouble.get("kind") in BLAMING for trouble in troubles):
        return
    for job_id, job in books.jobs.items():
        if job["error"] and job["error"]["code"] == "PROVIDER_REJECTED":
            yield Violation("outcomes", f"job {job_id} is said to have a photo that OpenAI does not take")


def devices_are_one_users(books: Books) -> Iterator[Violation]:
    """No push token is in two wallets: users take turns on the same telephones here."""
    owners: dict[str, list[str]] = defaultdict(list)
    for user, wallet in books.wallets.items():
        for token in wallet["pushTokens"]:
            owners[token].append(user)
    for token, users in owners.items():
        if len(users) > 1:
            yield Violation("devices", f"{token} is pushed to for each of {users}")


EXPECTED = {"ServerError", "Aborted", "RetryError", "StoreDownError"}
"""What a use case may fail with when the store does: the app is asked to retry. All else is a fault of ours."""


def nothing_crashes(books: Books) -> Iterator[Violation]:
    """A use case fails only if something outside did; and once nothing fails any more, none of them does."""
    for outcome in books.world.outcomes:
        if outcome.how != "failed":
            continue
        names = {cls.__name__ for cls in type(outcome.error).__mro__}
        # Locks that a process has left behind when it died can fail a whole run, too.
        whole_run = isinstance(outcome.error, RuntimeError) and "crashed" in str(outcome.error)
        whole_run = whole_run or "the store failed" in str(outcome.error)
        # A run all of whose work is about what cannot be read says so, also during the drain.
        lasting = bool(books.world.damaged or books.world.files.unreadable)
        hurt = lasting and ("DamagedDocumentError" in names or whole_run)
        draining = outcome.key.startswith(("drain", "back"))
        if not (names & EXPECTED or whole_run or hurt) or (draining and not hurt):
            yield Violation("crashes", f"{outcome.key} {outcome.what} failed with {outcome.error!r}")


CHECKS: tuple[Check, ...] = (
    jobs_end_once,
    limits_hold,
    plans_hold,
    tokens_are_conserved,
    bulks_are_whole,
    photos_for_nothing_cost_their_user,
    wallets_balance,
    moves_sum_to_zero,
    teams_are_whole,
    who_leaves_is_gone,
    boards_show_who_takes_part,
    submitted_once,
    answers_are_paid_once,
    legs_are_booked,
    results_are_their_own,
    budget_is_settled,
    jobs_are_counted,
    arms_are_kept,
    answers_given_again_are_right,
    checks_are_of_hits,
    twins_are_the_same_file,
    slots_add_up,
    everybody_is_refreshed,
    storage_is_tidy,
    documents_fit,
    answers_hold,
    devices_are_one_users,
    photos_are_blamed_for_their_own,
    nothing_crashes,
)


def examine(world: World) -> list[Violation]:
    """Return everything that must not be."""
    books = Books(world)
    return [*world.invariants.violations, *(violation for check in CHECKS for violation in check(books))]
