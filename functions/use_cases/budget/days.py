"""A day of the budget: what a call can cost on it, looking for room in it, opening it and reviewing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from functions.core.budget.day_review import Books, Review, review
from functions.core.budget.estimates import input_tokens_max, most_micros, raised
from functions.core.budget.shards import LOOK, Drift, Shard, shard_names
from functions.core.shared.providers import Provider
from functions.use_cases.rollouts.serving import models_asked, other_models, side_asked_max

if TYPE_CHECKING:
    from functions.wiring import Deps


def line_micros(deps: Deps) -> int:
    """Return the most that one line of a batch can cost, of whichever model is asked, and the largest photo."""
    return max(_micros_max(deps, batch=True), *_others_micros(deps, batch=True), 0)


def call_micros(deps: Deps) -> int:
    """Return the most that one instant call can cost, of whichever model is asked, and of the second one after it. A
    photo that no other provider may see is OpenAI's alone."""
    openai, others = _micros_max(deps, batch=False), sum(_others_micros(deps, batch=False))
    both = others + openai if Provider.OPENAI in deps.runtime().providers.order else others
    return max(openai, both)


def _others_micros(deps: Deps, *, batch: bool) -> list[int]:
    side = side_asked_max(deps)
    return [model_micros(model, side, deps, batch=batch) for model in other_models(deps, batch=batch)]


def _micros_max(deps: Deps, *, batch: bool) -> int:
    side = side_asked_max(deps)
    return max(model_micros(model, side, deps, batch=batch) for model in models_asked(deps))


def model_micros(model: str, side: int, deps: Deps, *, batch: bool) -> int:
    """Return the most that one call to this model can cost, about a photo of at most this side. What is held is raised
    once an answer has cost more than its estimate."""
    tokens = input_tokens_max(model, side)
    return raised(most_micros(tokens, deps.price_to_hold(model, batch=batch)), deps.budget().hold_percent(model))


def looks_for_room(day: str, looks: int, deps: Deps, *, surely_open: bool = True) -> Iterator[dict[str, Shard]]:
    """Yield sound shards of a day, a few with each look, beginning anywhere; none twice. The first look opens the day,
    if nobody has."""
    known, first = deps.budget(), int(deps.new_id(), 16)
    count = known.shard_count if surely_open and known.day == day else open_day(day, deps)
    for seen in range(0, min(looks * LOOK, count), LOOK):
        names = shard_names(first + seen, count, min(LOOK, count - seen))
        found = deps.store.budget_shards(day, names)
        yield {name: found[name] for name in names if name in found}


def open_day(day: str, deps: Deps) -> int:
    """Give a day its shards, if nobody has done so yet. Returns how many it has. One read for a day that is open."""
    review_books = reviewer(deps)
    return deps.store.open_day(day, lambda document, books: review_books(document, books, None))


def reviewer(deps: Deps) -> Callable[[dict[str, Any] | None, Books, Drift | None], Review]:
    """Return what reviews a day under the config as stored at that moment. It runs in a transaction that stops every
    other hold and settlement of the day, so what it needs from outside is fetched here, before that."""
    checked, line, call = deps.current.check(), line_micros(deps), call_micros(deps)

    def review_books(document: dict[str, Any] | None, books: Books, drift: Drift | None) -> Review:
        rules = checked(document).budget
        return review(books, rules, deps.clock(), line_micros=line, call_micros=call, drift=drift)

    return review_books
