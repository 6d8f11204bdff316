"""`user`: one user's wallet, ledger and jobs."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.jobs.jobs import Job, job_view
from functions.core.refresh.refresh import in_arrears
from functions.core.wallet.earning import streak
from functions.core.wallet.ledger import LedgerEntry, Wallet, today_of
from scripts.operators.grants import known_wallet
from scripts.operators.printing import age, dollars, listing, show_damaged, table
from scripts.operators.session import Operation, OperatorDeps, RefusedError, Uid, command, document_id, looking
from scripts.operators.stories import outcome


@command(looking)
def user(
    operation: Operation,
    uid: Uid,
    entries: Annotated[
        int, typer.Option(min=0, max=100, help="Entries of the ledger, newest first. A read each.")
    ] = 10,
    before: Annotated[int | None, typer.Option(help="Entries with numbers below this one.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option(min=0, max=100, help="Jobs, newest first. A read each.")] = 10,
    after: Annotated[str | None, typer.Option(help="Jobs older than this one.", show_default=False)] = None,
) -> None:
    """One user: wallet, ledger and jobs. --before and --after give the next page."""
    deps, now = operation.deps, operation.now
    wallet = known_wallet(uid, deps)
    ledger = deps.store.list_entries(uid, before, entries) if entries else []
    stored = deps.store.list_jobs(uid, _after(after, uid, deps), jobs) if jobs else []
    found = [each.job for each in stored]
    data = {
        "uid": uid,
        "wallet": wallet.model_dump(by_alias=True, mode="json", exclude={"recent", "push_tokens"}),
        "devices": len(wallet.push_tokens),
        "inArrears": in_arrears(wallet, deps.runtime(), now),
        "entries": [entry.as_json() for entry in ledger],
        "before": ledger[-1].seq if ledger and ledger[-1].seq > 1 else None,
        "jobs": [_shown(job) for job in found],
        "after": found[-1].job_id if len(found) == jobs and found else None,
    }

    def render(console: Console) -> None:
        _render(console, data, wallet, ledger, found, now)
        show_damaged(console, stored)

    operation.show(data, render)


def _shown(job: Job) -> dict[str, Any]:
    return {**job_view(job), "costMicros": job.cost_micros, "batchId": job.batch_id, "outcome": outcome(job)}


def _after(job_id: str | None, uid: str, deps: OperatorDeps) -> tuple[datetime, str] | None:
    if job_id is None:
        return None
    stored = deps.store.get_job(document_id(job_id))
    if stored is None or stored.job.uid != uid:
        raise RefusedError(f"{uid} has no job {job_id}")
    return stored.job.created_at, job_id


def _render(
    console: Console, data: dict[str, Any], wallet: Wallet, ledger: list[LedgerEntry], jobs: list[Job], now: datetime
) -> None:
    today = today_of(wallet, now)
    rows = [
        ("plan", wallet.plan),
        ("balance", f"{wallet.balance} = {wallet.total_earned} earned - {wallet.total_spent} spent"),
        ("points", f"{wallet.points}, {max(wallet.points - wallet.converted_points, 0)} of them to convert"),
        ("today", f"{today.instant} instant, {today.batch} batch, {today.manual} manual"),
        ("held for today", f"{dollars(today.held_micros)}, the most that today's photos can cost"),
        ("streak", f"{streak(wallet, now)} days"),
        ("next allowance", _allowance(wallet, now, in_arrears=data["inArrears"])),
        ("last contact", age(wallet.contact_at, now)),
        ("since", f"{wallet.created_at:%Y-%m-%d}, {wallet.scans} photos, {data['devices']} devices"),
    ]
    console.print(data["uid"], style="bold", markup=False)
    console.print(listing(rows))
    if ledger:
        lines = [
            (each.seq, f"{each.ts:%Y-%m-%d %H:%M}", each.reason, f"{each.delta:+}", each.balance_after, _about(each))
            for each in ledger
        ]
        console.print(table(">no", "when (UTC)", "reason", ">tokens", ">balance", "~about", rows=lines))
        if data["before"]:
            console.print(f"Older entries: --before {data['before']}")
    if jobs:
        photos = [(each.job_id, f"{each.created_at:%m-%d %H:%M}", *_job_cells(each)) for each in jobs]
        console.print(table("job", "asked (UTC)", "lane", "status", ">tokens", ">cost", "~outcome", rows=photos))
        if data["after"]:
            console.print(f"Older jobs: --after {data['after']}")


def _job_cells(job: Job) -> tuple[object, ...]:
    return job.mode, job.status, job.tokens_cost, dollars(job.cost_micros), outcome(job)


def _allowance(wallet: Wallet, now: datetime, *, in_arrears: bool) -> str:
    if wallet.next_refresh_at is None:
        return "with the next visit: dormant, or given up (see `letters list`)"
    return f"{age(wallet.next_refresh_at, now)}{', due' if in_arrears else ''}"


def _about(entry: LedgerEntry) -> str:
    detail = (entry.detail or {}).get("why")
    return detail or entry.ref or ""
