"""Whole numbers in both spellings, at any depth, and what only looks like one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.shared.wire_numbers import decimal_number, unwrapped

INT64 = "type.googleapis.com/google.protobuf.Int64Value"
UINT64 = "type.googleapis.com/google.protobuf.UInt64Value"


def read(text: str) -> Any:
    """Read JSON as the door does."""
    return json.loads(text, object_hook=unwrapped, parse_float=decimal_number)


def wrapped(value: object, kind: str = INT64) -> dict[str, object]:
    """Return a number in the long spelling."""
    return {"@type": kind, "value": value}


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_the_sdks_of_android_and_apple_write_is_the_number(number: int) -> None:
    """As text, over all 64 bits, wherever in the request it stands."""
    sent = {"a": wrapped(str(number)), "b": [{"c": [wrapped(str(number))]}]}
    assert read(json.dumps(sent)) == {"a": number, "b": [{"c": [number]}]}


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        (wrapped("0"), 0),
        (wrapped("-1"), -1),
        (wrapped("18446744073709551615", UINT64), 2**64 - 1),
        (wrapped(5), 5),
    ],
)
def test_a_wrapped_number_is_that_number(sent: object, number: int) -> None:
    """Signed, unsigned, and with the number itself inside, as firebase-functions for Node takes it, too."""
    assert read(json.dumps(sent)) == number


@pytest.mark.parametrize(
    "sent",
    [
        wrapped("five"),
        wrapped(""),
        wrapped("5.0"),
        wrapped("1e3"),
        wrapped(" 5"),
        wrapped("5\n"),
        wrapped("+5"),
        wrapped("٣"),
        wrapped("--5"),
        wrapped("9" * 5_000),
        wrapped(str(2**63)),
        wrapped("-1", UINT64),
        wrapped(str(2**64), UINT64),
        wrapped(None),
        wrapped(True),
        wrapped(5.5),
        wrapped(["5"]),
        wrapped("5", "type.googleapis.com/google.protobuf.Int32Value"),
        {"@type": ["x"], "value": "5"},
        {"@type": INT64},
        {"value": "5"},
        {**wrapped("5"), "more": 1},
        {},
    ],
    ids=str,
)
def test_what_is_no_number_stays_an_object(sent: dict[str, Any]) -> None:
    """So the field that it stands in is refused by its name."""
    assert read(json.dumps(sent)) == sent


@pytest.mark.parametrize(
    ("text", "number"),
    [("5.0", 5), ("5e0", 5), ("1E3", 1_000), ("-0.0", 0), ("0.5", 0.5), ("1e300", 1e300), (str(2.0**53), 2.0**53)],
)
def test_a_whole_decimal_is_a_whole_number(text: str, number: float) -> None:
    """JSON has one kind of number, and JavaScript reads 5.0 as 5; what a double cannot tell exactly stays one."""
    assert (read(text), type(read(text))) == (number, type(number))
