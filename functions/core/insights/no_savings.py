"""What saves nothing, or what nobody can know: said as well, so that nobody looks for it again."""

from collections.abc import Sequence

from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.saving_kinds import Costs, Kind, Saving, saving
from functions.core.shared.lanes import Lane
from functions.core.shared.time_limits import CRON_MINUTES
from functions.core.wallet.token_prices import prices_now

CACHE_MIN_TOKENS = 1_024
"""Of a prompt's beginning, before OpenAI reads it from its cache.
https://developers.openai.com/api/docs/guides/prompt-caching"""
WRITES_A_BATCH, WRITE_MICROS, JOBS_BEST = 5, 0.9, 1_000
DAYS, DAY_MINUTES, RUN_MINUTES, WAIT_MINUTES = 30, 1_440, CRON_MINUTES["submit_batches"], 30


def batch_size(costs: Costs, config: RuntimeConfig) -> Saving:
    """Larger batches save writes, and next to nothing."""
    now = config.batch.jobs_per_batch
    micros = max(WRITES_A_BATCH * (1 / now - 1 / JOBS_BEST) * WRITE_MICROS, 0.0)
    share = micros * costs.photos[Lane.BATCH] / costs.whole
    arithmetic = (
        f"{WRITES_A_BATCH} writes a batch: {micros:.3f} µ$ a photo from {now} to {JOBS_BEST} a batch, "
        f"{share:.2%} of the cost, on another bill. A batch is sent after five minutes, full or not"
    )
    return saving(Kind.BATCH_SIZE, "nothing", 0.0, (0.0, 0.0), arithmetic, "")


def waiting(costs: Costs) -> Saving:
    """A batch that waits until it is full, or half an hour old, saves writes, and users wait for them."""
    a_day = costs.photos[Lane.BATCH] / DAYS
    batches = [min(a_day, DAY_MINUTES / minutes) for minutes in (RUN_MINUTES, WAIT_MINUTES)]
    micros = WRITES_A_BATCH * (batches[0] - batches[1]) * WRITE_MICROS * DAYS
    share = micros / costs.whole
    arithmetic = (
        f"A batch every {WAIT_MINUTES} minutes instead of {RUN_MINUTES}: at most {batches[1]:.0f} instead of "
        f"{batches[0]:.0f} a day x {WRITES_A_BATCH} writes = {micros:,.0f} µ$ in {DAYS} days, {share:.2%} of the cost, "
        f"on another bill, for up to {WAIT_MINUTES - RUN_MINUTES} minutes of each user's time"
    )
    return saving(Kind.WAITING, "nothing", 0.0, (0.0, 0.0), arithmetic, "Photos would wait longer.")


def allowance(costs: Costs, days: Sequence[NotedDay], config: RuntimeConfig) -> Saving:
    """What a token less for everybody would come to: a what-if."""
    users = sum(each.users or 0 for each in days) / max(len(days), 1)
    price = prices_now(config.tokens, 0).batch
    micros = users * 30 * costs.photo_micros[Lane.BATCH] / price
    arithmetic = (
        f"One token less a day for each of {users:,.0f} users of a day: at most {users:,.0f} x 30 / {price} "
        f"x {costs.photo_micros[Lane.BATCH]:.0f} µ$ = ${micros / 1_000_000:.2f} in 30 days, if each would be spent"
    )
    return saving(Kind.ALLOWANCE, "nothing", 0.0, (0.0, 0.0), arithmetic, "A decision about users, not about waste.")


def prompt_cache(days: Sequence[NotedDay]) -> Saving:
    """The provider caches no prompt as short as ours."""
    tokens = {name: sum(each.tokens.get(name, 0) for each in days) for name in ("input", "cached")}
    arithmetic = (
        f"{tokens['cached']:,} of {tokens['input']:,} input tokens came from the provider's cache. What is the same in "
        f"all requests is shorter than the {CACHE_MIN_TOKENS:,} tokens from which on it caches"
    )
    return saving(Kind.PROMPT_CACHE, "nothing", 0.0, (0.0, 0.0), arithmetic, "")


def off_peak() -> Saving:
    """No hour is cheaper than another."""
    return saving(Kind.OFF_PEAK, "nothing", 0.0, (0.0, 0.0), "A batch costs the same at all hours", "")
