"""The functions that all rules have: conversions, and the namespaces duration, hashing, latlng, math and timestamp.

Reference: https://firebase.google.com/docs/reference/rules. Where it leaves something open, as with infinities or the
text of a float, they do as Google's engine does, which is what Java does.
"""

import hashlib
import math
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from .errors import EvaluationError
from .lexer import INT_MAX
from .operators import INT_MIN
from .values import NANOS, Duration, Hole, LatLng, Path, Timestamp, Value, duration, timestamp, type_of

UNIT_NANOS = {
    "w": 604_800 * NANOS,
    "d": 86_400 * NANOS,
    "h": 3_600 * NANOS,
    "m": 60 * NANOS,
    "s": NANOS,
    "ms": 1_000_000,
    "ns": 1,
}
_SPACES = "".join(map(chr, range(0x21)))
_NUMBER = re.compile(
    r"([+-]?)((?-i:NaN|Infinity)|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[df]?|0x[0-9a-f.]+p[+-]?\d+[df]?)",
    re.ASCII | re.IGNORECASE,
)
_INTEGER = re.compile(r"[+-]?\d+")
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII | re.IGNORECASE
)


class Signature(NamedTuple):
    """A function's parameters, each a list of types with `|` between them (`any` is all), and what it does."""

    parameters: tuple[str, ...]
    run: Callable[..., Value]


def accepts(types: str, value: Value) -> bool:
    """Tell whether a parameter takes a value."""
    return types == "any" or type_of(value) in types.split("|")


def text_of(value: Value) -> str:
    """Return `string(value)`."""
    match type_of(value):
        case "null":
            return "null"
        case "bool":
            return "true" if value else "false"
        case "int" | "string" | "path":
            return str(value)
        case "float":
            return _float_text(value)
        case kind:
            raise EvaluationError(f"string({kind}) is not defined")


def path_of(text: str) -> Path:
    """Return `path(text)`; what stands in braces is left for `bind`."""
    parts = text.removeprefix("/").split("/")
    if "" in parts:
        raise EvaluationError(f"{text!r} is no path: a segment is empty")
    found: list[str | Hole] = []
    for part in parts:
        wildcard = re.fullmatch(r"\{(\w+)(=\*\*?)?\}", part)
        found.append(Hole(wildcard[1], wildcard[2] == "=**") if wildcard else unquote_plus(part))
    return Path(tuple(found))


def to_bytes(value: "str | bytes") -> bytes:
    """Return bytes as they are, and a string in UTF-8."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else value


def _float_text(number: float) -> str:
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = format(number, "f") if number == int(number) else repr(number)
        return text if "." in text and not text.endswith("000000") else repr(float(number))
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        digits = re.sub(r"\D", "", mantissa).lstrip("0").rstrip("0") or "0"
        exponent = str(math.floor(math.log10(abs(number))))
        mantissa = ("-" if number < 0 else "") + digits[0] + "." + (digits[1:] or "0")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _to_int(value: Value) -> int:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or not INT_MIN <= int(value) <= INT_MAX:
            raise EvaluationError(f"int({value!r}): that is no integer of 64 bits")
        return int(value)
    return _saturated(value)


def _saturated(number: float) -> int:
    if math.isnan(number):
        return 0
    return int(min(max(number, INT_MIN), INT_MAX)) if math.isinf(number) else min(max(int(number), INT_MIN), INT_MAX)


def _to_float(value: Value) -> float:
    if not isinstance(value, str):
        return float(value)
    found = _NUMBER.fullmatch(value.strip(_SPACES))
    if found is None:
        raise EvaluationError(f"float({value!r}): that is no number")
    sign, digits = found.groups()
    try:
        number = float.fromhex(digits.rstrip("dDfF")) if digits[:2] in {"0x", "0X"} else float(digits.rstrip("dDfF"))
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"float({value!r}): {error}") from error
    return -number if sign == "-" else number


def _absolute(number: Value) -> Value:
    return number if number == INT_MIN else abs(number)  # as in Java, the least integer has no opposite


def _rounded(number: float) -> int:
    number = float(number)
    if not math.isfinite(number):
        return _saturated(number)
    floor = math.floor(number)
    return _saturated(floor + (number - floor >= 0.5))


def _whole(number: float, rounding: Callable[[float], int]) -> float:
    number = float(number)
    return math.copysign(float(rounding(number)), number) if math.isfinite(number) else number


def _power(base: float, exponent: float) -> float:
    base, exponent = float(base), float(exponent)
    if exponent == 0:
        return 1.0
    if math.isnan(base) or math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    is_odd = exponent % 2 == 1 if math.isfinite(exponent) else False
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and is_odd else math.inf
    except ValueError:
        return math.nan if base else math.copysign(math.inf, base) if is_odd else math.inf


def _root(number: float) -> float:
    return math.nan if number < 0 or math.isnan(number) else math.sqrt(number)


def _duration(magnitude: int, unit: str) -> Duration:
    if unit not in UNIT_NANOS:
        raise EvaluationError(f"there is no unit of time {unit!r}; the units are {', '.join(UNIT_NANOS)}")
    return duration(magnitude * UNIT_NANOS[unit])


def _time(hours: int, minutes: int, seconds: int, nanos: int) -> Duration:
    return duration((hours * 3_600 + minutes * 60 + seconds) * NANOS + nanos)


def _date(year: int, month: int, day: int) -> Timestamp:
    try:
        moment = datetime(year, month, day, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"timestamp.date({year}, {month}, {day}): {error}") from error
    return timestamp((moment.toordinal() - 719_163) * 86_400 * NANOS)


def _moment(value: "int | str") -> Timestamp:
    if isinstance(value, int):
        return timestamp(value * 1_000_000)
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise EvaluationError(f"timestamp.value({value!r}): write it as 2020-01-31T12:00:00Z")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = found.groups()[6:]
    offset = (int(offset_hours or 0) * 60 + int(offset_minutes or 0)) * (-60 if sign == "-" else 60)
    if hour > 23 or minute > 59 or second > 59:
        raise EvaluationError(f"timestamp.value({value!r}): there is no such time")
    since_midnight = hour * 3_600 + minute * 60 + second - offset
    return timestamp(_date(year, month, day).nanos + since_midnight * NANOS + int((fraction or "").ljust(9, "0")))


def _place(latitude: float, longitude: float) -> LatLng:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise EvaluationError("a latitude is between -90 and 90, a longitude between -180 and 180")
    return LatLng(float(latitude), float(longitude))


def _crc32c(data: bytes) -> bytes:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return (register ^ 0xFFFFFFFF).to_bytes(4, "little")


_TEXT, _NUMBERS = "string|bytes", "int|float"
FUNCTIONS: dict[str, Signature] = {
    "debug": Signature(("any",), lambda value: value),
    "float": Signature(("int|float|string",), _to_float),
    "int": Signature(("int|float|string",), _to_int),
    "path": Signature(("string",), path_of),
    "string": Signature(("any",), text_of),
    "duration.abs": Signature(("duration",), lambda value: Duration(abs(value.nanos))),
    "duration.time": Signature(("int", "int", "int", "int"), _time),
    "duration.value": Signature(("int", "string"), _duration),
    "hashing.crc32": Signature((_TEXT,), lambda value: zlib.crc32(to_bytes(value)).to_bytes(4, "little")),
    "hashing.crc32c": Signature((_TEXT,), lambda value: _crc32c(to_bytes(value))),
    "hashing.md5": Signature((_TEXT,), lambda value: hashlib.md5(to_bytes(value), usedforsecurity=False).digest()),
    "hashing.sha256": Signature((_TEXT,), lambda value: hashlib.sha256(to_bytes(value)).digest()),
    "latlng.value": Signature((_NUMBERS, _NUMBERS), _place),
    "math.abs": Signature((_NUMBERS,), _absolute),
    "math.ceil": Signature((_NUMBERS,), lambda number: _whole(number, math.ceil)),
    "math.floor": Signature((_NUMBERS,), lambda number: _whole(number, math.floor)),
    "math.isInfinity": Signature((_NUMBERS,), math.isinf),
    "math.isNaN": Signature((_NUMBERS,), math.isnan),
    "math.pow": Signature((_NUMBERS, _NUMBERS), _power),
    "math.round": Signature((_NUMBERS,), _rounded),
    "math.sqrt": Signature((_NUMBERS,), _root),
    "timestamp.date": Signature(("int", "int", "int"), _date),
    "timestamp.value": Signature(("int|string",), _moment),
}
