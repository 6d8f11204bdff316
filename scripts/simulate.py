"""`make simulate HISTORIES=n SEED=s`: run seeded histories of the whole product, and check what each of them leaves.

History i has the seed s + i, so that a failure is replayed alone by `HISTORIES=1 SEED=` and the seed that it names.
The last line is one JSON object; the exit status is 1 if a promise was broken.

`make simulate BILLING=1` does both for payments alone: histories of the rule, which take two milliseconds each, and for
every hundred of them one of the real functions in front of the stand-ins for Stripe and RevenueCat.

`make simulate MUTATIONS=1` breaks the code in known ways instead; the exit status is 1 if no check notices one of them.
"""

import json
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from scripts.simulation import payment_bugs
from scripts.simulation.history import history
from scripts.simulation.mutations import MUTATIONS, hunt
from scripts.simulation.payments import PROMISES, World
from scripts.simulation.report import coverage_tables, figures, figures_table, show_failure
from scripts.simulation.run import Result, run
from scripts.simulation.shrink import shortest

RULES_A_FUNCTION = 100  # histories of the rule of payments, for one of the functions, which takes 200 times as long
SHOWN_MAX = 3  # failures that are cut down and shown; of the others the seed


def main(
    histories: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many histories.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the first one; the next one has the next seed.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 2,
    mutations: Annotated[bool, typer.Option("--mutations", help="Break the code, and see the checks notice.")] = False,
    billing: Annotated[bool, typer.Option("--billing", help="Payments alone, and every planted bug.")] = False,
) -> None:
    """Simulate."""
    console, began = Console(), monotonic()
    if billing:
        sys.exit(_simulate_payments(range(seed, seed + histories), console))
    if mutations:
        sys.exit(_hunt_all(seed, jobs, console))
    results = _run_all(range(seed, seed + histories), jobs, console)
    for table in coverage_tables(sum((result.covered for result in results), Counter[str]())):
        console.print(table)
    failed = [result for result in results if result.violations]
    for result in failed[:SHOWN_MAX]:
        show_failure(*shortest(history(result.seed), run(history(result.seed))), console)
    for result in failed[SHOWN_MAX:]:
        console.print(
            f"[red]Seed {result.seed}[/]: {result.violations[0].kind}: {result.violations[0].text}", soft_wrap=True
        )
    found = figures(results)
    console.print(figures_table(found, monotonic() - began))
    print(json.dumps(found))
    sys.exit(1 if failed else 0)


def _run_all(seeds: range, jobs: int, console: Console) -> list[Result]:
    results = []
    with (
        ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=get_context("spawn")) as pool,
        Progress(*_columns("Simulating"), console=console) as progress,
    ):
        task = progress.add_task("", total=len(seeds), broken="")
        for result in pool.map(_simulate, seeds, chunksize=4):
            results.append(result)
            broken = sum(bool(each.violations) for each in results)
            progress.update(task, advance=1, broken=f"[red]{broken} broken" if broken else "")
    return results


def _hunt_all(seed: int, jobs: int, console: Console) -> int:
    table = Table("mutation", Column("histories", justify="right"), "noticed by", title="mutations")
    missed = histories = 0
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        Progress(*_columns("Breaking"), console=console) as progress,
    ):
        task = progress.add_task("", total=len(MUTATIONS), broken="")
        for caught in pool.map(hunt, range(len(MUTATIONS)), repeat(seed)):
            missed += caught.violation is None
            histories += caught.histories
            noticed = f"{caught.violation.kind}: {caught.violation.text[:80]}" if caught.violation else "[red]nothing"
            table.add_row(caught.name, str(caught.histories), noticed)
            progress.update(task, advance=1)
    console.print(table)
    print(json.dumps({"mutations": len(MUTATIONS), "caught": len(MUTATIONS) - missed, "histories": histories}))
    return 1 if missed else 0


def _simulate_payments(seeds: range, console: Console) -> int:
    found, functions = Counter[str](), seeds[: max(len(seeds) // RULES_A_FUNCTION, 3)]
    for what, numbers, run_one in (
        ("the rule", seeds, lambda number: World(number).run()),
        ("the functions", functions, payment_bugs.silent),
    ):
        for number in numbers:
            violations = run_one(number)
            found.update(each.kind for each in violations)
            for each in violations[:1]:
                console.print(f"[red]Seed {number}[/] of {what}: {each.kind}: {each.text}", soft_wrap=True)
    table = Table("planted bug", Column("histories", justify="right"), "noticed by", title="payments")
    noticed = [payment_bugs.hunt(planted, seeds[0]) for planted in payment_bugs.PLANTED]
    noticed += [payment_bugs.hunt_in_functions(planted, seeds[0]) for planted in payment_bugs.PLANTED_IN_FUNCTIONS]
    for bug in noticed:
        table.add_row(bug.name, str(bug.histories), bug.violation.text if bug.violation else "[red]nothing")
    console.print(table)
    caught = sum(bug.violation is not None for bug in noticed)
    figures = {kind: found[kind] for kind in PROMISES}
    ran = {"histories": len(seeds), "histories_of_functions": len(functions)}
    print(json.dumps({**ran, **figures, "bugs_planted": len(noticed), "bugs_caught": caught}))
    return 1 if found or caught < len(noticed) else 0


def _columns(what: str) -> tuple[ProgressColumn, ...]:
    broken = TextColumn("{task.fields[broken]}")
    return TextColumn(what), BarColumn(), MofNCompleteColumn(), broken, TimeRemainingColumn()


def _simulate(seed: int) -> Result:
    result = run(history(seed))
    result.trace.clear()  # long, and only a failure's is of use, which is run again
    return result


if __name__ == "__main__":
    typer.run(main)
