"""Known ways of paying twice or not at all, from issues of comparable code: the checks of `scripts.simulation.payments`
have to notice each, or they prove nothing. Some are ways to reconcile (`Bug`), the others break the rule itself."""

import ast
from contextlib import nullcontext
from dataclasses import dataclass

from scripts.simulation import places
from scripts.simulation.invariants import Violation
from scripts.simulation.mutations import Mutation, in_force
from scripts.simulation.payments import Bug, World

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
    Mutation("a job's refund is free tokens", "core.wallet.accounts:refund", places.argument("post", 0), "price"),
)


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
        for tried in range(1, HISTORIES_MAX + 1):
            if violations := World(first_seed + tried - 1, bug).run():
                return Noticed(name, tried, violations[0])
    return Noticed(name, HISTORIES_MAX, None)
