"""What a job keeps of the cache: by which answer it was answered, or would have been."""

from pydantic import AwareDatetime

from functions.core.cache.lookup import Gist, Tier, gist_of, same_answer
from functions.core.model.classification import Answer
from functions.core.shared.records import Fields, Open, Record

TRIAL = "trial"
"""In place of a tier: the photo is one of a trial (`core.jobs.trials`), which is the note's family."""


class CacheNote(Record):
    """The job that a photo was found by (`of`), answered at that time; how (`tier`, so many `bits` apart) and in which
    `family`. If it was `served`, its answer is this job's as well, and `check_at` is set if it may be asked again: see
    `checks`. Else the model is asked; `kept` is what its answer is compared with, and `same` says whether the two are
    alike, None until then. A check is of the hit that it asks again."""

    of: str
    answered_at: AwareDatetime
    tier: Open[Tier]
    bits: int
    family: str
    served: bool
    check_at: AwareDatetime | None = None
    kept: Gist | None = None
    same: bool | None = None
    labelled_at: AwareDatetime | None = None


def labelling(note: CacheNote | None, family: str, asked: Answer, now: AwareDatetime) -> Fields:
    """Return the stored field of a job whose photo the cache would have answered, now that the model has. None if what
    has answered is of another family: that would be no doubt of the cache. A trial's photo says nothing of the cache,
    which finds labels by their time."""
    tried = note is not None and note.tier == TRIAL
    if note is None or note.kept is None or not (tried or note.family == family):
        return {}
    labelled_at = None if tried else now
    found = note.model_copy(update={"same": same_answer(note.kept, gist_of(asked)), "labelled_at": labelled_at})
    return {"cache": found.model_dump(by_alias=True)}
