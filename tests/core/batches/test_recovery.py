"""Finding a batch by elimination: whatever arrived, whoever looks first, nobody sends a batch twice."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations, product

import pytest

from functions.core.batches.batches import Batch
from functions.core.batches.provider_objects import Listed
from functions.core.batches.recovery import (
    CLOCKS_APART,
    TERMS,
    Whose,
    chosen,
    fitting,
    listed_since,
    looking_again,
    surely_anothers,
    whose,
)
from functions.core.batches.reports import ProviderBatch, ProviderState
from functions.core.shared.providers import Provider
from tests.builders import NOW, batch

SECOND = timedelta(seconds=1)


def uncertain(name: str = "x", lines: int = 2, **changes: object) -> Batch:
    """Return a batch of which nobody knows whether it arrived."""
    sent = {"batch_id": name, "job_count": lines, "create_started_at": NOW, "provider_batch_id": None, **changes}
    return batch(model="anthropic/claude-haiku-5-5", **sent)


def listed(name: str, lines: int = 2, after: timedelta = SECOND) -> Listed:
    """Return a batch of the provider's list."""
    return Listed(ProviderBatch(name, ProviderState.IN_PROGRESS), NOW + after, lines)


def test_each_provider_of_batches_has_its_terms() -> None:
    """Where a batch is told apart by our id, its file goes first; where it is not, results stay until they are
    deleted."""
    assert {provider: (each.uploads, each.carries_our_id, each.keeps_results) for provider, each in TERMS.items()} == {
        Provider.OPENAI: (True, True, False),
        Provider.ANTHROPIC: (False, False, True),
    }


def test_what_fits_is_of_the_time_and_the_size_and_no_strangers() -> None:
    """Oldest first, and within what clocks may be apart."""
    whole = [listed("late", after=2 * SECOND), listed("early"), listed("before", after=-CLOCKS_APART)]
    others = [listed("other size", 3), listed("long before", after=-CLOCKS_APART - SECOND), listed("stranger")]
    assert fitting(uncertain(strangers=("stranger",)), [*whole, *others]) == ["before", "early", "late"]


def test_a_batch_without_its_time_is_looked_for_since_it_was_made() -> None:
    """An earlier release has noted none."""
    assert listed_since(uncertain(create_started_at=None)) == NOW - CLOCKS_APART


def test_nobodys_is_taken_before_one_that_others_wait_for() -> None:
    """And one that another batch surely is, is taken by nobody."""
    waiting = uncertain("y", provider_batch_id="one", provisional=True)
    sure = uncertain("z", provider_batch_id="two")
    assert chosen(uncertain(), ["one", "two", "three"], [waiting, sure]) == "three"
    assert chosen(uncertain(), ["one", "two"], [waiting, sure]) == "one"
    assert chosen(uncertain(), ["two"], [waiting, sure]) is None
    assert chosen(uncertain(), [], []) is None


def test_nobody_is_another_to_itself() -> None:
    """A batch that has just been confirmed does not give way to itself."""
    mine = uncertain(provider_batch_id="one")
    assert not surely_anothers(mine, "one", [mine])
    assert surely_anothers(uncertain("y"), "one", [mine])
    assert not surely_anothers(uncertain("y"), "two", [mine])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["job-2", "stranger"], Whose.OURS),
        (["stranger", None, "job-1"], Whose.OURS),
        (["stranger", None, 7], Whose.STRANGERS),
        ([], Whose.UNKNOWN),
    ],
)
def test_lines_say_whose_they_are(names: list[object], found: Whose) -> None:
    """One of our jobs is enough; without any line nobody can tell."""
    assert whose(iter(names), ["job-1", "job-2"]) is found


def test_who_looks_again_keeps_the_stranger_in_mind() -> None:
    """And nothing else of it."""
    fields = looking_again(uncertain(provider_batch_id="b", strangers=("a",), provisional=True), NOW)
    assert (fields["state"], fields["openaiBatchId"], fields["provisional"]) == ("uploaded", None, False)
    assert (fields["strangers"], fields["dueAt"]) == (["a", "b"], NOW)


@dataclass
class World:
    """Equal batches, of which some arrived, and a stranger's of their size. Each step lets one of ours look, or read
    results; sends are counted by whose lines they carry."""

    batches: dict[str, Batch]
    there: dict[str, str] = field(default_factory=dict)  # id at the provider -> whose lines it has

    def sent(self, name: str) -> int:
        return sum(owner == name for owner in self.there.values())

    def step(self, name: str) -> None:
        mine = self.batches[name]
        if mine.provider_batch_id is None:
            listing = [listed(each, after=number * SECOND) for number, each in enumerate(self.there)]
            found = chosen(mine, fitting(mine, listing), [each for each in self.batches.values() if each is not mine])
            if found is None:
                self.there[f"again {name}"] = name
                self._set(name, provider_batch_id=f"again {name}")
            else:
                self._set(name, provider_batch_id=found, provisional=True)
        elif mine.provisional:
            others = [each for each in self.batches.values() if each.provider_batch_id == mine.provider_batch_id]
            own = whose([self.there[mine.provider_batch_id]], [name]) is Whose.OURS
            if own and not surely_anothers(mine, mine.provider_batch_id, others):
                self._set(name, provisional=False)
            else:
                tried = (*mine.strangers, mine.provider_batch_id)
                self._set(name, provider_batch_id=None, provisional=False, strangers=tried)

    def _set(self, name: str, **changes: object) -> None:
        self.batches[name] = self.batches[name].model_copy(update=changes)


NAMES = ("x", "y", "z")


@pytest.mark.parametrize("stranger", [False, True])
@pytest.mark.parametrize("arrived", list(product([False, True], repeat=3)), ids=str)
def test_no_order_of_events_sends_a_batch_twice(arrived: tuple[bool, ...], stranger: bool) -> None:
    """Three equal batches, any of which arrived, in every order of arriving and of looking: each is there once, and
    each ends with its own."""
    came = [name for name, arrives in zip(NAMES, arrived, strict=True) if arrives]
    lists = [*permutations([*came, *(["somebody"] if stranger else [])])]
    for order, looks in product(lists, product(permutations(NAMES), repeat=2)):
        world = World({name: uncertain(name) for name in NAMES}, {f"at {name}": name for name in order})
        for name in [each for look in looks for each in look] + [*NAMES] * 8:
            world.step(name)
        assert [world.sent(name) for name in NAMES] == [1, 1, 1], (order, looks)
        assert not any(each.provisional for each in world.batches.values())
        assert all(world.there[each.provider_batch_id or ""] == name for name, each in world.batches.items())
