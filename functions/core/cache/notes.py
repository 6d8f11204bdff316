"""What a job keeps of the cache: by which answer it was answered, or would have been."""

from pydantic import AwareDatetime

from functions.core.cache.lookup import Tier, same_answer
from functions.core.model.classification import Answer
from functions.core.shared.records import Fields, Open, Record


class CacheNote(Record):
    """The job that a photo was found by (`of`), answered at that time; how (`tier`, so many `bits` apart) and in which
    `family`. If it was `served`, its answer is this job's as well. Else the model was asked, and `same` says whether it
    answered alike, None until then."""

    of: str
    answered_at: AwareDatetime
    tier: Open[Tier]
    bits: int
    family: str
    served: bool
    same: bool | None = None
    labelled_at: AwareDatetime | None = None


def labelling(note: CacheNote, kept: Answer, asked: Answer, now: AwareDatetime) -> Fields:
    """Return the stored field of a job whose photo the cache would have answered, now that the model has."""
    found = note.model_copy(update={"same": same_answer(kept, asked), "labelled_at": now})
    return {"cache": found.model_dump(by_alias=True)}
