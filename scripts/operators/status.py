"""`status`, `queue`, `batches`, `budget`: the state of the service, at a few reads each."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from functions.core.batches.batches import Batch
from functions.core.jobs.jobs import QUEUE_SHARDS
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.plain_text import cleaned
from functions.core.shared.utc_days import day_of
from functions.core.wallet.token_prices import prices_now
from functions.use_cases.jobs.orders import wait_minutes
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.health import OPEN_STATES
from scripts.operators.app_check import app_check, summary
from scripts.operators.printing import age, damaged_line, dollars, listing, show_damaged, table, when
from scripts.operators.session import Operation, RefusedError, command, document_id, looking
from scripts.operators.stories import outcome

BAR = 30
SHARDS_SHOWN = 8
WRONG = 3  # the exit status of `status --check` if something is wrong; 1 means that it failed, 2 is a usage error
COLOURS = {"normal": "green", "batch_only": "yellow", "closed": "red"}
STATES = {"ok": "green", "late": "red", "failing": "red", "never": "yellow"}
FAR = timedelta(days=3_650)
QUEUED_SHOWN = {"job_id", "uid", "priority", "attempts", "tokens_cost", "created_at", "queued_at", "error"}

Limit = Annotated[int, typer.Option(min=1, max=500, help="How many. A read each.")]


@command(looking)
def status(
    operation: Operation,
    check: Annotated[
        bool, typer.Option("--check", help=f"Exit with {WRONG} if something is wrong now: for a cron of yours.")
    ] = False,
) -> None:
    """One screen: is everything as it should be? What admin_stats says; about 60 reads."""
    deps = operation.deps
    stats = admin_stats(AdminStats(), "operator", deps)
    stats["appCheck"] = app_check(operation.project, functions=deps.settings.enforce_app_check)
    operation.show(stats, lambda console: _status(console, stats, operation.now, operation.project))
    if check and stats["wrong"]:
        raise typer.Exit(WRONG)


def _status(console: Console, stats: Mapping[str, Any], now: datetime, project: str) -> None:
    budget, today = stats["budget"], stats["costs"]["today"]
    colour = COLOURS[budget["mode"]]
    reopens = f", reopens {budget['reopensAt'][:16]} UTC" if budget["reopensAt"] else ""
    text = f"[{colour}]{budget['mode']}[/]: {budget['because']}{reopens}\nToday {_day_bar(today)}\n{_month_bar(budget)}"
    console.print(Panel.fit(text, title=f"{project}, {now:%Y-%m-%d %H:%M} UTC: budget"))
    queue, batches = stats["queue"], stats["batches"]
    oldest = age(when(queue["oldestAt"]), now)
    open_batches = ", ".join(f"{count} {state}" for state, count in batches["open"].items() if count) or "none"
    overdue = f"; [red]overdue: {', '.join(batches['overdue'])}[/]" if batches["overdue"] else ""
    console.print(f"Queue    {queue['waiting']}, oldest {oldest}")
    console.print(f"Batches  {open_batches}{overdue}")
    console.print(f"Letters  [{'red' if stats['deadLetters'] else 'green'}]{stats['deadLetters']}[/]")
    console.print(_crons(stats["crons"], now))
    if stats["appCheck"]:
        console.print(summary(stats["appCheck"]), soft_wrap=True)
    alerts = [each for each in stats["alerts"] if each["day"] >= (now - timedelta(days=1)).date().isoformat()]
    for each in alerts:
        sent = "" if each["delivered"] else " [red](not delivered)[/]"
        over = f", over since {_minute(each['overAt'])}" if each["overAt"] else ""
        sign = "[red]![/]" if each["open"] else "[dim]-[/]"
        console.print(f"{sign} {_minute(each['since'])} {each['kind']}{over}: {escape(cleaned(each['text']))}{sent}")
    holding = {each["kind"] for each in alerts if each["open"]}
    for kind, text in stats["wrong"].items():
        if kind not in holding:
            console.print(f"[red]![/] now {kind}: {escape(cleaned(text))} [dim](the next guard sends the alert)[/]")
    for each in stats["damaged"]:
        console.print(f"[red]damaged[/] {escape(damaged_line(DamagedDocument(**each)))}", soft_wrap=True)
    if not alerts and not stats["wrong"] and not stats["damaged"]:
        console.print("Nothing is wrong, and there was no alert since yesterday.")


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _crons(crons: Mapping[str, Any], now: datetime) -> Any:
    made = table("cron", "every", "last success", "took", "last failure", "state", rows=[])
    for name, run in crons.items():
        took = f"{run['durationMs'] / 1e3:.1f} s" if run["finishedAt"] else ""
        finished, failed = age(when(run["finishedAt"]), now), age(when(run["failedAt"]), now)
        state = f"[{STATES[run['state']]}]{run['state']}[/]"
        made.add_row(name, f"{run['everyMinutes']} min", finished, took, failed, state)
    return made


def bar(spent: int, reserved: int, limit: int, word: str = "spent") -> str:
    """Return a bar of a limit: spent, held, left."""
    full = max(limit, spent + reserved, 1)
    spent_cells = spent * BAR // full
    held_cells = (spent + reserved) * BAR // full - spent_cells
    left = BAR - spent_cells - held_cells
    cells = f"[red]{'█' * spent_cells}[/][yellow]{'▒' * held_cells}[/][dim]{'·' * left}[/]"
    held = f" + {dollars(reserved)} held" if reserved else ""
    return f"{cells} {dollars(spent)} {word}{held} of {dollars(limit)}"


def _month_bar(budget: Mapping[str, Any]) -> str:
    """Return the month as a bar: spent or held by its days, and what today's limit can still add."""
    more = f"; today's limit can still add {dollars(budget['month'] - budget['monthUsed'])}"
    return f"Month {bar(budget['monthUsed'], 0, budget['monthLimit'], 'spent or held')}{more}"


def _day_bar(book: Mapping[str, int]) -> str:
    return bar(book["spent"], book["reserved"], book["limit"])


@command(looking)
def queue(operation: Operation, limit: Limit = 20) -> None:
    """The jobs that are sent next, and the price and wait of a photo now.

    A read for each job that is shown and for each thousand queued jobs, and three more.
    """
    deps, now = operation.deps, operation.now
    runtime, stats = deps.runtime(), deps.queue()
    waiting = deps.store.count_queued(100_000)
    found = deps.store.queued_jobs(now, limit, range(QUEUE_SHARDS))
    jobs = [stored.job for stored in found]
    prices = prices_now(runtime.tokens, stats.queued)
    data = {
        "waiting": waiting,
        "health": stats.health,
        "expectedMinutes": wait_minutes(deps),
        "batchMinutes": stats.batch_minutes,
        "prices": {"instant": prices.instant, "batch": prices.batch},
        "jobs": [job.as_json(include=QUEUED_SHOWN) for job in jobs],
    }

    def render(console: Console) -> None:
        console.print(f"Queued: {waiting} ({stats.health}). An answer takes {data['expectedMinutes']} minutes.")
        console.print(f"Price of a photo in tokens: {prices.batch} here, {prices.instant} in the instant lane.")
        rows = [
            (job.job_id, job.uid, job.priority, job.attempts, age(job.created_at, now), age(job.queued_at, now))
            for job in jobs
        ]
        show_damaged(console, found)
        if rows:
            console.print(table("job", "user", ">priority", ">attempts", "asked", "sendable since", rows=rows))

    operation.show(data, render)


@command(looking)
def batches(
    operation: Operation,
    batch_id: Annotated[str | None, typer.Argument(help="One batch, in full.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="The newest batches, ended ones too.")] = False,
    limit: Limit = 20,
) -> None:
    """The open batches, the most urgent first; or one batch."""
    deps, now = operation.deps, operation.now
    if batch_id is not None:
        _one_batch(operation, batch_id, limit)
        return
    listed = deps.store.list_batches(limit) if everything else deps.store.due_batches(OPEN_STATES, now + FAR, limit)
    found = [each if isinstance(each, Batch) else each.batch for each in listed]

    def render(console: Console) -> None:
        rows = [
            (
                batch.batch_id,
                batch.state,
                age(batch.created_at, now),
                age(batch.due_at, now) if batch.completed_at is None else "-",
                f"{batch.provider_state} {batch.answered}" if batch.provider_state else "-",
                batch.job_count,
                batch.done_count,
                batch.failed_count,
                dollars(batch.cost_micros),
            )
            for batch in found
        ]
        columns = ("batch", "state", "made", "due", "at OpenAI", ">jobs", ">done", ">failed", ">cost")
        console.print(table(*columns, rows=rows) if rows else "There are no such batches.")
        show_damaged(console, listed)

    operation.show({"batches": [batch.as_json() for batch in found]}, render)


def _one_batch(operation: Operation, batch_id: str, limit: int) -> None:
    stored = operation.store.get_batch(document_id(batch_id))
    if stored is None:
        raise RefusedError(f"there is no batch {batch_id}")
    data, jobs = stored.batch.as_json(), operation.store.jobs_of_batch(batch_id, limit)

    def render(console: Console) -> None:
        console.print(listing(data.items()))
        rows = [(each.job.job_id, each.job.uid, outcome(each.job)) for each in jobs]
        if rows:
            console.print(table("job", "user", "~outcome", rows=rows))
        show_damaged(console, jobs)

    shown = [{"jobId": each.job.job_id, "uid": each.job.uid, "outcome": outcome(each.job)} for each in jobs]
    operation.show({**data, "jobs": shown}, render)


@command(looking)
def budget(operation: Operation) -> None:
    """Today's budget, the month, and the mode; the shards with the least room. About 40 reads, and one a shard.

    An override: config set budget.overrideMode=closed budget.overrideUntil=+2h
    """
    deps = operation.deps
    today = day_of(operation.now)
    stats = admin_stats(AdminStats(), "operator", deps)
    shards = deps.store.budget_shards(today)
    rules, state = deps.runtime().budget, deps.budget()
    sums = {name: sum(getattr(shard, name) for shard in shards.values()) for name in ("limit", "reserved", "spent")}
    named = sorted(shards.items(), key=lambda each: (each[1].room, int(each[0])))
    data = {
        **stats["budget"],
        "day": today,
        **sums,
        "batchOnlyPercent": rules.batch_only_percent,
        "perUserDaily": rules.per_user_daily_micros,
        "shards": {name: shard.model_dump(by_alias=True) for name, shard in named},
        "committed": dict(sorted(state.committed.items())),
    }

    def render(console: Console) -> None:
        console.print(f"[{COLOURS[data['mode']]}]{data['mode']}[/]: {data['because']}")
        console.print(f"Today {_day_bar(sums)}\n{_month_bar(data)}")
        shown = named[:SHARDS_SHOWN]
        rows = [(name, *map(dollars, (each.limit, each.reserved, each.spent, each.room))) for name, each in shown]
        if rows:
            console.print(table(f"shard of {len(named)}", ">limit", ">held", ">spent", ">room", rows=rows))
        else:
            console.print("The day is not open yet: its first photo, or the guard, opens it.")

    operation.show(data, render)
