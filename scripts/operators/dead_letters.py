"""`retry` and `letters`: work that was given up, or waits for its time."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from functions.adapters.firestore.batches import StoredBatch
from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Status
from functions.core.shared.dead_letters import DeadLetter
from functions.core.shared.records import Open
from scripts.operators.printing import change, listing, screen, table
from scripts.operators.session import Operation, OperatorDeps, RefusedError, changing, command, document_id, looking

app = typer.Typer(
    help="Dead letters: users, jobs, batches and documents that were given up or set aside.", no_args_is_help=True
)

REFRESH = "refresh"  # the kind of a dead letter about a user's wallet. Only this kind can be retried by hand.
_BY_ITSELF = "is retried automatically, or has ended: correct the document, then drop the dead letter"
_OVERTAKEN = "Nothing was changed: somebody was faster. Look again."

PAGE = 100
LetterId = Annotated[str, typer.Argument(help="A dead letter, as `letters list` shows it.")]


@app.command("list")
@command(looking)
def list_letters(
    operation: Operation,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many.")] = 20,
    after: Annotated[str | None, typer.Option(help="Begin after this one.", show_default=False)] = None,
) -> None:
    """Print dead letters. A read each."""
    found = operation.store.list_letters(limit, after and document_id(after))

    def render(console: Console) -> None:
        if not found:
            console.print("There are no dead letters.")
            return
        rows = [(each.letter_id, f"{each.at:%Y-%m-%d %H:%M}", each.reason) for each in found]
        console.print(table("dead letter", "since (UTC)", "~reason", rows=rows))

    more = found[-1].letter_id if len(found) == limit else None
    operation.show({"letters": [_shown(each) for each in found], "after": more}, render)


@app.command("show")
@command(looking)
def show_letter(operation: Operation, letter_id: LetterId) -> None:
    """Print one dead letter, and what is wrong with the wallet now. Two reads."""
    letter = _letter(letter_id, operation.deps)
    problem, shown = _problem(letter, operation.deps), _shown(letter)

    def render(console: Console) -> None:
        console.print(listing([*shown.items(), ("wrong now", problem or "nothing: retry it")]))

    operation.show({**shown, "problem": problem or None}, render)


@app.command("retry")
@command(changing)
def retry_letters(
    operation: Operation,
    letter_id: Annotated[str | None, typer.Argument(help="One dead letter.", show_default=False)] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
) -> None:
    """Put a user, or with --all all users, back on the refresh's schedule. Wallets that are still damaged stay."""
    if (letter_id is None) is not everyone:
        raise RefusedError("name one dead letter, or --all")
    if letter_id is not None:
        _retry_one(operation, _letter(letter_id, operation.deps))
    else:
        _retry_all(operation)


@app.command("drop")
@command(changing)
def drop_letter(operation: Operation, letter_id: LetterId) -> None:
    """Remove a dead letter. The user's next visit credits what is due, if the wallet is sound by then."""
    letter = _letter(letter_id, operation.deps)
    changed = [change("letter", letter.letter_id, "(removed)")]
    operation.ask(changed, f"Dead letter of {letter.uid}")
    done = operation.store.drop_letter(letter, operation.audit("drop_letter", letter.letter_id, changed))
    operation.show({"changed": done}, "The dead letter is gone." if done else _OVERTAKEN)


@command(changing)
def retry(
    operation: Operation, what: Annotated[str, typer.Argument(help="A dead letter, a batch, or a job.", metavar="ID")]
) -> None:
    """Put a dead letter's user back on the schedule, or poll a batch at the next run. A job is not retried: a failed
    job was refunded, and the app asks again.
    """
    store = operation.store
    if store.get_letter(document_id(what)) is not None:
        _retry_one(operation, _letter(what, operation.deps))
    elif (batch := store.get_batch(what)) is not None:
        _expedite(operation, batch)
    else:
        stored = store.get_job(what)
        if stored is None:
            raise RefusedError(f"there is no dead letter, batch or job {what}")
        raise RefusedError(_no_retry(stored.job.status, stored.job.batch_id))


def _no_retry(status: Open[Status], batch_id: str | None) -> str:
    match status:
        case Status.QUEUED:
            return "the job is queued: a submitter sends it in its turn"
        case Status.PROCESSING if batch_id:
            return f"the job is in the batch {batch_id}: retry that"
        case Status.PROCESSING:
            return "the job is being answered; recover_jobs ends it if its call died"
        case Status.DONE:
            return "the job is done"
        case Status.FAILED | Status.CANCELLED:
            return f"the job is {status} and was refunded: the app classifies the photo again with a new requestId"
    return f"the job is {status!r}, which only a newer release knows"


def _expedite(operation: Operation, stored: StoredBatch) -> None:
    batch = stored.batch
    if batch.state in {BatchState.DONE, BatchState.FAILED}:
        raise RefusedError(f"the batch is {batch.state}: nothing is left to do for it")
    if batch.due_at <= operation.now:
        raise RefusedError(f"the batch is due since {batch.due_at:%Y-%m-%d %H:%M} UTC: the next run takes it")
    if batch.state in {BatchState.BUILDING, BatchState.COLLECTING}:
        until = f"{batch.due_at:%H:%M} UTC"
        raise RefusedError(f"a run has this batch ({batch.state}); if that run died, the next takes it at {until}")
    changed = [change("dueAt", batch.due_at, operation.now)]
    operation.ask(changed, f"Batch {batch.batch_id}, {batch.state}, {batch.job_count} jobs")
    done = operation.store.expedite_batch(stored, operation.audit("hasten_batch", batch.batch_id, changed))
    operation.show({"changed": done}, "The next run polls it, within five minutes." if done else _OVERTAKEN)


def _retry_one(operation: Operation, letter: DeadLetter) -> None:
    if letter.kind != REFRESH:
        raise RefusedError(f"{letter.path} {_BY_ITSELF}")
    problem = _problem(letter, operation.deps)
    if problem:
        raise RefusedError(f"the wallet {letter.path} is still damaged: {problem}. Repair it, or drop the dead letter.")
    changed = [change("nextRefreshAt", None, operation.now), change("letter", letter.letter_id, "(removed)")]
    operation.ask(changed, f"Back on the schedule: {letter.uid}")
    done = operation.store.requeue_letter(letter, operation.audit("retry_letter", letter.letter_id, changed))
    operation.show({"changed": done}, "The next refresh takes it, within five minutes." if done else _OVERTAKEN)


def _retry_all(operation: Operation) -> None:
    deps, count = operation.deps, operation.store.count_dead_letters(10_000)
    operation.ask([change("dead letters", count, "(retried where sound)")], "Back on the schedule")
    retried, left, after = 0, [], None
    with Progress(console=screen(as_json=True), transient=True) as progress:
        task = progress.add_task("Retrying", total=count)
        while page := deps.store.list_letters(PAGE, after):
            for letter in page:
                problem = _problem(letter, deps)
                if not problem and deps.store.requeue_letter(letter, operation.audit("retry_letter", letter.letter_id)):
                    retried += 1
                else:
                    left.append({"letterId": letter.letter_id, "problem": problem or "removed meanwhile"})
                progress.advance(task)
            after = page[-1].letter_id

    def render(console: Console) -> None:
        console.print(f"{retried} are back on the schedule, {len(left)} are left.")
        if left:
            console.print(table("dead letter", "~why", rows=[tuple(each.values()) for each in left]))

    operation.show({"retried": retried, "left": left}, render)


def _problem(letter: DeadLetter, deps: OperatorDeps) -> str:
    """Return why the refresh could not credit this wallet, or that it is no wallet's; empty if sound."""
    if letter.kind != REFRESH:
        return _BY_ITSELF
    wallet, problem = deps.store.wallet_at(letter.path)
    if wallet is not None and deps.runtime().refresh.allowances.of(wallet.plan) is None:
        return f"the config knows no plan {wallet.plan!r}"
    return problem


def _letter(letter_id: str, deps: OperatorDeps) -> DeadLetter:
    letter = deps.store.get_letter(document_id(letter_id))
    if letter is None:
        raise RefusedError(f"there is no dead letter {letter_id}; `letters list` shows the dead letters")
    return letter


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return letter.model_dump(by_alias=True, mode="json", exclude={"expire_at"})
