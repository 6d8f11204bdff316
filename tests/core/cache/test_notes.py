"""What a job keeps of the cache once the model has answered."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.core.cache.lookup import Tier, gist_of
from functions.core.cache.notes import TRIAL, CacheNote, labelling
from functions.core.model.classification import Category
from tests.builders import answer

NOW = datetime(2026, 11, 29, tzinfo=UTC)
NOTE = CacheNote(of="0" * 32, answered_at=NOW, tier=Tier.NEAR, bits=7, family="f", served=False, kept=gist_of(answer()))


def test_the_models_answer_labels_the_kept_one() -> None:
    """Alike or not, and when that was seen; all else stays."""
    later = NOW + timedelta(minutes=1)
    same = labelling(NOTE, "f", answer(itemName="Flask"), later)["cache"]
    assert CacheNote.model_validate(same) == NOTE.model_copy(update={"same": True, "labelled_at": later})
    assert labelling(NOTE, "f", answer(category=Category.WET.value), later)["cache"]["same"] is False


def test_a_photo_of_a_trial_is_compared_and_says_nothing_of_the_cache() -> None:
    """Whichever family has answered; labels of the cache are found by their time, and it has none."""
    note = NOTE.model_copy(update={"tier": TRIAL, "family": "trial-1"})
    assert labelling(note, "f", answer(), NOW)["cache"]["same"] is True
    assert labelling(note, "f", answer(), NOW)["cache"]["labelledAt"] is None


@pytest.mark.parametrize(
    ("note", "family"), [(None, "f"), (NOTE, "another"), (NOTE.model_copy(update={"kept": None}), "f")], ids=str
)
def test_what_cannot_be_compared_says_nothing(note: CacheNote | None, family: str) -> None:
    """Nothing was kept, or another model was asked than the one that it is from."""
    assert labelling(note, family, answer(), NOW) == {}
