"""`retry` and `letters`: work that was given up, or waits for its time."""

import uuid
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Status
from functions.core.shared.dead_letters import DeadLetter
from functions.core.shared.records import Open
from scripts.operators.grants import document_id
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.session import (
    AsJson,
    By,
    OperatorDeps,
    Project,
    RefusedError,
    Yes,
    ask,
    change,
    connected,
    listing,
    login,
    screen,
    show,
    table,
)

app = typer.Typer(
    help="Dead letters: users, jobs, batches and documents that were given up or set aside.", no_args_is_help=True
)

REFRESH = "refresh"
"""The kind of letter that is about a user's wallet, and the only one that can be retried by hand."""

_BY_ITSELF = "is tried again by itself, or has ended: when it is mended, drop the letter"

PAGE = 100
LetterId = Annotated[str, typer.Argument(help="A dead letter, as `letters list` shows it.")]
_REASON = "by hand"


@app.command("list")
def list_letters(
    project: Project,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many.")] = 20,
    after: Annotated[str | None, typer.Option(help="Begin after this one.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Print dead letters. A read each."""
    with connected(project) as deps:
        found = deps.store.list_letters(limit, after and document_id(after))

        def render(console: Console) -> None:
            if not found:
                console.print("There are no dead letters.")
                return
            rows = [(each.letter_id, f"{each.at:%Y-%m-%d %H:%M}", each.reason) for each in found]
            console.print(table("letter", "since (UTC)", "~reason", rows=rows))

        more = found[-1].letter_id if len(found) == limit else None
        show({"letters": [_shown(each) for each in found], "after": more}, render, as_json=as_json)


@app.command("show")
def show_letter(letter_id: LetterId, project: Project, as_json: AsJson = False) -> None:
    """Print one dead letter, and what is wrong with the wallet now. Two reads."""
    with connected(project) as deps:
        letter = _letter(letter_id, deps)
        problem = _problem(letter, deps)

        def render(console: Console) -> None:
            rows = [*_shown(letter).items(), ("wrong now", problem or "nothing: retry it")]
            console.print(listing(rows))

        show({**_shown(letter), "problem": problem or None}, render, as_json=as_json)


@app.command("retry")
def retry_letters(
    project: Project,
    letter_id: Annotated[str | None, typer.Argument(help="One dead letter.", show_default=False)] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a user, or with --all everybody, back on the refresh's schedule. Who is still damaged is left out."""
    with connected(project) as deps:
        if (letter_id is None) is not everyone:
            raise RefusedError("name one letter, or --all")
        if letter_id is not None:
            _retry_one(_letter(letter_id, deps), deps, by, yes=yes, as_json=as_json)
        else:
            _retry_all(deps, by, yes=yes, as_json=as_json)


@app.command("drop")
def drop_letter(letter_id: LetterId, project: Project, by: By = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a dead letter. The user's next visit credits what is open, if the wallet is sound by then."""
    with connected(project) as deps:
        letter = _letter(letter_id, deps)
        changed = (change("letter", letter.letter_id, "(removed)"),)
        ask(changed, f"Dead letter of {letter.uid}", yes=yes, as_json=as_json)
        done = deps.store.drop_letter(letter, _audit("drop_letter", letter.letter_id, by, deps.clock(), changed))
        _tell(done, "The letter is gone.", as_json=as_json)


def retry(
    what: Annotated[str, typer.Argument(help="A dead letter, a batch, or a job.", metavar="ID")],
    project: Project,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have something tried again: a dead letter's user is put back on the schedule, a batch is looked at by the next
    poller. Of a job it says why it is not: what failed was refunded, and the app asks anew.
    """
    with connected(project) as deps:
        if deps.store.get_letter(document_id(what)) is not None:
            _retry_one(_letter(what, deps), deps, by, yes=yes, as_json=as_json)
            return
        if deps.store.get_batch(what) is not None:
            _expedite(what, deps, by, yes=yes, as_json=as_json)
            return
        stored = deps.store.get_job(what)
        if stored is None:
            raise RefusedError(f"there is no dead letter, batch or job {what}")
        raise RefusedError(_no_retry(stored.job.status, stored.job.batch_id))


def _no_retry(status: Open[Status], batch_id: str | None) -> str:
    match status:
        case Status.QUEUED:
            return "the job is queued: the next submitter takes it when its turn has come"
        case Status.PROCESSING if batch_id:
            return f"the job is in the batch {batch_id}: retry that"
        case Status.PROCESSING:
            return "the job is being answered; recover_jobs ends it if nobody does"
        case Status.DONE:
            return "the job is done"
        case Status.FAILED | Status.CANCELLED:
            return (
                f"the job is {status} and its tokens went back: the app classifies the photo again with a new requestId"
            )
    return f"the job is {status!r}, which only a newer release knows"


def _expedite(batch_id: str, deps: OperatorDeps, by: str, *, yes: bool, as_json: bool) -> None:
    stored, now = deps.store.get_batch(batch_id), deps.clock()
    if stored is None:
        raise RefusedError(f"there is no batch {batch_id}")
    batch = stored.batch
    if batch.state in {BatchState.DONE, BatchState.FAILED}:
        raise RefusedError(f"the batch is {batch.state}: nothing is left to do for it")
    if batch.due_at <= now:
        raise RefusedError(f"the batch is due since {batch.due_at:%Y-%m-%d %H:%M} UTC: the next run takes it")
    if batch.state in {BatchState.BUILDING, BatchState.COLLECTING}:
        until = f"{batch.due_at:%H:%M} UTC"
        raise RefusedError(f"a run is at this batch ({batch.state}); if that died, the next takes it up at {until}")
    changed = (change("dueAt", batch.due_at, now),)
    ask(changed, f"Batch {batch_id}, {batch.state}, {batch.job_count} jobs", yes=yes, as_json=as_json)
    done = deps.store.expedite_batch(stored, _audit("hasten_batch", batch_id, by, now, changed))
    _tell(done, "The next run looks at it, within five minutes.", as_json=as_json)


def _retry_one(letter: DeadLetter, deps: OperatorDeps, by: str, *, yes: bool, as_json: bool) -> None:
    if letter.kind != REFRESH:
        raise RefusedError(f"{letter.path} {_BY_ITSELF}")
    problem = _problem(letter, deps)
    if problem:
        raise RefusedError(f"the wallet {letter.path} is still damaged: {problem}. Repair it, or drop it.")
    changed = (change("nextRefreshAt", None, deps.clock()), change("letter", letter.letter_id, "(removed)"))
    ask(changed, f"Back on the schedule: {letter.uid}", yes=yes, as_json=as_json)
    audit = _audit("retry_letter", letter.letter_id, by, deps.clock(), changed)
    done = deps.store.requeue_letter(letter, audit)
    _tell(done, "The next refresh takes it, within five minutes.", as_json=as_json)


def _retry_all(deps: OperatorDeps, by: str, *, yes: bool, as_json: bool) -> None:
    count = deps.store.count_dead_letters(10_000)
    ask((change("dead letters", count, "(retried where sound)"),), "Back on the schedule", yes=yes, as_json=as_json)
    retried, left, after = 0, [], None
    with Progress(console=screen(as_json=True), transient=True) as progress:
        task = progress.add_task("Retrying", total=count)
        while page := deps.store.list_letters(PAGE, after):
            for letter in page:
                problem = _problem(letter, deps)
                audit = _audit("retry_letter", letter.letter_id, by, deps.clock(), ())
                if not problem and deps.store.requeue_letter(letter, audit):
                    retried += 1
                else:
                    left.append({"letterId": letter.letter_id, "problem": problem or "gone meanwhile"})
                progress.advance(task)
            after = page[-1].letter_id

    def render(console: Console) -> None:
        console.print(f"{retried} are back on the schedule, {len(left)} are left.")
        if left:
            console.print(table("letter", "~why", rows=[tuple(each.values()) for each in left]))

    show({"retried": retried, "left": left}, render, as_json=as_json)


def _problem(letter: DeadLetter, deps: OperatorDeps) -> str:
    """Say what would keep the refresh from crediting this wallet; nothing, if it is sound. Other letters are no
    wallet's: what they are about is tried again by itself."""
    if letter.kind != REFRESH:
        return _BY_ITSELF
    wallet, problem = deps.store.wallet_at(letter.path)
    if wallet is not None and deps.runtime().refresh.allowances.of(wallet.plan) is None:
        return f"the config knows no plan {wallet.plan!r}"
    return problem


def _letter(letter_id: str, deps: OperatorDeps) -> DeadLetter:
    letter = deps.store.get_letter(document_id(letter_id))
    if letter is None:
        raise RefusedError(f"there is no dead letter {letter_id}; `letters list` shows those there are")
    return letter


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return letter.model_dump(by_alias=True, mode="json", exclude={"expire_at"})


def _audit(action: str, target: str, by: str, now: datetime, changed: tuple[dict[str, Any], ...]) -> AuditEntry:
    return AuditEntry(
        audit_id=uuid.uuid4().hex,
        action=action,
        target=target,
        by=by or login(),
        why=_REASON,
        at=now,
        changed=changed,
    )


def _tell(done: bool, text: str, *, as_json: bool) -> None:
    def render(console: Console) -> None:
        console.print(text if done else "Nothing was changed: somebody was faster. Look again.")

    show({"changed": done}, render, as_json=as_json)
