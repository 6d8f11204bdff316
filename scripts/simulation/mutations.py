"""Known ways of breaking the code. The checks have to notice each of them, or they prove nothing.

A mutation replaces one expression in the syntax tree of one function, and while it is in force everybody who has
imported the function runs the broken one. The expression is found by what it does, so that a rewording leaves it where
it is. A function that is gone, or has the expression not exactly once, is an error: the mutation must follow the code.
"""

import __future__

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FunctionType
from typing import Any

from functions.core.rollouts.flags import Flag
from scripts.simulation import bulk, cache, perks, places, teams
from scripts.simulation.faults import Focus, Kind
from scripts.simulation.history import Action, History, history
from scripts.simulation.invariants import Violation
from scripts.simulation.providers import drawn_kind
from scripts.simulation.run import run

HISTORIES_MAX = 40  # in which a mutation must be caught; most are in the first few


@dataclass(frozen=True)
class Mutation:
    """What is broken, where (`module:function` or `module:Class.method` in functions/), and the expression that takes
    the place of the one that is found; `_` in it is the one that was there.

    `given` makes of a history one in which it shows soon: with the trouble, or the settings, that it takes.
    """

    name: str
    target: str
    find: places.Finder
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


def _submitters(drawn: History) -> History:
    """Lose half of what submitters create, and have four run where one did."""
    struck = _struck("submit", "openai.POST batches", Kind.UNAVAILABLE)(drawn)
    submits = [each for each in drawn.actions if each.kind == "submit"]
    more = [replace(each, number=20_000 + 3 * each.number + n) for each in submits for n in range(3)]
    actions = tuple(sorted([*drawn.actions, *more], key=lambda action: (action.at, action.number)))
    return replace(struck, actions=actions)


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
    """Have hostile users only, with tokens for many photos and no other limit."""
    users = frozenset(f"user-{number}" for number in range(drawn.users))
    tokens = {**drawn.config["tokens"], "welcome": 100}
    plan = {**drawn.config["plans"]["free"], "instantPerDay": 20, "batchPerDay": 100, "callsPerMinute": 60}
    budget = {**drawn.config["budget"], "dailyLimitMicros": 10_000_000}
    config = {**drawn.config, "tokens": tokens, "plans": {"free": plan}, "budget": budget}
    return replace(drawn, hostile=users, config=config)


def _withdrawing(drawn: History) -> History:
    """Have one hostile user hand in ten photos by themselves and nine in a bulk job, and cancel them once their first
    answers have been paid for."""
    base, keys, user = _hostile(drawn), [f"request-{number}" for number in range(10)], {"user": "user-0"}
    asked: list[tuple[float, str, dict[str, Any]]] = [
        (1.0, "classify_many", {**user, "keys": keys[:5]}),
        (2.0, "classify_many", {**user, "keys": keys[5:]}),
        (3.0, "start_bulk", {**user, "key": "in-a-bulk-job", "photos": 9, "any_time": False}),
        (30.0, "bulk", {}),
        (60.0, "submit", {}),
        (2_000.0, "poll", {}),
        *((2_060.0 + number, "cancel", {**user, "key": key}) for number, key in enumerate(keys)),
        (2_080.0, "cancel_bulk", {**user, "key": "in-a-bulk-job"}),
        (2_090.0, "bulk", {}),
    ]
    actions = tuple(Action(number, at, kind, details) for number, (at, kind, details) in enumerate(asked))
    batch = {**base.config["batch"], "jobsPerBatch": 100, "batchesPerRun": 10, "attemptsMax": 3}
    config = {**base.config, "batch": batch}
    return replace(base, config=config, actions=actions, batch_minutes=10.0, weaknesses=(), fault_rate=0.0)


def _repeating(drawn: History) -> History:
    """Have users send many photos again, with the cache on and nothing going wrong beside it."""
    config = {**drawn.config, **cache.config_of(drawn.config, "on", "on")}
    asked = enumerate(cache.repeats(drawn.seed, 6, 20_000.0, drawn.users))
    actions = [Action(number, at, kind, details) for number, (at, kind, details) in asked]
    kinds = ("guard", "submit", "poll")
    crons = [Action(1_000 + number, number * 300.0, kinds[number % 3], {}) for number in range(1, 72)]
    whole = tuple(sorted([*actions, *crons], key=lambda action: action.at))
    return replace(drawn, config=config, actions=whole, hostile=frozenset(), weaknesses=(), fault_rate=0.0)


def _in_bulk(drawn: History) -> History:
    """Have bulk jobs, many of which are cancelled, and what takes them on; of all else the crons alone."""
    end = max(drawn.actions[-1].at, 20_000.0)
    crons = [each for each in drawn.actions if each.kind in {"submit", "poll", "recover", "guard"}]
    asked: list[tuple[float, str, dict[str, Any]]] = []
    for part in range(3):
        for at, kind, details in bulk.drawn_actions(2 * (1_000 * part + drawn.seed), end, drawn.users):
            named = {**details, "key": f"{part}-{details['key']}"} if "key" in details else details
            asked += [(at, kind, named)]
            if kind == "start_bulk":
                again = {"user": details["user"], "key": named["key"]}
                gone = {"user": details["user"], "key": f"{named['key']}-0"}
                asked += [(at + later, "bulk", {}) for later in (1.0, 30.0)]
                asked += [(at + 0.5, "remove_photo", gone)] if part == 0 else []
                asked += [(at + 20.0 + 500.0 * (part % 2), "cancel_bulk", again)]
    added = [Action(70_000 + number, at, kind, details) for number, (at, kind, details) in enumerate(asked)]
    actions = tuple(sorted([*crons, *added], key=lambda each: (each.at, each.number)))
    return replace(_hostile(drawn), actions=actions, hostile=frozenset())


def _weakened(kind: str) -> Callable[[History], History]:
    """Have OpenAI suffer from this all the time."""
    return lambda drawn: replace(drawn, weaknesses=({"kind": kind, "count": None, "probability": 0.5},))


def _set(section: str, **values: Any) -> Callable[[History], History]:
    """Deploy with these settings."""
    return lambda drawn: replace(drawn, config={**drawn.config, section: {**drawn.config[section], **values}})


def _leaving(drawn: History) -> History:
    """Have everybody leave in the middle, whatever is under way for them."""
    end, more = drawn.actions[-1].at, len(drawn.actions)
    leave = [Action(more + n, end / 2, "leave", {"user": f"user-{n}"}) for n in range(drawn.users)]
    return replace(drawn, actions=tuple(sorted([*drawn.actions, *leave], key=lambda each: (each.at, each.number))))


def _rolling(drawn: History) -> History:
    """Have half of the users on either flag's new path, the guard look now and then, and an operator stop both in the
    middle."""
    end = drawn.actions[-1].at
    flags = {str(flag): {"percent": 50, "cohort": "large", "allow": ["user-0"]} for flag in Flag}
    kept = [each for each in drawn.actions if each.kind not in {"decide_flag", "spoil_flag", "restart", "damage"}]
    kept = [each for each in kept if "flags" not in each.details.get("changes", {})]
    stops = [(end / 2, "decide_flag", {"flag": str(flag), "action": "stop"}) for flag in Flag]
    looks: list[tuple[float, str, dict[str, str]]] = [(end * n / 8, "guard_rollouts", {}) for n in range(1, 8)]
    added = [Action(10_000 + n, at, kind, details) for n, (at, kind, details) in enumerate([*stops, *looks])]
    actions = tuple(sorted([*kept, *added], key=lambda action: (action.at, action.number)))
    return replace(drawn, config={**drawn.config, "flags": flags}, actions=actions, fault_rate=0.0)


def _ranked(drawn: History) -> History:
    """Have everybody join on a Sunday and half leave at the end, with boards written in between."""
    end, users = drawn.actions[-1].at, [f"user-{n}" for n in range(drawn.users)]
    kept = [each for each in drawn.actions if each.kind not in {"list", "leave"}]
    joins: list[tuple[float, str, dict[str, Any]]] = [(0.0, "list", {"user": user, "name": "Ana"}) for user in users]
    leaves = [(end - 1.0, "list", {"user": user, "name": None}) for user in users[::2]]
    ranks: list[tuple[float, str, dict[str, Any]]] = [(end * n / 9 - 200.0, "rank", {}) for n in range(1, 10)]
    added = [Action(10_000 + n, at, kind, details) for n, (at, kind, details) in enumerate([*joins, *leaves, *ranks])]
    actions = tuple(sorted([*kept, *added], key=lambda each: (each.at, each.number)))
    return replace(drawn, actions=actions, start=datetime(2026, 11, 29, 22, tzinfo=UTC))


def _teamed(drawn: History) -> History:
    """Have three users and their team, with tokens for all and limits for each, and the crons; nothing else."""
    end = max(drawn.actions[-1].at, 20_000.0)
    crons = [each for each in drawn.actions if each.kind in {"submit", "poll", "recover", "guard"}]
    asked = enumerate(teams.busy_actions(drawn.seed, end, 3))
    added = [Action(40_000 + number, at, kind, details) for number, (at, kind, details) in asked]
    actions = tuple(sorted([*crons, *added], key=lambda each: (each.at, each.number)))
    return replace(_hostile(drawn), actions=actions, users=3, hostile=frozenset(), fault_rate=0.0)


def _everybody_leaves(drawn: History) -> History:
    """The same, and all of them leave the app in the middle."""
    return _leaving(_teamed(drawn))


def _faithful(drawn: History) -> History:
    """Have users who come for the bonus on most of ten days, and tokens for perks, which are sold."""
    users, end = drawn.users, 10 * 86_400.0
    bought = [each for seed in range(3) for each in perks.faithful(1_000 * seed + drawn.seed, end, users)]
    days = [
        (each * end / 4, "perk", {"user": "user-0", "key": f"day-key-{each}", "perk": "priorityDay"})
        for each in range(4)
    ]
    added = [Action(50_000 + n, at, kind, details) for n, (at, kind, details) in enumerate([*bought, *days])]
    actions = tuple(sorted(added, key=lambda each: (each.at, each.number)))
    config = {**drawn.config, "shop": perks.PRICES, "tokens": {**drawn.config["tokens"], "welcome": 100}}
    return replace(drawn, config=config, actions=actions, fault_rate=0.0)


_CONFIG_AGE = "RUNTIME_CONFIG_AGE_MAX"


def _both(drawn: History) -> History:
    """Take a history with two providers."""
    return history(3 * drawn.seed)


def _failing_over(drawn: History) -> History:
    """Take one with two providers, and lose half of the first one's answers to photos that are wanted now."""
    both = _hostile(_both(drawn))
    lost = {"kind": "reply_lost", "endpoint": "POST /v1/chat/completions", "count": None, "probability": 0.5}
    photos = [
        Action(60_000 + n, n * 400.0, "classify", {"user": "user-0", "key": f"instant-now-{n}", "mode": "instant"})
        for n in range(18)
    ]
    crons = [Action(61_000 + n, 200.0 + n * 1_800.0, "guard", {}) for n in range(4)]
    actions = tuple(sorted([*photos, *crons], key=lambda each: (each.at, each.number)))
    budget = {**both.config["budget"], "dailyLimitMicros": 8_000}
    config = {**both.config, "providers": {"order": ["openai", "anthropic"]}, "budget": budget}
    return replace(both, config=config, actions=actions, weaknesses=(lost,), hostile=frozenset(), fault_rate=0.0)


def _losing(drawn: History) -> History:
    """Take one with two providers, and lose half of all answers of the first one."""
    both = _hostile(_both(drawn))
    lost = {"kind": "reply_lost", "endpoint": "*/chat/completions", "count": None, "probability": 0.5}
    rules = {**both.config["providers"], "order": ["openai", "anthropic"]}
    return replace(both, config={**both.config, "providers": rules}, weaknesses=(lost,))


def _at_anthropic(drawn: History) -> History:
    """Take a history with two providers, and give all batches to Anthropic."""
    both = _both(drawn)
    rules = {**both.config["providers"], "batchOrder": ["anthropic"]}
    return replace(both, config={**both.config, "providers": rules})


def _twins(drawn: History) -> History:
    """Lose half of the creations there, or their replies, of batches of one photo each."""
    both = _at_anthropic(drawn)
    lost = Focus("submit", "anthropic.POST messages/batches", drawn_kind(drawn.seed), 0.5)
    batch = {**both.config["batch"], "jobsPerBatch": 1, "batchesPerRun": 10}
    return replace(both, config={**both.config, "batch": batch}, focus=lost)


def _refused_batches(drawn: History) -> History:
    """Have Anthropic refuse half of them, and processes die while their photos are given back."""
    both = _at_anthropic(drawn)
    refusing = tuple(
        Action(30_000 + n, n * both.actions[-1].at / 8, "anthropic", {"trouble": dict(_REFUSED)}) for n in range(8)
    )
    actions = tuple(sorted([*both.actions, *refusing], key=lambda action: (action.at, action.number)))
    focus = Focus("submit", "firestore.RunQuery", Kind.CRASH_BEFORE, 0.3)
    return replace(both, actions=actions, focus=focus)


_REFUSED = {"kind": "overloaded", "endpoint": "POST /v1/messages/batches", "count": 2}

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "unlock with the next write what this one reaches",
        "core.jobs.opening:decide",
        places.call("unlocked"),
        "account",
    ),
    Mutation(
        "leave on the boards who takes part no more",
        "adapters.firestore.leaderboard:LeaderboardDocuments._rename",
        places.condition("after"),
        "False",
        _ranked,
    ),
    Mutation(
        "leave the points of the last period on the board",
        "core.wallet.standing:_added",
        places.comparison("period"),
        "True",
        _ranked,
    ),
    Mutation(
        "forget in the wallet what was unlocked", "core.wallet.achievements:unlocked", places.keyword("achieved"), "()"
    ),
    Mutation(
        "book the second provider's answer under the first",
        "core.budget.holds:settling",
        places.comparison("model"),
        "False",
        _losing,
    ),
    Mutation(
        "book nothing for an answer that was lost",
        "core.jobs.attempts:tried",
        places.keyword("micros"),
        "0 if came is Came.DOUBTFUL else _",
        _failing_over,
    ),
    Mutation(
        "show another provider what one has answered",
        "use_cases.jobs.instant_lane:_ask",
        places.condition("down"),
        "not may_serve(path.second, job.region, deps)",
        _both,
    ),
    Mutation(
        "hold for the dearer of two providers alone",
        "core.budget.holds:call_hold",
        places.assigned("both"),
        "max(micros, second.micros if second else 0)",
        _both,
    ),
    Mutation(
        "leave out what the cache gave",
        "core.model.dialects.anthropic:_usage",
        places.keyword("input_tokens"),
        "usage['input_tokens']",
        _both,
    ),
    Mutation(
        "book a batch at the full price",
        "use_cases.budget.spending:known_batch_price",
        places.keyword("batch"),
        "False",
    ),
    Mutation(
        "take any batch of the size for ours",
        "core.batches.recovery:whose",
        places.comparison("jobs"),
        "True",
        _twins,
    ),
    Mutation(
        "create again what others wait for as well",
        "core.batches.recovery:chosen",
        places.call("iter"),
        "iter(())",
        _twins,
    ),
    Mutation(
        "create again while the list cannot be read",
        "use_cases.batches.abandoned:_look",
        places.call("list_batches"),
        "[]",
        _twins,
    ),
    Mutation(
        "give back the jobs of a batch that is still to be created",
        "use_cases.batches.submission:_withdraw",
        places.call("update_batch"),
        "version",
        _refused_batches,
    ),
    Mutation(
        "leave photos at Anthropic", "use_cases.batches.closing:close", places.call("_forget"), "True", _at_anthropic
    ),
    Mutation("forget to count how a call ended", "core.jobs.counting:job_bookings", places.call("ended"), "Counter()"),
    Mutation("count one arm as the other", "core.rollouts.counts:counted", places.condition("NEW"), "arm == Arm.NEW"),
    Mutation(
        "take the other arm's path",
        "core.rollouts.arms:takes_new",
        places.comparison("LISTED"),
        "arm == Arm.OLD",
    ),
    Mutation(
        "send a batch's photos in the size of the other arm",
        "use_cases.batches.building:_open_batch",
        places.keyword("side_max"),
        "deps.runtime().images.side_max",
        _rolling,
    ),
    Mutation("count who was named", "core.rollouts.counts:counted", places.condition("NEW"), "True"),
    Mutation(
        "count no call that died",
        "core.jobs.counting:job_bookings",
        places.comparison("BY_THE_PATH"),
        "code in BY_THE_PATH and after.usage is not None",
        _struck("classify", "openai.POST chat/completions", Kind.CRASH_BEFORE),
    ),
    Mutation(
        "lose the arms' counters in the review",
        "core.budget.shards:limited",
        places.call("dict"),
        "{name: shard.model_copy(update={'rollouts': {}}) for name, shard in shards.items()}",
    ),
    Mutation("forget the key", "core.cache.lookup:nearest", places.comparison("key"), "False", _repeating),
    Mutation(
        "take any photo for the same file", "core.cache.lookup:nearest", places.comparison("sha"), "True", _repeating
    ),
    Mutation(
        "take a call's photos for one file",
        "use_cases.jobs.cached_answers:_compare",
        places.argument("setdefault", 0),
        "b''",
        _repeating,
    ),
    Mutation(
        "keep everybody's photos together",
        "adapters.firestore.cache:CacheDocuments._cache_ref",
        places.argument("document", 1),
        "'everybody'",
        _repeating,
    ),
    Mutation(
        "give points for an answer that is given again",
        "core.jobs.cached:at_the_cached_price",
        places.attribute("points_per_cached_answer"),
        "tokens.points_per_classification",
        _repeating,
    ),
    Mutation(
        "charge the whole price for it",
        "core.jobs.cached:at_the_cached_price",
        places.call("min"),
        "job.tokens_cost",
        _repeating,
    ),
    Mutation(
        "pay a disputed answer back twice over",
        "core.jobs.disputes:_paid_back",
        places.argument("refund", 2),
        "2 * _",
        _repeating,
    ),
    Mutation(
        "count a label with each run",
        "adapters.firestore.checks:CheckDocuments._labelled",
        places.argument("_between", 2),
        "None",
        _repeating,
    ),
    Mutation(
        "count a check among the users' photos",
        "use_cases.batches.endings:Endings._counted",
        places.condition("is_check"),
        "False",
        _repeating,
    ),
    Mutation("go on after a stop", "core.rollouts.arms:decide", places.condition("stopped"), "not ceiling", _rolling),
    Mutation(
        "keep a config for days",
        "adapters.current_config:CurrentConfig.__init__",
        lambda place: place.field == "args" and isinstance(place.expression, ast.Name) and place.names(_CONFIG_AGE),
        "timedelta(days=3)",
        _rolling,
    ),
    Mutation(
        "see the same calls again",
        "core.rollouts.counts:grown",
        places.argument("max", 0),
        "getattr(now, name)",
        _rolling,
    ),
    Mutation("take a page on twice", "core.bulk.changes:page", places.keyword("taken"), "bulk.taken", _in_bulk),
    Mutation("lose photos of a report", "use_cases.bulk.closing:_report", places.argument("max", 0), "0", _in_bulk),
    Mutation(
        "report before all is answered",
        "use_cases.bulk.closing:look_at",
        places.condition("all_ended"),
        "False",
        _in_bulk,
    ),
    Mutation(
        "give back what was taken on, too",
        "core.bulk.changes:given_back",
        places.argument("price_of", 0),
        "0",
        _in_bulk,
    ),
    Mutation(
        "keep the price of unusable photos", "core.bulk.changes:page", places.condition("FAILED"), "False", _in_bulk
    ),
    Mutation(
        "cancel queued photos for nothing", "core.bulk.changes:emptied", places.argument("_refunded", 2), "()", _in_bulk
    ),
    Mutation("refund twice", "core.wallet.accounts:refund", places.argument("post", 0), "2 * _"),
    Mutation("refund without taking the points back", "core.wallet.accounts:refund", places.keyword("points"), "0"),
    Mutation("fail without a refund", "core.jobs.endings:_refunded", places.call("refund"), "Account(wallet)"),
    Mutation(
        "refund whatever comes to nothing",
        "core.wallet.quotas:count_failure",
        places.comparison("failed"),
        "True",
        _hostile,
    ),
    Mutation(
        "charge the whole price for an upgrade",
        "core.jobs.endings:_admitted",
        places.argument("pay_upgrade", 2),
        "difference + job.tokens_cost",
    ),
    Mutation(
        "charge more than was agreed to", "core.wallet.token_prices:require_within", places.condition("price"), "False"
    ),
    Mutation(
        "cancel what has left the queue",
        "core.jobs.cancelling:cancelling",
        places.condition("QUEUED"),
        "job.status in {Status.DONE, Status.FAILED}",
    ),
    Mutation(
        "refund what was cancelled between two attempts",
        "core.jobs.cancelling:cancelling",
        places.condition("_came_to_nothing"),
        "False",
        _withdrawing,
    ),
    Mutation(
        "refund what was cancelled with its bulk job between two attempts",
        "core.jobs.cancelling:cancelled_together",
        places.condition("_came_to_nothing"),
        "False",
        _withdrawing,
    ),
    Mutation(
        "forget the lease of an abandoned batch",
        "use_cases.batches.abandoned:_take_up",
        places.condition("version"),
        "(version := version or stored.version) is None",
        _submitters,
    ),
    Mutation(
        "create again without looking",
        "use_cases.batches.abandoned:_take_up",
        places.call("_look"),
        "None",
        _struck("submit", "openai.POST batches", Kind.REPLY_LOST),
    ),
    Mutation(
        "create under a lease that has run out",
        "use_cases.batches.submission:create",
        places.condition("holds_lease"),
        "False",
        _struck("submit", "firestore.Commit", Kind.STALL),
    ),
    Mutation(
        "leave the jobs of a batch that was not sent",
        "use_cases.batches.submission:release_batch",
        places.call("release_jobs"),
        "0",
        _struck("submit", "openai.POST files", Kind.UNAVAILABLE),
    ),
    Mutation(
        "leave the files of a batch that was not sent",
        "use_cases.batches.submission:release_batch",
        places.call("delete_batch_files"),
        "None",
        _struck("submit", "openai.POST files", Kind.UNAVAILABLE),
    ),
    Mutation(
        "settle a batch before its results",
        "use_cases.batches.poll_batches:_advance",
        places.assigned("taken"),
        "{**_, 'completedAt': now}",
        _struck("poll", "firestore.BatchWrite", Kind.CRASH_BEFORE),
    ),
    Mutation(
        "forget the files of a batch", "use_cases.batches.closing:close", places.call("delete_batch_files"), "None"
    ),
    Mutation(
        "believe that every job has its line",
        "use_cases.batches.collector:Collector._each",
        places.call("take_rest"),
        "()",
        _weakened("missing_line"),
    ),
    Mutation(
        "try again without end",
        "use_cases.batches.endings:Endings._end",
        places.call("may_try_again"),
        "True",
        _weakened("line_error"),
    ),
    Mutation("count an answer as free", "core.jobs.attempts:answered", places.call("cost_micros"), "0"),
    Mutation(
        "write over what others have changed",
        "adapters.firestore.writes:_bulk",
        places.argument("update", 2),
        "None",
        _struck("submit", "firestore.BatchWrite", Kind.STALL),
    ),
    Mutation(
        "take a lost reply for a lost race",
        "adapters.firestore.queue:QueueDocuments._claimed_by_lost_reply",
        places.condition("batch_id"),
        "False",
        _struck("submit", "firestore.BatchWrite", Kind.REPLY_LOST),
    ),
    Mutation(
        "post an entry over another one",
        "adapters.firestore.wallet:WalletDocuments._write_entries",
        places.method("create"),
        "writes.set",
    ),
    Mutation(
        "give tokens back to who has left",
        "adapters.firestore.wallet:open_or_none",
        places.condition("closed_at"),
        "wallet",
        _leaving,
    ),
    Mutation(
        "let in who has left", "adapters.firestore.wallet:in_use", places.condition("closed_at"), "False", _leaving
    ),
    Mutation("keep points of who has left", "core.privacy.deletion:closing", places.keyword("points"), "0", _leaving),
    Mutation(
        "keep the schedule of who has left",
        "core.privacy.deletion:closing",
        places.assigned("bare"),
        "_.with_fields(next_refresh_at=now, refresh_shard=0)",
        _leaving,
    ),
    Mutation(
        "erase a job's cost with its person",
        "core.privacy.deletion:erased",
        places.keyword("update"),
        "{**_, 'cost_micros': 0}",
        _leaving,
    ),
    Mutation(
        "forget the photos of who has left",
        "use_cases.privacy.erase_accounts:_look_at",
        places.call("delete_uploads"),
        "0",
        _leaving,
    ),
    Mutation(
        "convert without a limit", "core.wallet.earning:convert_points", places.condition("room"), "tokens > room"
    ),
    Mutation(
        "earn beyond the cap",
        "core.refresh.refresh:_tokens",
        places.call("min"),
        "wanted",
        _set("tokens", welcome=30, balanceCap=31),
    ),
    Mutation(
        "leave a refreshed wallet where it is on the schedule",
        "core.refresh.refresh:credited",
        places.keyword("refreshed_period"),
        "wallet.refreshed_period or _",
    ),
    Mutation(
        "hold more than there is room for",
        "core.budget.bookings:no_room",
        places.condition("room"),
        "False",
        _set("budget", dailyLimitMicros=800),
    ),
    Mutation(
        "keep a hold that has ended",
        "core.budget.holds:settling",
        places.comparison("completedAt"),
        "fields.get('result') is not None",
    ),
    Mutation(
        "forget a hold on one shard of several",
        "core.budget.bookings:bookings",
        places.call("sorted"),
        "_[:2]",
        _set("budget", dailyLimitMicros=2_500),
    ),
    Mutation(
        "give each shard what is left for all",
        "core.budget.shards:limited",
        places.assigned("part"),
        "left",
        _set("budget", dailyLimitMicros=2_500),
    ),
    Mutation(
        "review eight of many shards",
        "adapters.firestore.budget:BudgetDocuments._all_shards",
        places.argument("limit", 0),
        "8",
        _set("budget", dailyLimitMicros=20_000),
    ),
    Mutation(
        "leave an instant call that never came back",
        "use_cases.jobs.recover_jobs:_recover",
        places.argument("refunding", 0),
        "lambda current: False",
        _struck("classify", "openai.POST chat/completions", Kind.CRASH_BEFORE),
    ),
    Mutation(
        "give the instant lane's tokens up with its provider",
        "use_cases.jobs.instant_lane:_settle",
        places.call("settle_job"),
        "None",
        _struck("classify", "openai.POST chat/completions", Kind.UNAVAILABLE),
    ),
    Mutation(
        "send another job's photo",
        "use_cases.batches.batch_files:_lines",
        places.argument("map", 0),
        "lambda member: prepare(BatchMember.from_line(member.to_line().replace("
        "member.image_path.encode(), chunk[0].image_path.encode()).replace("
        "str(member.image_digest).encode(), str(chunk[0].image_digest).encode())))",
    ),
    Mutation(
        "forget the limit of calls a minute",
        "core.wallet.quotas:use_quota",
        places.condition("calls_per_minute"),
        "False",
    ),
    Mutation(
        "forget the limit of photos a day", "core.wallet.quotas:use_quota", places.condition("limit"), "False", _sparing
    ),
    Mutation(
        "blame the photo for what the provider does not take",
        "core.model.provider_errors:trouble_of",
        places.otherwise("CONFIGURATION"),
        "Trouble.PHOTO",
        _refusing,
    ),
    Mutation(
        "allot tokens that the team keeps",
        "core.teams.moves:allotted",
        places.call("_taken"),
        "_allotting(team, move.to or '', move.tokens).post(0, move.reason, move.ref, now, detail=move.payload)",
        _teamed,
    ),
    Mutation(
        "forget a member's limit",
        "core.wallet.team_wallet:TeamWallet.require_room",
        places.condition("monthly_limit"),
        "False",
        _teamed,
    ),
    Mutation(
        "decide by the wallet that was seen before the transaction",
        "adapters.firestore.jobs:JobDocuments.open_jobs",
        places.call("_wallet_in"),
        "seen.wallet if seen else _",
        _teamed,
    ),
    Mutation(
        "let who was removed spend all the same",
        "core.wallet.team_wallet:TeamWallet.require_room",
        places.call("require_member"),
        "(self, self.members.get(self.spender or '') or Member(role=Role.MEMBER, joined_at=now))",
        _teamed,
    ),
    Mutation(
        "refund to the member what the team has paid",
        "adapters.firestore.jobs:JobDocuments._payer_in",
        places.condition("payer"),
        "False",
        _teamed,
    ),
    Mutation(
        "forget what removed members have queued",
        "use_cases.jobs.removed_members:cancel_queued",
        places.call("cancelled"),
        "each",
        _teamed,
    ),
    Mutation(
        "forget who was removed",
        "adapters.firestore.teams:TeamDocuments.change_team",
        places.call("set"),
        "None",
        _teamed,
    ),
    Mutation(
        "leave the team with who was removed from it",
        "adapters.firestore.teams:TeamDocuments.change_team",
        places.argument("update", 1),
        "{}",
        _teamed,
    ),
    Mutation(
        "refund twice what was queued by who was removed",
        "core.jobs.cancelling:cancelling",
        places.argument("refund", 2),
        "_ * 2 if job.payer and job.uid not in account.wallet.members else _",
        _teamed,
    ),
    Mutation(
        "count as spent what came back",
        "core.wallet.team_wallet:TeamWallet.counting",
        places.condition("job_at"),
        "spent < 0",
        _teamed,
    ),
    Mutation(
        "give room for what an earlier membership has spent",
        "core.wallet.team_wallet:TeamWallet.counting",
        places.condition("job_at"),
        "False",
        _teamed,
    ),
    Mutation(
        "leave a team without an owner",
        "core.teams.teams:without_user",
        places.condition("_owned"),
        "False",
        _everybody_leaves,
    ),
    Mutation(
        "charge a perk twice",
        "core.wallet.perks:perk_bought",
        places.argument("spend", 0),
        "spend(_, Reason.PERK, f'{request_id}-again', price, now, detail={'perk': perk.value})",
        _faithful,
    ),
    Mutation(
        "use two streak savers for a day",
        "core.wallet.earning:daily_bonus",
        places.assigned("savers"),
        "max(account.wallet.streak_savers - (2 * missed if before else 0), 0)",
        _faithful,
    ),
    Mutation(
        "use a streak saver for nothing",
        "core.wallet.earning:daily_bonus",
        places.assigned("savers"),
        "max(_ - (missed == 0), 0)",
        _faithful,
    ),
    Mutation(
        "use streak savers for a streak that is over",
        "core.wallet.earning:daily_bonus",
        places.assigned("savers"),
        "max(account.wallet.streak_savers - missed, 0)",
        _faithful,
    ),
    Mutation(
        "take a key for new each time", "core.jobs.idempotency:job_id_for", places.formatted, "_ + str(id(object()))"
    ),
)


@contextmanager
def in_force(mutation: Mutation) -> Iterator[None]:
    """Break the code for a while. Raises LookupError if the function, or the expression in it, is not there any
    more."""
    function = _function(mutation.target)
    tree = mutated(mutation, ast.parse(textwrap.dedent(inspect.getsource(function))))
    scratch: dict[str, Any] = dict(function.__globals__)
    flags = __future__.annotations.compiler_flag
    exec(compile(tree, "<mutation>", "exec", flags, dont_inherit=True), scratch)  # noqa: S102  (ours, one change apart)
    sound = function.__code__
    function.__code__ = scratch[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = sound


def mutated(mutation: Mutation, tree: ast.Module) -> ast.Module:
    """Change the tree of the function that it breaks, and return it. Raises LookupError as `in_force` does."""
    found = [place for place in places.places(tree) if mutation.find(place)]
    if len(found) != 1:
        raise LookupError(f"{mutation.name}: {mutation.target} has {len(found)} such expressions")
    (place,) = found
    after = ast.Expression(ast.parse(mutation.after, mode="eval").body)
    for inner in [each for each in places.places(after) if isinstance(each.expression, ast.Name)]:
        if inner.names("_"):
            inner.put(place.expression)
    place.put(after.body)
    return ast.fix_missing_locations(tree)


def _function(target: str) -> FunctionType:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(f"functions.{module}")
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
