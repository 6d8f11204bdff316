"""Under what an answer is kept."""

from dataclasses import replace

import pytest

from functions.core.cache.keys import Asked, family_of, key_of
from functions.core.model.ways import Way

WAY = Way("gpt-5-mini", "2026-11-28", 512)
ASKED = Asked(WAY, '{"type": "object"}', 80, "DE", "de")


@pytest.mark.parametrize(
    "change",
    [
        {"way": replace(WAY, model="gpt-5-nano")},
        {"way": replace(WAY, prompt="2026-11-29")},
        {"way": replace(WAY, side_max=384)},
        {"answer_schema": "{}"},
        {"jpeg_quality": 70},
        {"region": "AT"},
        {"language": "en"},
    ],
    ids=str,
)
def test_whatever_an_answer_depends_on_changes_its_key(change: dict[str, object]) -> None:
    """Model, prompt, schema, preparation, region and language: an answer under another is a miss."""
    changed = replace(ASKED, **change)  # type: ignore[arg-type]
    assert len(key_of(ASKED)) == 4
    assert key_of(changed) != key_of(ASKED)
    assert (family_of(changed) == family_of(ASKED)) == (set(change) <= {"region", "language"})


def test_keys_stay_what_they_are() -> None:
    """Else every release would begin with an empty cache, and certify it anew."""
    assert (key_of(ASKED).hex(), family_of(ASKED)) == ("b1468d58", "7c27dd64")


def test_parts_do_not_run_into_each_other() -> None:
    """A region's end is not a language's beginning."""
    assert key_of(replace(ASKED, region="D", language="Ede")) != key_of(ASKED)
