"""The results of a simulation: figures, coverage, and the history of a failure."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from scripts.simulation.history import History
from scripts.simulation.run import Result

PROMISED = ("lost_jobs", "double_charges", "double_submissions", "unbalanced_wallets")
TRACE_LINES = 60


def figures(results: list[Result]) -> dict[str, int]:
    """Return the promised figures, and after them how many histories broke any promise and which others."""
    broken = Counter(violation.kind for result in results for violation in result.violations)
    return {
        "histories": len(results),
        "steps": sum(result.steps for result in results),
        "faults": sum(len(result.struck) for result in results),
        **{kind: broken[kind] for kind in PROMISED},
        "failed_histories": sum(bool(result.violations) for result in results),
        **{kind: count for kind, count in sorted(broken.items()) if kind not in PROMISED},
    }


def coverage_tables(covered: Counter[str]) -> list[Table]:
    """Return the coverage: each fault at each call, and how jobs, batches and calls ended."""
    kinds = sorted({name.split()[1] for name in covered if name.startswith("fault ")})
    columns = [Column(kind.replace("_", " "), justify="right") for kind in kinds]
    faults = Table("call", *columns, title="Faults struck, by outside call")
    for call in sorted({name.partition(" at ")[2] for name in covered if name.startswith("fault ")}):
        faults.add_row(call, *(str(covered[f"fault {kind} at {call}"] or "") for kind in kinds))
    title = "How jobs and batches ended, and what the functions reported"
    ends = Table("what", Column("times", justify="right"), title=title)
    for name, times in sorted(covered.items()):
        if name.startswith(("job ", "batch ", "event ", "alerts ", "deadLetters ")):
            ends.add_row(name, f"{times:,}")
    return [faults, ends]


def show_failure(history: History, result: Result, console: Console) -> None:
    """Print the shortest history that fails, the faults in it, the promises that it breaks, and its last calls."""
    console.print(
        f"\n[bold red]Seed {history.seed}[/] breaks {len(result.violations)} promises. The shortest history found:"
    )
    console.print(
        f"  {history.users} users, batches of up to {history.batch_minutes:g} minutes, {history.config}", soft_wrap=True
    )
    console.print(f"  {history.focus}, {history.weaknesses}", soft_wrap=True)
    for action in history.actions:
        console.print(f"  {action}", highlight=False, soft_wrap=True)
    for fault in result.struck:
        console.print(f"  [yellow]fault[/] at {fault}", highlight=False, soft_wrap=True)
    for violation in result.violations:
        console.print(f"  [red]{violation.kind}[/]: {violation.text}", highlight=False, soft_wrap=True)
    console.print(f"The last {TRACE_LINES} outside calls before the drain:")
    lively = [line for line in result.trace if " drain" not in line and " back-" not in line]
    for line in lively[-TRACE_LINES:]:
        console.print(f"    {line}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Replay it with: make simulate HISTORIES=1 SEED={history.seed}")


def figures_table(found: dict[str, Any], seconds: float) -> Table:
    table = Table("figure", Column("value", justify="right"), title="simulate")
    for name, value in found.items():
        table.add_row(name, f"{value:,}")
    table.add_row("seconds", f"{seconds:,.0f}")
    return table
