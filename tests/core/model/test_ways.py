"""How photos are asked about."""

from dataclasses import replace

from functions.core.model.ways import Way


def test_ways_differ_in_what_answers_depend_on() -> None:
    """Two are the same if all three are."""
    way = Way("m", "v1", 512)
    assert way == Way("m", "v1", 512)
    assert way not in {replace(way, model="n"), replace(way, prompt="v2"), replace(way, side_max=384)}
