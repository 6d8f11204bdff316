"""Under what an answer is kept."""

from dataclasses import replace

import pytest

from functions.core.cache.keys import Asked, family_of, key_of
from functions.core.config.runtime import ImageRules

ASKED = Asked("gpt-5-mini", "2026-11-28", '{"type": "object"}', ImageRules(), "DE", "de")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-5-nano"},
        {"prompt_version": "2026-11-29"},
        {"answer_schema": "{}"},
        {"images": ImageRules(side_max=768)},
        {"region": "AT"},
        {"language": "en"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_an_answer_depends_on_changes_its_key(change: dict[str, object]) -> None:
    """Model, prompt, schema, preparation, region and language: an answer under another is a miss."""
    changed = replace(ASKED, **change)  # type: ignore[arg-type]
    assert len(key_of(ASKED)) == 4
    assert key_of(changed) != key_of(ASKED)
    assert (family_of(changed) == family_of(ASKED)) == (set(change) <= {"region", "language"})


def test_parts_do_not_run_into_each_other() -> None:
    """A region's end is not a language's beginning."""
    assert key_of(replace(ASKED, region="D", language="Ede")) != key_of(ASKED)
