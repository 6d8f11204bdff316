"""A history: a deployment, its users, and all that they, the crons, OpenAI and accidents do over several days.

Drawn from a seed, and nothing else. Actions come in bursts, because trouble is where calls meet: several users, one
user's impatient app, the crons of a tick, all within a second or a minute. Between bursts time passes: seconds, past a
lease, past midnight, a day and more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

from scripts.simulation import achievements, bulk, cache, leaderboard, leaving, perks, teams
from scripts.simulation.faults import Focus, possible
from scripts.simulation.providers import drawn_focus, drawn_order
from scripts.simulation.rollouts import drawn_actions, drawn_config

FAULT_RATES = (0.0, 0.005, 0.01, 0.03, 0.03, 0.1)
"""Shares of outside calls that are struck: none, so that plain concurrency is tested too, up to hardly bearable."""

FOCUSED = (
    *product(["submit"], ["firestore.Commit", "firestore.BatchWrite", "storage.read_photo", "storage.write_input"]),
    *product(["submit"], ["openai.POST files", "openai.POST batches"]),
    *product(["poll"], ["firestore.Commit", "firestore.BatchWrite", "openai.GET files/*/content"]),
    *product(["classify"], ["firestore.Commit", "openai.POST chat/completions"]),
    ("classify_many", "firestore.Commit"),
    *product(["upgrade"], ["firestore.Commit", "openai.POST chat/completions"]),
    *product(["cancel", "convert", "refresh", "recover", "guard"], ["firestore.Commit"]),
)
"""Use cases, with the calls that series of faults can strike in them."""


@dataclass(frozen=True)
class Action:
    """One thing that happens: when (seconds from the start), what, and with which details. `number` stays what it is
    when a history is cut down: chance and faults go by it."""

    number: int
    at: float
    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        day, rest = divmod(self.at, 86_400)
        clock = f"day {day:.0f} {rest // 3600:02.0f}:{rest % 3600 // 60:02.0f}:{rest % 60:06.3f}"
        return f"{clock}  #{self.number} {self.kind} " + " ".join(
            f"{name}={value}" for name, value in self.details.items()
        )


@dataclass(frozen=True)
class History:
    """Everything that a run depends on. `weaknesses` are faults of the OpenAI stand-in that last, `hostile` users send
    photos of which it makes nothing, at the operator's cost."""

    seed: int
    start: datetime
    config: dict[str, Any]
    users: int
    fault_rate: float
    focus: Focus
    batch_minutes: float
    weaknesses: tuple[dict[str, Any], ...]
    actions: tuple[Action, ...]
    hostile: frozenset[str] = frozenset()


def history(seed: int) -> History:
    dice = Random(f"history {seed}")  # noqa: S311  (repeatable, not secret)
    users = dice.choice((1, 2, 2, 3, 4, 6, 12))
    start = datetime(2026, 11, dice.choice((3, 17, 29)), tzinfo=UTC) + timedelta(seconds=dice.randrange(86_400))
    config = _config(dice)
    return History(
        seed=seed,
        start=start,
        config={
            **config,
            **drawn_config(seed),
            **drawn_order(seed),
            **cache.drawn_config(seed, config),
            **achievements.drawn_config(seed),
            **bulk.drawn_config(seed),
            **perks.drawn_config(seed),
        },
        users=users,
        fault_rate=dice.choice(FAULT_RATES),
        focus=drawn_focus(seed, _focus(dice)),
        batch_minutes=dice.choice((10.0, 60.0, 240.0, 900.0)),
        weaknesses=(dice.choice(WEAKNESSES),) if dice.random() < 0.25 else (),
        actions=_with_more(_Draw(dice, users).actions(), seed, users),
        hostile=frozenset(f"user-{number}" for number in range(users) if dice.random() < HOSTILE_SHARE),
    )


def _with_more(actions: list[Action], seed: int, users: int) -> tuple[Action, ...]:
    end = actions[-1].at
    drawn = [
        *drawn_actions(seed, end),
        *cache.drawn_actions(seed, end, users),
        *leaving.drawn_actions(seed, end, users),
        *leaderboard.drawn_actions(seed, end, users),
        *bulk.drawn_actions(seed, end, users),
        *perks.drawn_actions(seed, end, users),
        *teams.drawn_actions(seed, end, users),
    ]
    more = enumerate(drawn, start=len(actions))
    added = [Action(number, at, kind, details) for number, (at, kind, details) in more]
    return tuple(sorted([*actions, *added], key=lambda action: (action.at, action.number)))


def _focus(dice: Random) -> Focus:
    what, call = dice.choice(FOCUSED)
    return Focus(what, call, dice.choice(possible(call)), dice.choice((0.0, 0.2, 0.5)))


def _config(dice: Random) -> dict[str, Any]:
    """Draw the settings of the deployment: small limits more often than production has them, so that they are met."""
    daily = dice.choice((10_000_000, 10_000_000, 10_000_000, 20_000, 6_000, 2_500, 1_000))
    plan = {
        "instantPerDay": dice.choice((20, 3)),
        "batchPerDay": dice.choice((100, 100, 5)),
        "manualPerDay": 5,
        "callsPerMinute": dice.choice((60, 60, 3)),
        "priority": dice.choice((0, 0, 1)),
    }
    allowance = {
        "kind": dice.choice(("add", "add", "top_up")),
        "amount": dice.choice((3, 5)),
        "every": dice.choice(("day", "day", "day", "month")),
    }
    return {
        "tokens": {
            "welcome": dice.choice((10, 40, 100)),
            "balanceCap": dice.choice((200, 200, 100)),
            "pointsPerClassification": dice.choice((10, 100, 300)),
            "conversionTokensPerDay": dice.choice((1, 3, 5)),
            "streakDaysForPriority": dice.choice((1, 7)),
        },
        "plans": {"free": plan},
        "batch": {
            "jobsPerBatch": dice.choice((1, 2, 3, 5, 100)),
            "batchesPerRun": dice.choice((1, 2, 10)),
            "attemptsMax": dice.choice((1, 2, 3, 3)),
            "signedUrls": dice.random() < 0.25,
        },
        "budget": {"dailyLimitMicros": daily, "monthlyLimitMicros": dice.choice((200_000_000, 200_000_000, 2 * daily))},
        "refresh": {
            "allowances": {"free": allowance},
            "dormantDays": dice.choice((1, 2, 14)),
            "usersPerPage": dice.choice((1, 3, 200)),
        },
    }


CONFIG_CHANGES: tuple[dict[str, Any], ...] = (
    {"tokens": {"instantPrice": 7, "batchPrice": 2}},
    {"tokens": {"instantPrice": 3}},
    {"tokens": {"balanceCap": 60}},
    {"tokens": {"surge": [{"queuedAbove": 2, "percent": 200}]}},
    {"batch": {"jobsPerBatch": 1}},
    {"batch": {"attemptsMax": 1}},
    {"batch": {"signedUrls": True}},
    {"instant": {"open": False}},
    {"instant": {"open": True}},
    {"budget": {"dailyLimitMicros": 1_500}},
    {"budget": {"dailyLimitMicros": 50_000}},
    {"budget": {"monthlyLimitMicros": 5_000}},
    {"refresh": {"dormantDays": 3}},
    {"plans": {"free": {"instantPerDay": 1, "batchPerDay": 1, "manualPerDay": 1, "callsPerMinute": 60, "priority": 0}}},
)


def _times(**counts: int) -> list[dict[str, Any]]:
    """Return faults of the OpenAI stand-in by kind, each for so many calls."""
    return [{"kind": kind, "count": count} for kind, count in counts.items()]


PROVIDER_TROUBLE: tuple[dict[str, Any], ...] = (
    *_times(server_error=4, rate_limited=4, bad_gateway=3, malformed_json=2, not_found=2),
    *_times(refusal=3, cut_answer=2, empty_choices=2, answer_text=3, line_error=3),
    {"kind": "line_error", "count": 1, "status": 400, "code": "image_parse_error", "in_output": True},
    *_times(missing_line=2, duplicate_line=3, unknown_line=2, batch_invalid_line=1, batch_token_limit=2),
    {"kind": "batch_stuck", "count": 1, "state": "in_progress", "minutes": 700.0},
    {"kind": "batch_stuck", "count": 1, "state": "finalizing"},
    {"kind": "batch_stuck", "count": 1, "state": "validating"},
    {"kind": "batch_expires", "count": 1, "share": 0.5},
    {"kind": "batch_cancelled", "count": 1, "share": 0.5},
    {"kind": "files_late", "count": 2, "minutes": 20.0},
    {"kind": "files_late", "count": 1, "minutes": 600.0},
    {"kind": "files_late", "count": 1},
    {"kind": "webhook_duplicated", "count": 3},
    {"kind": "webhook_delayed", "count": 2, "minutes": 100.0},
)

WEAKNESSES: tuple[dict[str, Any], ...] = (
    {"kind": "line_error", "count": None, "probability": 0.3},
    {"kind": "missing_line", "count": None, "probability": 0.2},
    {"kind": "duplicate_line", "count": None, "probability": 0.3},
    {"kind": "answer_text", "count": None, "probability": 0.3},
    {"kind": "rate_limited", "count": None, "probability": 0.2},
    {"kind": "batch_expires", "count": None, "probability": 0.3, "share": 0.5},
)
"""Faults that OpenAI can have all the time."""

HOSTILE_SHARE = 0.15  # of users
LASTING_SHARE = 0.12  # of bursts, with one more trouble that stays: what hurts most is not what passes

REFUSALS: tuple[dict[str, Any], ...] = (
    {"status": 401, "code": "invalid_api_key"},
    {"status": 404, "code": "model_not_found"},
    {"status": 404, "code": "model_not_found", "endpoint": "POST /v1/chat/completions"},
    {"status": 400, "code": "billing_hard_limit_reached", "endpoint": "POST *"},
    {"status": 405, "endpoint": "POST /v1/batches"},
)
"""Refusals that last for hours: of a key, a model, an account or a setting."""

GAPS = (5.0, 65.0, 200.0, 310.0, 620.0, 1_000.0, 3_700.0, 14_500.0)
"""Seconds between bursts: at once, past an idle transaction, an instant lease, a first poll, a function's time, a
batch's lease, an hour, a batch's time. Besides: up to the next midnight, and a day and more."""

SPREADS = (0.05, 0.5, 3.0, 40.0)  # seconds over which a burst is spread
DEVICES = ("device-one", "device-two")
CRONS = ("submit", "poll", "recover", "refresh", "guard")
USER_ACTIONS = (
    *("classify",) * 12,
    *("again",) * 5,
    *("upgrade",) * 3,
    *("cancel",) * 3,
    *("classify_many",) * 2,
    *("convert",) * 3,
    *("manual",) * 2,
    *("bonus", "look", "register", "remove_photo"),
)


class _Draw:
    """Draws the actions, and knows what has been asked for so far, so that it can be asked for again."""

    def __init__(self, dice: Random, users: int) -> None:
        self._dice, self._users = dice, users
        self._number = self._keys = 0
        self._at = 0.0
        self._asked: list[dict[str, Any]] = []
        self._found: list[Action] = []

    def actions(self) -> list[Action]:
        """Return the actions in the order of their times."""
        dice = self._dice
        self._add("register", user=self._user(), device="device-one")
        for _ in range(dice.randrange(3, 13)):
            self._burst()
            gap = dice.choice((*GAPS, -1.0, 90_000.0))
            self._at += self._to_midnight() if gap < 0 else gap * dice.uniform(1.0, 1.1)
        return sorted(self._found, key=lambda action: (action.at, action.number))

    def _burst(self) -> None:
        dice, first, spread = self._dice, self._at, self._dice.choice(SPREADS)
        for _ in range(dice.randrange(0, 7)):
            self._at = first + dice.uniform(0.0, spread)
            self._user_action(dice.choice(USER_ACTIONS))
        busy = dice.random()
        for cron in [cron for cron in CRONS for _ in range(2)]:  # a tick, and now and then the same tick twice
            if dice.random() < busy * (0.7 if cron != "guard" else 0.4):
                self._at = first + dice.uniform(0.0, spread)
                workers = ("all", "x-worker-1-of-2", "x-worker-2-of-2")
                self._add(cron, **({"worker": dice.choice(workers)} if cron == "refresh" else {}))
        self._at = first
        self._misfortune()
        self._at = first

    def _misfortune(self) -> None:
        dice = self._dice
        if dice.random() < 0.25:
            self._add("openai", trouble=dice.choice(PROVIDER_TROUBLE))
        if dice.random() < 0.15:
            self._add("configure", changes=dice.choice(CONFIG_CHANGES))
        if dice.random() < 0.05:
            service = dice.choice(("firestore", "openai", "storage", "messaging"))
            self._add("outage", service=service, seconds=dice.choice((5.0, 60.0, 3_000.0)))
        if dice.random() < 0.1:
            self._at += dice.uniform(0.0, 3.0)
            self._add("restart", process=dice.randrange(3))
        if dice.random() < LASTING_SHARE:
            self._lasting()

    def _lasting(self) -> None:
        """Draw a fault that does not pass by itself, or not for hours."""
        dice = self._dice
        match dice.choice(("unreadable", "refusing", "newer", "damage")):
            case "unreadable" if self._asked:
                known = dice.choice(self._asked[-8:])
                if "mode" in known or "keys" in known:
                    self._add("unreadable", user=known["user"], key=known.get("key") or dice.choice(known["keys"]))
            case "refusing":
                self._add("refusing", refusal=dice.choice(REFUSALS), seconds=dice.choice((3_600.0, 20_000.0)))
            case "newer":
                self._add("newer", what=dice.choice(("job", "wallet", "batch")))
            case "damage":
                what = dice.choice(("wallet", "shard", "batch"))
                self._add("damage", what=what, seconds=dice.choice((1_000.0, 10_000.0, 100_000.0)))
            case _:
                pass

    def _user_action(self, kind: str) -> None:
        dice, user = self._dice, self._user()
        match kind:
            case "classify":
                mode = dice.choice(("batch", "batch", "batch", "instant", "instant"))
                details: dict[str, Any] = {"user": user, "key": self._key(), "mode": mode}
                if dice.random() < 0.15:
                    details["maxTokens"] = dice.choice((1, 4, 5))
                if dice.random() < 0.15:
                    details["allowBatch"] = False
                self._ask(kind, details)
            case "classify_many":
                keys = [self._key() for _ in range(dice.randrange(2, 6))]
                self._ask(kind, {"user": user, "keys": keys})
            case "again" if self._asked:
                self._add(**dice.choice(self._asked[-8:]))
            case "upgrade" | "cancel" | "remove_photo" if self._asked:
                known = dice.choice(self._asked[-8:])
                key = known.get("key") or dice.choice(known["keys"])
                self._add(kind, user=known["user"], key=key)
            case "convert":
                self._ask(kind, {"user": user, "key": self._key(), "points": dice.choice((100, 200, 300))})
            case "bonus" | "register":
                self._add(kind, user=user, device=dice.choice(DEVICES))
            case "manual":
                self._ask(kind, {"user": user, "key": self._key(), "device": dice.choice(DEVICES)})
            case _:
                self._add("look", user=user)

    def _ask(self, kind: str, details: dict[str, Any]) -> None:
        self._add(kind, **details)
        self._asked.append({"kind": kind, **details})
        if self._dice.random() < 0.15:  # an app that has lost its patience
            self._at += self._dice.choice((0.01, 0.5, 10.0))
            self._add(kind, **details)

    def _add(self, kind: str, **details: Any) -> None:
        self._found.append(Action(self._number, self._at, kind, details))
        self._number += 1

    def _user(self) -> str:
        return f"user-{self._dice.randrange(self._users)}"

    def _key(self) -> str:
        self._keys += 1
        return f"request-{self._keys}"

    def _to_midnight(self) -> float:
        return 86_400 - self._at % 86_400 + self._dice.uniform(-3.0, 60.0)
