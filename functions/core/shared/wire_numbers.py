"""Numbers as the app's SDKs write them into JSON.

FlutterFire hands each Dart `int` to the SDKs of Android and Apple as 64 bits, and those wrap it, at any depth, because
JavaScript could not hold it: `{"@type": "type.googleapis.com/google.protobuf.Int64Value", "value": "5"}`. The web's SDK
writes `5`. A Dart `double` that is whole is written as `5` by all of them, and as `5.0` by other clients.
"""

import re
from typing import Any

_RANGES = {
    "type.googleapis.com/google.protobuf.Int64Value": range(-(2**63), 2**63),
    "type.googleapis.com/google.protobuf.UInt64Value": range(2**64),
}

_CHARACTERS_MAX = 20
"""Of 64 bits, sign included. Python refuses to read a number of thousands."""

_EXACT_MAX = 2**53
"""From here on a double does not tell one whole number from the next."""


def unwrapped(pairs: dict[str, Any]) -> Any:
    """Return the number that a JSON object stands for. Any other object stays, for its field to refuse it by name."""
    if pairs.keys() != {"@type", "value"}:
        return pairs
    kind, value = pairs["@type"], pairs["value"]
    value = str(value) if type(value) is int else value  # some who write JSON by hand put the number itself there
    if not isinstance(kind, str) or kind not in _RANGES or not isinstance(value, str):
        return pairs
    if len(value) > _CHARACTERS_MAX or re.fullmatch("-?[0-9]+", value) is None or int(value) not in _RANGES[kind]:
        return pairs
    return int(value)


def decimal_number(text: str) -> float | int:
    """Return the number that JSON writes with a point or an exponent; a whole one as such, as JavaScript reads it."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT_MAX else number
