"""Known ways of paying twice or not at all, from issues of comparable code: the checks of `scripts.simulation.payments`
have to notice each, or they prove nothing. Some are ways to reconcile (`Bug`), the others break the rule itself."""

import ast
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

from scripts.simulation import places
from scripts.simulation.invariants import Violation
from scripts.simulation.mutations import Mutation, in_force
from scripts.simulation.payments import Bug, World
from scripts.simulation.shops import ShopHistory

HISTORIES_MAX = 3_000
"""In which each must be noticed."""

_RULE = "core.payments.payments"

PLANTED: tuple[Bug | Mutation, ...] = (
    *Bug,
    Mutation("a won dispute is ignored", f"{_RULE}:_rank", places.call("index"), "_ % 2"),
    Mutation(
        "money is taken for tokens",
        f"{_RULE}:target",
        lambda place: isinstance(place.expression, ast.BinOp) and isinstance(place.expression.op, ast.FloorDiv),
        "max(payment.tokens - (paid - left), 0)",
    ),
    Mutation("a sandbox is credited", f"{_RULE}:target", places.condition("sandbox"), "paid is None"),
    Mutation("one empty answer takes back", f"{_RULE}:Payment.absent", places.condition("named"), "not known"),
    Mutation("a period that is over is refunded", f"{_RULE}:Payment.absent", places.condition("BUY"), "False"),
    Mutation("what is read replaces what is known", f"{_RULE}:Payment.told", places.assigned("known"), "facts"),
    Mutation("what was spent is not owed", "core.wallet.accounts:Account.post", places.keyword("owed"), "0"),
    Mutation(
        "what is bought for a team is the buyer's",
        "core.wallet.team_wallet:wallet_name",
        places.condition("team_id"),
        "False",
    ),
    Mutation("a job's refund is free tokens", "core.wallet.accounts:refund", places.argument("post", 0), "price"),
)


_PACKS = "use_cases.payments.automatic_packs"

PLANTED_IN_FUNCTIONS = (
    Mutation(
        "a pack whose reply was lost is asked for anew",
        f"{_PACKS}:finish_pack",
        places.call("automatic_pack"),
        "stripe.pay_saved(intent_asked(pack, uid), deps.new_id())",
    ),
    Mutation(
        "a pack that is under way counts for no limit",
        "core.payments.automatic:intended",
        places.condition("month_max_minor"),
        "False",
    ),
    Mutation("a store does not show the web's", "core.payments.looks:Look.tells_of", places.call("startswith"), "True"),
    Mutation(
        "a page does not say that it is a team's",
        "core.payments.checkouts:session_asked",
        places.condition("team_id"),
        "False",
    ),
    Mutation(
        "a refund in part is one of all", "core.payments.stripe_objects:_reversal", places.keyword("minor"), "None"
    ),
)
"""Noticed by histories of the functions, `scripts.simulation.shops`."""

IN_FUNCTIONS_MAX = 100


@dataclass(frozen=True)
class Noticed:
    """After how many histories a bug was noticed, and by what; None if it was not."""

    name: str
    histories: int
    violation: Violation | None


def hunt(planted: Bug | Mutation, first_seed: int) -> Noticed:
    """Run histories with this bug until a check notices."""
    name, bug = (planted.value, planted) if isinstance(planted, Bug) else (planted.name, None)
    with nullcontext() if isinstance(planted, Bug) else in_force(planted):
        return _noticed(name, lambda seed: World(seed, bug).run(), first_seed, HISTORIES_MAX)


def hunt_in_functions(planted: Mutation, first_seed: int) -> Noticed:
    """Do the same with the real functions."""
    with in_force(planted):
        return _noticed(planted.name, silent, first_seed, IN_FUNCTIONS_MAX)


def _noticed(name: str, run: Callable[[int], list[Violation]], first_seed: int, most: int) -> Noticed:
    for tried in range(1, most + 1):
        if violations := run(first_seed + tried - 1):
            return Noticed(name, tried, violations[0])
    return Noticed(name, most, None)


def silent(seed: int) -> list[Violation]:
    """Run a history of the functions, without their logs. Return what was broken."""
    with StringIO() as logs, redirect_stdout(logs), redirect_stderr(logs):
        return ShopHistory(seed).run()
