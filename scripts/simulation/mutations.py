"""Known ways of breaking the code. The checks have to notice each of them, or they prove nothing.

A mutation replaces one piece of text in the source of one function, and puts the code that comes of it in the
function's place while it is in force: everybody who has imported the function runs the broken one. A function that is
gone, or that does not have the text once and no more, is an error: the mutation has to follow the code.
"""

import __future__

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from scripts.simulation.faults import Focus, Kind
from scripts.simulation.history import History, history
from scripts.simulation.run import run
from scripts.simulation.violations import Violation

HISTORIES_MAX = 40
"""In which a mutation must be caught; most are in the first few."""


@dataclass(frozen=True)
class Mutation:
    """What is broken, where (`module:function` or `module:Class.method`), and the text before and after.

    `given` makes of a history one in which it shows soon: with the trouble, or the settings, that it takes.
    """

    name: str
    target: str
    before: str
    after: str
    given: Callable[[History], History] = lambda drawn: drawn


@dataclass(frozen=True)
class Caught:
    """After how many histories a mutation was noticed, and by what; None if it was not."""

    name: str
    histories: int
    violation: Violation | None


def _struck(what: str, call: str, kind: Kind) -> Callable[[History], History]:
    """Strike half of these calls of a use case."""
    return lambda drawn: replace(drawn, focus=Focus(what, call, kind, 0.5))


def _sparing(drawn: History) -> History:
    """Give the free plan one photo a day and lane, and tokens for many."""
    plan = {**drawn.config["plans"]["free"], "instantPerDay": 1, "batchPerDay": 1}
    tokens = {**drawn.config["tokens"], "welcome": 100}
    return replace(drawn, config={**drawn.config, "plans": {"free": plan}, "tokens": tokens})


def _refusing(drawn: History) -> History:
    """Have OpenAI not know the model of half of all that it is asked, and refuse no photo."""
    refused = {"kind": "refused", "status": 405, "count": None, "probability": 0.5, "endpoint": "*/chat/completions"}
    actions = tuple(action for action in drawn.actions if action.kind != "openai")
    return replace(drawn, weaknesses=(refused,), actions=actions)


def _hostile(drawn: History) -> History:
    """Have nobody but hostile users, with tokens for many photos and no other limit."""
    users = frozenset(f"user-{number}" for number in range(drawn.users))
    tokens = {**drawn.config["tokens"], "welcome": 100}
    plan = {**drawn.config["plans"]["free"], "instantPerDay": 20, "batchPerDay": 100, "callsPerMinute": 60}
    budget = {**drawn.config["budget"], "dailyLimitMicros": 10_000_000}
    config = {**drawn.config, "tokens": tokens, "plans": {"free": plan}, "budget": budget}
    return replace(drawn, hostile=users, config=config)


def _weakened(kind: str) -> Callable[[History], History]:
    """Have OpenAI suffer from this all the time."""
    return lambda drawn: replace(drawn, weaknesses=({"kind": kind, "count": None, "probability": 0.5},))


def _set(section: str, **values: Any) -> Callable[[History], History]:
    """Deploy with these settings."""
    return lambda drawn: replace(drawn, config={**drawn.config, section: {**drawn.config[section], **values}})


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "refund twice",
        "functions.core.wallet.accounts:refund",
        "account.post(price,",
        "account.post(2 * price,",
    ),
    Mutation(
        "refund without taking the points back",
        "functions.core.wallet.accounts:refund",
        "points=-points",
        "points=0",
    ),
    Mutation(
        "fail without a refund",
        "functions.core.jobs.endings:_refunded",
        "account = refund(Account(wallet), job.job_id, job.tokens_cost, now, points=job.points)",
        "account = Account(wallet)",
    ),
    Mutation(
        "refund whatever comes to nothing",
        "functions.core.wallet.quotas:count_failure",
        "today.failed < FAILURES_REFUNDED_MAX",
        "True",
        given=_hostile,
    ),
    Mutation(
        "charge the whole price for an upgrade",
        "functions.core.jobs.endings:upgrading",
        "pay_upgrade(account, job.job_id, difference, now)",
        "pay_upgrade(account, job.job_id, upgrade.prices.instant, now)",
    ),
    Mutation(
        "charge more than was agreed to",
        "functions.core.wallet.token_prices:require_within",
        "if tokens_max is not None and price > tokens_max:",
        "if False:",
    ),
    Mutation(
        "cancel what has left the queue",
        "functions.core.jobs.endings:cancelling",
        "if job.status is not Status.QUEUED:",
        "if job.status in {Status.DONE, Status.FAILED}:",
    ),
    Mutation(
        "forget the lease of an abandoned batch",
        "functions.use_cases.batches.abandoned:_take_up",
        "if version is None:",
        "version = version or stored.version\n    if version is None:",
        _struck("submit", "openai.POST batches", Kind.UNAVAILABLE),
    ),
    Mutation(
        "create again without looking",
        "functions.use_cases.batches.abandoned:_take_up",
        "found = deps.provider.find_batch(batch.batch_id, batch.created_at)",
        "found = None",
        _struck("submit", "openai.POST batches", Kind.REPLY_LOST),
    ),
    Mutation(
        "create under a lease that has run out",
        "functions.use_cases.batches.submission:create",
        "if not batch.holds_lease(deps.clock()):",
        "if False:",
        _struck("submit", "firestore.Commit", Kind.STALL),
    ),
    Mutation(
        "leave the jobs of a batch that was not sent",
        "functions.use_cases.batches.submission:release_batch",
        "release_jobs(deps, batch.batch_id, pause)",
        "0",
        _struck("submit", "openai.POST files", Kind.UNAVAILABLE),
    ),
    Mutation(
        "leave the files of a batch that was not sent",
        "functions.use_cases.batches.submission:release_batch",
        "deps.files.delete_batch_files(batch.batch_id)",
        "pass",
        _struck("submit", "openai.POST files", Kind.UNAVAILABLE),
    ),
    Mutation(
        "settle a batch before its results",
        "functions.use_cases.batches.poll_batches:_advance",
        'taken = {"state": BatchState.COLLECTING, "dueAt": now + lease}',
        'taken = {"state": BatchState.COLLECTING, "dueAt": now + lease, "completedAt": now}',
        _struck("poll", "firestore.BatchWrite", Kind.CRASH_BEFORE),
    ),
    Mutation(
        "forget the files of a batch",
        "functions.use_cases.batches.closing:close",
        "deps.files.delete_batch_files(batch.batch_id)",
        "pass",
    ),
    Mutation(
        "believe that every job has its line",
        "functions.use_cases.batches.collector:Collector._each",
        "for member in manifest.take_rest():",
        "for member in ():",
        _weakened("missing_line"),
    ),
    Mutation(
        "try again without end",
        "functions.use_cases.batches.endings:Endings._end",
        "may_try_again(error, attempts, self._deps.runtime().batch.attempts_max)",
        "True",
        _weakened("line_error"),
    ),
    Mutation(
        "count an answer as free",
        "functions.core.jobs.attempts:answered",
        "photo.cost_micros + terms.cost_micros(attempt)",
        "photo.cost_micros",
    ),
    Mutation(
        "write over what others have changed",
        "functions.adapters.firestore.writes:_bulk",
        "bulk.update(ref, dict(fields), option=client.write_option(last_update_time=version))",
        "bulk.update(ref, dict(fields))",
        _struck("submit", "firestore.BatchWrite", Kind.STALL),
    ),
    Mutation(
        "take a lost reply for a lost race",
        "functions.adapters.firestore.queue:QueueDocuments._claimed_by_lost_reply",
        "if stored.job.batch_id == batch_id",
        "if False",
        _struck("submit", "firestore.BatchWrite", Kind.REPLY_LOST),
    ),
    Mutation(
        "post an entry over another one",
        "functions.adapters.firestore.wallet:WalletDocuments._write_entries",
        "writes.create(ref,",
        "writes.set(ref,",
    ),
    Mutation(
        "convert without a limit",
        "functions.core.wallet.earning:convert_points",
        "if tokens > left or points > available or tokens > room:",
        "if tokens > room:",
    ),
    Mutation(
        "earn beyond the cap",
        "functions.core.refresh.refresh:_tokens",
        "min(wanted, cap - balance)",
        "wanted",
        _set("tokens", welcome=30, balanceCap=31),
    ),
    Mutation(
        "leave a refreshed wallet where it is on the schedule",
        "functions.core.refresh.refresh:credited",
        "refreshed_period=refreshed,",
        "refreshed_period=wallet.refreshed_period or refreshed,",
    ),
    Mutation(
        "hold more than there is room for",
        "functions.core.budget.holds:no_room",
        "if booking.reserved > shard.room:",
        "if False:",
        _set("budget", dailyLimitMicros=800),
    ),
    Mutation(
        "keep a hold that has ended",
        "functions.core.budget.holds:settling",
        'fields.get("completedAt") is None',
        'fields.get("result") is not None',
    ),
    Mutation(
        "forget a hold on one shard of several",
        "functions.core.budget.holds:bookings",
        "names, found = sorted({*held, *kept}), []",
        "names, found = sorted({*held, *kept})[:2], []",
        _set("budget", dailyLimitMicros=2_500),
    ),
    Mutation(
        "leave an instant call that never came back",
        "functions.use_cases.jobs.recover_jobs:_recover",
        "refunding(lambda current: current.lease_until == lease,",
        "refunding(lambda current: False,",
        _struck("classify", "openai.POST chat/completions", Kind.CRASH_BEFORE),
    ),
    Mutation(
        "give the instant lane's tokens up with its provider",
        "functions.use_cases.jobs.instant_lane:classify_now",
        "deps.store.settle_job(job.job_id, job.uid, ours)",
        "ours",
        _struck("classify", "openai.POST chat/completions", Kind.UNAVAILABLE),
    ),
    Mutation(
        "send another job's photo",
        "functions.use_cases.batches.batch_files:_lines",
        "pool.map(prepare, chunk)",
        "pool.map(lambda member: prepare(BatchMember.from_line(member.to_line().replace("
        "member.image_path.encode(), chunk[0].image_path.encode()).replace("
        "str(member.image_digest).encode(), str(chunk[0].image_digest).encode()))), chunk)",
    ),
    Mutation(
        "forget the limit of calls a minute",
        "functions.core.wallet.quotas:use_quota",
        "if count > plan.calls_per_minute:",
        "if False:",
    ),
    Mutation(
        "forget the limit of photos a day",
        "functions.core.wallet.quotas:use_quota",
        "if used >= limit:",
        "if False:",
        _sparing,
    ),
    Mutation(
        "blame the photo for what the provider does not take",
        "functions.core.model.provider_errors:trouble_of",
        "else Trouble.CONFIGURATION",
        "else Trouble.PHOTO",
        _refusing,
    ),
    Mutation(
        "take a key for new each time",
        "functions.core.jobs.idempotency:job_id_for",
        'f"{uid}\\n{request_id}"',
        'f"{uid}\\n{request_id}\\n{id(object())}"',
    ),
)


@contextmanager
def in_force(mutation: Mutation) -> Iterator[None]:
    """Break the code for a while.

    Raises:
        LookupError: the function, or the text in it, is not there any more.
    """
    function = _function(mutation.target)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(mutation.before) != 1:
        raise LookupError(
            f"{mutation.name}: {mutation.target} has {mutation.before!r} {source.count(mutation.before)} times"
        )
    scratch: dict[str, Any] = dict(function.__globals__)
    flags = __future__.annotations.compiler_flag
    exec(  # noqa: S102  (our own source, with one of the changes above)
        compile(source.replace(mutation.before, mutation.after), "<mutation>", "exec", flags, dont_inherit=True),
        scratch,
    )
    sound = function.__code__
    function.__code__ = scratch[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = sound


def _function(target: str) -> FunctionType:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        if name not in vars(found):
            raise LookupError(f"{target}: there is no {name}")
        found = vars(found)[name]
    if not isinstance(found, FunctionType):
        raise TypeError(f"{target} is no plain function")
    return found


def hunt(number: int, first_seed: int) -> Caught:
    """Run histories with the code broken by the mutation of this number until a check notices."""
    mutation = MUTATIONS[number]
    with in_force(mutation):
        for tried in range(1, HISTORIES_MAX + 1):
            drawn = history(first_seed + tried - 1)
            violations = run(mutation.given(drawn)).violations
            if violations:
                return Caught(mutation.name, tried, violations[0])
    return Caught(mutation.name, HISTORIES_MAX, None)
