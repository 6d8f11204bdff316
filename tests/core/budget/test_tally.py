"""The tally of a day: waits in buckets, bills in tokens, sums and differences."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.budget import tally
from functions.core.budget.tally import Tally
from functions.core.model.usage import Usage

TALLY: Tally = {"instant": {"a": {"done": 3, "input": 900}}, "batch": {"a": {"done": 1}, "b": {"failed:X": 2}}}


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0, 0), (1, 0), (1.01, 1), (1.4, 1), (1.5, 2), (2, 2), (4, 4), (60, 12), (3_600, 24), (26 * 3_600, 34), (1e9, 34)],
)
def test_a_wait_falls_into_the_bucket_that_ends_above_it(seconds: float, bucket: int) -> None:
    """Two buckets for each doubling: bucket n ends at 2^(n/2) seconds."""
    assert tally.wait_bucket(timedelta(seconds=seconds)) == bucket
    assert tally.of_wait(timedelta(seconds=seconds)) == {f"wait:{bucket}": 1}


def test_answers_are_counted_by_model_prompt_and_category() -> None:
    """Of both lanes together; nothing else in a tally is one."""
    dry, wet = (dict(tally.of_answer("v3", category)) for category in ("Dry Waste", "Wet Waste"))
    counted: Tally = {"instant": {"a": {**dry, **wet, "done": 2}}, "batch": {"a": dry, "b": {"failed:X": 2, **wet}}}
    assert tally.answers(counted) == {
        "a": {"v3": {"Dry Waste": 2, "Wet Waste": 1}},
        "b": {"v3": {"Wet Waste": 1}},
    }
    assert tally.answers({}) == {}


def test_quantiles_come_from_the_buckets() -> None:
    """Of 10 jobs, 5 within 2 s, 4 more within 4 s and one later: the median is 2, nine tenths are 4."""
    counters = {"wait:2": 5, "wait:4": 4, "wait:12": 1, "done": 10}
    assert [tally.wait_within(counters, share) for share in (0.1, 0.5, 0.9, 0.95)] == [2.0, 2.0, 4.0, 64.0]
    assert tally.wait_within({"done": 10}, 0.5) is None


def test_a_bill_is_counted_in_tokens() -> None:
    """An answer without a bill counts nothing."""
    assert tally.of_usage(Usage(input_tokens=473, cached_tokens=12, output_tokens=115)) == {
        "input": 473,
        "cached": 12,
        "output": 115,
    }
    assert tally.of_usage(None) == {}


def test_what_no_user_has_asked_about_counts_under_checks() -> None:
    """Answered, failed or to be repeated: none of it is a user's photo, and its cost and tokens can be taken off."""
    count = {"failed:X": 1, "retried:Y": 2, "done": 3, "output": 115, "input": 473}
    assert tally.of_check(count, 120) == {
        "checkedFailed:X": 1,
        "checkedRetried:Y": 2,
        "checked": 3,
        "checkedMicros": 120,
        "checkedOutput": 115,
        "output": 115,
        "input": 473,
    }


def test_what_has_grown_is_the_rest() -> None:
    """Counters that stand still are left out, new ones come in whole."""
    grown: Tally = {"instant": {"a": {"done": 5, "input": 900}}, "batch": {"a": {"done": 1}, "c": {"done": 1}}}
    assert tally.since(TALLY, tally.total([TALLY, grown])) == grown
    assert tally.since(TALLY, TALLY) == {}
    assert tally.total([]) == {}


tallies = st.dictionaries(
    st.sampled_from(["instant", "batch"]),
    st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(["done", "input"]), st.integers(1, 99), min_size=1),
        min_size=1,
    ),
)


@given(st.lists(tallies, max_size=5))
def test_differences_add_up_to_the_sum(steps: list[Tally]) -> None:
    """However a tally grows: what each look finds beyond the looks before adds up to what there is."""
    noted: list[Tally] = []
    for number in range(len(steps)):
        noted.append(tally.since(tally.total(noted), tally.total(steps[: number + 1])))
    assert tally.total(noted) == tally.total(steps)
