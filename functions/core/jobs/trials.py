"""A trial: recent photos are asked once more, another way, before that way is recommended for all.

Its photos are checks as those of the cache are (`core.jobs.checks`), in a batch of their own at half the price. What is
compared is where an answer sends its user (`core.cache.lookup.same_answer`). A model does not always agree with itself:
a trial of the way that is in force shows how often, and what others are held against.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from functions.core.cache.certification import interval
from functions.core.cache.lookup import gist_of
from functions.core.cache.notes import TRIAL, CacheNote
from functions.core.jobs.checks import asked_again
from functions.core.jobs.jobs import Job, Status
from functions.core.model.classification import Classification
from functions.core.model.prompts import PROMPTS
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from functions.core.model.ways import Way
from functions.core.shared.providers import split
from functions.core.shared.records import Kept, Record

PHOTOS = 100
ITSELF = "itself"
"""The trial of the way that is in force."""

AGREEMENT_LEAST = 0.97
"""Of the model's agreement with itself; what is less, within the interval, does not pass."""

RISK = 0.1
"""That the true agreement lies outside its interval, half of it below."""

LIFETIME = timedelta(days=3)
"""A photo waits for its batch for 26 hours at the most, and the batch lasts for 28. Then what is there counts."""

VALID = timedelta(days=30)


class Sums(Record):
    """Tokens of answers, and what they cost in the batch lane, in micro-dollars."""

    input: int = 0
    output: int = 0
    micros: int = 0

    def plus(self, usage: Usage, micros: int) -> "Sums":
        """Return them with one more answer."""
        tokens = {"input": self.input + usage.input_tokens, "output": self.output + usage.output_tokens}
        return Sums(**tokens, micros=self.micros + micros)


class Found(Record):
    """What has come of it: of the photos that were `answered`, so many the `same` way as before, a share within `low`
    and `high` in nine of ten cases; what the answers took `before` and `after`. `left_out` photos were gone, or failed.
    It `passed` if `low` is not below `bar`."""

    at: datetime
    answered: int
    same: int
    left_out: int
    low: float
    high: float
    before: Sums
    after: Sums
    bar: float = AGREEMENT_LEAST
    passed: bool = False


class Trial(Record):
    """Which `kind` of recommendation is tried, with its `changes` of the config: the `model` and the wording of the
    `prompt` that are asked, the longest side of a photo; the way whose answers it is compared with, by `base`,
    `base_prompt`, "" for the same one, and `base_side_max`, None of a release that did not say; by whom it was begun,
    and of how many photos. `found` is None until it has ended."""

    number: int
    kind: str
    changes: dict[str, Any] = Field(default_factory=dict)
    base: str
    base_prompt: str = ""
    base_side_max: int | None = None
    model: str
    prompt: str
    side_max: int
    by: str
    at: datetime
    photos: int
    found: Found | None = None

    @property
    def held_against(self) -> Way:
        """Return the way whose answers it is compared with."""
        return Way(self.base, self.base_prompt or self.prompt, self.base_side_max or self.side_max)


class Trials(Kept):
    """The one that is under way, and the last that has ended of each kind. Stored in `stats/trials`."""

    number: int = 0
    running: Trial | None = None
    ended: dict[str, Trial] = Field(default_factory=dict)


def eligible(job: Job, way: Way) -> bool:
    """Whether a job's answer can be compared: one that was asked for this way, which its user does not dispute."""
    if job.status is not Status.DONE or job.usage is None or job.dispute is not None:
        return False
    try:
        result = Classification.model_validate(job.result)
    except ValidationError:
        return False
    served = job.cache is not None and job.cache.served
    asked = (result.provider, result.model, result.prompt_version) == (*split(way.model), way.prompt)
    return not served and asked and result.seen_within(way.side_max)


def opener(number: int) -> str:
    """Return what the photos of a trial were opened by."""
    return f"trial-{number}"


def photo_of(job: Job, number: int, now: datetime) -> Job:
    """Return an eligible job as one of a trial's photos."""
    note = CacheNote(
        of=job.job_id,
        answered_at=job.completed_at or now,
        tier=TRIAL,
        bits=0,
        family=opener(number),
        served=False,
        kept=gist_of(Classification.model_validate(job.result)),
    )
    photo = asked_again(job, f"{number}-{job.job_id}", note, now)
    return photo.model_copy(update={"opened_by": opener(number), "attempts": 0, "cost_micros": 0, "batch_id": None})


def found_of(
    trial: Trial, photos: Iterable[Job], given: Mapping[str, Usage], price: ModelPrice, now: datetime
) -> Found:
    """Return what has come of a trial's photos, whose earlier answers took what is `given` by job, at this `price` in
    the batch lane."""
    before, after, answered, same = Sums(), Sums(), 0, 0
    for photo in photos:
        note, usage = photo.cache, photo.usage
        earlier = given.get(note.of) if note else None
        if note is None or note.same is None or usage is None or earlier is None:
            continue
        answered, same = answered + 1, same + note.same
        before, after = before.plus(earlier, cost_micros(earlier, price)), after.plus(usage, photo.cost_micros)
    wrong = interval(answered - same, answered, RISK) if answered else (0.0, 1.0)
    return Found(
        at=now,
        answered=answered,
        same=same,
        left_out=trial.photos - answered,
        low=round(1 - wrong[1], 4),
        high=round(1 - wrong[0], 4),
        before=before,
        after=after,
    )


def comparable(trials: Trials, way: Way) -> Trials:
    """Return them without what was tried against another way than this one, or in words that are gone: a release, or a
    change of the config, has made it another question since then."""
    ended = {kind: each for kind, each in trials.ended.items() if _against(each, way) and each.prompt in PROMPTS}
    return trials.model_copy(update={"ended": ended})


def _against(trial: Trial, way: Way) -> bool:
    known = trial.held_against if trial.base_side_max else replace(trial.held_against, side_max=way.side_max)
    return known == way


def with_end(trials: Trials, found: Found) -> Trials:
    """Return them once the one under way has ended; all are held against what the model agrees with itself by now."""
    if trials.running is None:
        return trials
    running = trials.running
    ended = {**trials.ended, running.kind: running.model_copy(update={"found": found})}
    known = comparable(Trials(ended=ended), running.held_against).ended
    itself = known[ITSELF].found if ITSELF in known else None
    bar = round(AGREEMENT_LEAST * (itself.same / itself.answered if itself and itself.answered else 1.0), 4)
    judged = {kind: _judged(trial, bar) for kind, trial in ended.items()}
    return trials.model_copy(update={"running": None, "ended": judged})


def _judged(trial: Trial, bar: float) -> Trial:
    if trial.found is None:
        return trial
    passed = trial.found.answered > 0 and trial.found.low >= bar
    return trial.model_copy(update={"found": trial.found.model_copy(update={"bar": bar, "passed": passed})})


def has_passed(trials: Trials, kind: str, changes: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether these changes were tried, and passed, not long ago."""
    trial = trials.ended.get(kind)
    if trial is None or trial.found is None or trial.changes != changes:
        return False
    return trial.found.passed and now - trial.found.at <= VALID
