"""The parts of a day: how many, where to look for room, and what each may take."""

from functions.core.budget import shards
from functions.core.budget.shards import Shard


def test_a_shard_has_room_for_what_is_left_of_its_limit() -> None:
    """Reserved, spent and spent unheld count alike; a shard past its limit has no room, and not less than none."""
    assert Shard(limit=1_000, reserved=300, spent=500).room == 200
    assert Shard(limit=1_000, reserved=300, spent=500, excess=150).room == 50
    assert Shard(limit=1_000, reserved=800, spent=500).room == 0


def test_a_budget_that_buys_nothing_has_the_least_number() -> None:
    """As has one whose calls cost nothing."""
    assert (shards.shards_for(0, 633), shards.shards_for(0, 0)) == (8, 8)


def test_who_looks_for_room_begins_anywhere_and_sees_no_shard_twice() -> None:
    """A few of many shards; all of a few."""
    assert shards.shard_names(77, 79, 4) == ["77", "78", "0", "1"]
    assert shards.shard_names(10**30, 3, 8) == ["1", "2", "0"]


def test_no_shard_is_left_below_nothing() -> None:
    """What was reserved and spent moves between shards, and the sums stay."""
    found = shards.levelled({"0": Shard(reserved=-900, spent=300), "1": Shard(reserved=950), "2": Shard(spent=-200)})
    assert {name: (shard.reserved, shard.spent) for name, shard in found.items()} == {
        "0": (0, 100),
        "1": (50, 0),
        "2": (0, 0),
    }
