"""`providers compare`: what each provider's model makes of labelled photos, how fast and at what price.

hold     before anything is asked: the most that all answers can cost, a hold for each model, as any paid call's
ask      each photo of each model, one after the other, in the words and the size of the instant lane
settle   with what the answers cost, also after an error or Ctrl-C; one that was cut off at its most

Whoever kills the command leaves what it held on the day's budget: nobody knows then what was billed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from statistics import quantiles
from time import monotonic
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.batches.batches import BATCH_LIFETIME, Batch, BatchState
from functions.core.budget.anomalies import Terms
from functions.core.budget.holds import NoRoom, batch_hold, settled
from functions.core.budget.shards import BATCH_LOOKS, Shard
from functions.core.budget.tally import of_usage
from functions.core.cache.certification import interval
from functions.core.jobs.attempts import Attempt, failed_attempt, judge
from functions.core.jobs.jobs import Failure
from functions.core.model.classification import Category
from functions.core.model.dialects.dialect import dialect_of
from functions.core.model.prompts import image_data_url
from functions.core.model.refusals import ProviderDownError, ProviderError
from functions.core.shared.errors import InvalidImage
from functions.core.shared.providers import Provider, split
from functions.core.shared.utc_days import day_of
from functions.use_cases.budget.days import looks_for_room, model_micros
from scripts.operators.printing import change, dollars, table
from scripts.operators.session import Operation, OperatorDeps, RefusedError, changing, command
from scripts.operators.transports import asking, key_name, key_of

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Photos, in a folder for each category.")]


@dataclass(frozen=True)
class _Photo:
    """A photo as it is sent, and the category that it shows by its label."""

    url: str
    label: Category


@dataclass
class _Leg:
    """What one model made of the photos: its answers' categories by the photo's number, None for a useless one;
    seconds; what is booked; and the photos for which nobody answered. A call under way is booked at its most."""

    terms: Terms
    hold: Batch
    version: datetime
    answers: dict[int, Category | None] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    micros: int = 0
    down: int = 0
    usage: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, attempt: Attempt, seconds: float) -> None:
        self.micros += self.terms.cost_micros(attempt) - self.terms.most_micros
        self.usage += of_usage(self.terms.believed(attempt))
        if attempt.error is not None and attempt.error.code is Failure.PROVIDER_UNAVAILABLE:
            self.down += 1
            return
        self.answers[number] = attempt.answer.category if attempt.answer else None
        self.seconds.append(seconds)


@command(changing)
def compare(
    operation: Operation,
    folder: Folder,
    providers: Annotated[str, typer.Option(help="Whom to ask, as openai,anthropic.")] = "openai,anthropic",
    each: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many photos of each category.")] = 50,
    region: Annotated[str, typer.Option(help="Where the photos are from; the default's if not said.")] = "",
    language: Annotated[str, typer.Option(help="In which language to answer; the default's if not said.")] = "",
) -> None:
    """Ask each provider's model about labelled photos: how many it gets right, how fast, and what a photo costs.

    FOLDER has a folder for each category, as "dry-waste" or "Dry Waste". What it can cost is shown first, and held on
    today's budget; what it did cost is booked in the instant lane. The keys are those of this shell.
    """
    deps, rules = operation.deps, operation.deps.runtime()
    where = (region or rules.default_region, language or rules.default_language)
    asked, photos = _asked(providers, deps), _photos(folder, each, deps)
    models = [deps.settings.model_of(provider) for provider in asked]
    mosts = {model: model_micros(model, rules.images.side_max, deps, batch=False) for model in models}
    rows = [change(model, "", f"up to {dollars(most * len(photos))}") for model, most in mosts.items()]
    most = f"At most {dollars(sum(mosts.values()) * len(photos))} are held on today's budget and spent."
    operation.ask(rows, f"{len(photos)} photos to each of {len(models)} models", follows=[most])
    with ExitStack() as stack:
        legs = [stack.enter_context(_held(model, mosts[model], len(photos), deps)) for model in models]
        transports = [stack.enter_context(asking(provider, deps.settings)) for provider in asked]
        for number, photo in enumerate(photos):
            for leg, transport in zip(legs, transports, strict=True):
                body = dialect_of(leg.terms.model).completion_request(split(leg.terms.model)[1], photo.url, *where)
                leg.micros += leg.terms.most_micros
                began = monotonic()
                attempt = _attempt(transport, body, deps)
                leg.add(number, attempt, monotonic() - began)
    found = [_row(leg, photos, legs[0]) for leg in legs]
    spent = [change(row["model"], None, f"{row['right']} of {row['asked']}, {row['micros']} µ$") for row in found]
    deps.store.record(operation.audit("compare", f"{len(photos)} photos of {folder.name}", spent))

    def render(console: Console) -> None:
        columns = ("model", ">asked", ">right", ">share", ">95 %", ">as the first", ">useless", ">down")
        console.print(
            table(*columns, ">p50 s", ">p95 s", ">µ$ a photo", ">dollars", rows=[_cells(row) for row in found])
        )

    operation.show({"photos": len(photos), "models": found}, render)


def _asked(names: str, deps: OperatorDeps) -> list[Provider]:
    """Return whom to ask. Raises RefusedError for a provider that there is not, or that this shell has no key for."""
    try:
        asked = [Provider(each.strip()) for each in dict.fromkeys(names.split(","))]
    except ValueError as error:
        raise RefusedError(f"{error}: one of {', '.join(Provider)}") from error
    for provider in asked:
        if not (key_of(provider, deps.settings) and deps.settings.reaches(provider)):
            raise RefusedError(f"{provider} cannot be asked: this shell has no {key_name(provider)}, or no address")
    return asked


def _photos(folder: Path, each: int, deps: OperatorDeps) -> list[_Photo]:
    """Read the photos of each category, as the instant lane sends them. Raises RefusedError for a folder of another
    name, a file that is no photo, or none at all."""
    labels = {_plain(category): category for category in Category}
    found = []
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        label = labels.get(_plain(below.name))
        if label is None:
            raise RefusedError(f"{below.name} is no category: one of {', '.join(Category)}")
        files = sorted(path for path in below.iterdir() if path.suffix.lower() in SUFFIXES)
        for path in islice(files, each):
            try:
                jpeg = deps.prepare_photo(path.read_bytes(), deps.runtime().images)
            except InvalidImage as error:
                raise RefusedError(f"{path}: {error.message}") from error
            found.append(_Photo(image_data_url(jpeg), label))
    if not found:
        raise RefusedError(f"{folder} has no photos in folders named as categories")
    return found


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


@contextmanager
def _held(model: str, most: int, photos: int, deps: OperatorDeps) -> Iterator[_Leg]:
    """Hold for all answers of a model while they are asked for, and settle what they have cost. The hold is a batch's,
    which ended as it began: no cron ever looks at it, and every sum of holds does. Raises RefusedError if the day has
    no room."""
    now = deps.clock()
    hold, room = batch_hold(day_of(now), model, most, photos, _shards(day_of(now), deps))
    batch = Batch(
        batch_id=f"compare-{deps.new_id()}",
        state=BatchState.DONE,
        created_at=now,
        due_at=now,
        model=model,
        job_count=photos,
        hold=hold.model_copy(update={"lane": "instant", "percent": deps.budget().hold_percent(model)}),
        completed_at=now,
        expire_at=now + BATCH_LIFETIME,
    )
    version = deps.store.create_batch(batch) if room == photos else NoRoom(hold.day)
    if isinstance(version, NoRoom):
        raise RefusedError(f"today's budget has room for {room} of {photos} answers of {model}: take fewer with --each")
    terms = Terms(model, deps.model_price(model), most, deps.budget().hold_percent(model))
    leg = _Leg(terms, batch, version)
    try:
        yield leg
    finally:
        fields = {"costMicros": leg.micros, "doneCount": len(leg.answers)}
        deps.store.settle_batch(batch, version, fields, settled(batch.hold or hold, leg.micros), leg.usage)


def _shards(day: str, deps: OperatorDeps) -> dict[str, Shard]:
    return {name: shard for found in looks_for_room(day, BATCH_LOOKS, deps) for name, shard in found.items()}


def _attempt(transport: Any, body: dict[str, Any], deps: OperatorDeps) -> Attempt:
    """Return what came of asking about one photo."""
    try:
        return judge(transport.complete(body, deps.runtime().instant.provider_timeout_seconds))
    except ProviderDownError as problem:
        return failed_attempt(Failure.PROVIDER_UNAVAILABLE, str(problem), unreported=problem.may_be_billed)
    except ProviderError as problem:
        return failed_attempt(Failure.PROVIDER_REJECTED, str(problem))


def _row(leg: _Leg, photos: Sequence[_Photo], first: _Leg) -> dict[str, Any]:
    """Return a model's figures. Whom nobody answered counts for nothing; a useless answer is none of the right ones."""
    asked = len(leg.answers)
    right = sum(category == photos[number].label for number, category in leg.answers.items())
    both = [number for number in leg.answers if number in first.answers]
    percentiles = quantiles(leg.seconds, n=20) if asked > 1 else leg.seconds * 19
    return {
        "model": leg.terms.model,
        "asked": asked,
        "right": right,
        "within": interval(right, asked) if asked else None,
        "asFirst": sum(leg.answers[number] == first.answers[number] for number in both),
        "useless": sum(category is None for category in leg.answers.values()),
        "down": leg.down,
        "p50": round(percentiles[9], 2) if asked else None,
        "p95": round(percentiles[18], 2) if asked else None,
        "each": leg.micros // asked if asked else 0,
        "micros": leg.micros,
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    low, high = (f"{100 * share:.0f}" for share in row["within"] or (0, 1))
    share = f"{100 * row['right'] / row['asked']:.1f} %" if row["asked"] else "-"
    seconds = ("-" if row[name] is None else f"{row[name]:.2f}" for name in ("p50", "p95"))
    counts = (row[name] for name in ("asFirst", "useless", "down"))
    return (
        *(row["model"], row["asked"], row["right"], share, f"{low} to {high}"),
        *(*counts, *seconds, row["each"], dollars(row["micros"])),
    )
