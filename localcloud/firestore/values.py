"""Field values: their order across types, equality, size and validity.

Every value has one byte string whose plain byte order is Firestore's value order, and which is equal exactly for
values that Firestore calls equal (1 and 1.0). Comparing, sorting, searching and merging are then done by C code on
bytes. The encoding of a value is never a prefix of another's, so encodings can be put one after the other, and a
descending field is the complement of its bytes.

Order: null < false < true < NaN < numbers < timestamps < strings < bytes < references < geo points < arrays < vectors
    < maps
(https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering).
"""

import math
import re
import struct
from collections.abc import Callable, Mapping

from .errors import invalid
from .protos import ValuePb

NESTING_MAX = 20  # maps and arrays within each other
FIELD_NAME_BYTES_MAX = 1500
VECTOR_DIMENSIONS_MAX = 2048
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

# First byte of each type's encoding. END sorts before every type and closes arrays, maps and names, so a shorter one
# comes first.
END = 0x01
NULL, FALSE, TRUE, NAN, NUMBER, TIMESTAMP, STRING, BYTES, REFERENCE, GEO_POINT, ARRAY, VECTOR, MAP = range(0x10, 0x1D)
BOOLEAN_TAGS = (FALSE, TRUE)

_ID_NUMERIC, _ID_STRING = 0x02, 0x03
_NUMERIC_ID = re.compile(r"__id(-?\d+)__")
_COMPLEMENT = bytes(255 - byte for byte in range(256))
_RESERVED_FIELD = re.compile(r"__.*__", re.DOTALL)

VECTOR_TYPE_KEY, VECTOR_TYPE = "__type__", "__vector__"


def encode(value: ValuePb) -> bytes:
    """Return the order-preserving bytes of a value.

    Raises:
        FirestoreError: INVALID_ARGUMENT when no member of the value is set.
    """
    kind = value.WhichOneof("value_type")
    if kind is None or kind not in _ENCODERS:
        raise invalid("A value must have one of the value types set.")
    return _ENCODERS[kind](value)


def complement(encoded: bytes) -> bytes:
    """Return the bytes that sort the other way round: for a descending field."""
    return encoded.translate(_COMPLEMENT)


def successor(prefix: bytes) -> bytes | None:
    """Return the smallest byte string above all that start with `prefix`; None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def encode_path(path: str) -> bytes:
    """Return the order-preserving bytes of a resource path: segment by segment, numeric ids before the others."""
    return b"".join([_segment(segment) for segment in path.split("/")]) + b"\x01"


def is_vector(value: ValuePb) -> bool:
    """Tell whether a value is a vector: a map that carries the reserved type key."""
    if not value.HasField("map_value"):
        return False
    fields = value.map_value.fields
    return VECTOR_TYPE_KEY in fields and fields[VECTOR_TYPE_KEY].string_value == VECTOR_TYPE


def vector_of(value: ValuePb) -> list[float] | None:
    """Return a vector value's components, or None when the value is no vector."""
    if not is_vector(value):
        return None
    return [_as_float(part) for part in value.map_value.fields["value"].array_value.values]


def is_number(value: ValuePb) -> bool:
    """Tell whether a value is an integer or a double."""
    return value.WhichOneof("value_type") in {"integer_value", "double_value"}


def number_of(value: ValuePb) -> int | float:
    """Return a numeric value's number."""
    return value.integer_value if value.HasField("integer_value") else value.double_value  # type: ignore[no-any-return]


def size_of(value: ValuePb) -> int:
    """Return a value's size in bytes as it counts towards the document limit.

    Source: https://firebase.google.com/docs/firestore/storage-size
    """
    kind = value.WhichOneof("value_type")
    if kind == "string_value":
        return len(value.string_value.encode()) + 1
    if kind == "bytes_value":
        return len(value.bytes_value)
    if kind == "reference_value":
        return sum(len(segment.encode()) + 1 for segment in value.reference_value.split("/")[5:]) + 16
    if kind == "array_value":
        return sum(size_of(item) for item in value.array_value.values)
    if kind == "map_value":
        return fields_size(value.map_value.fields)
    return {"null_value": 1, "boolean_value": 1, "geo_point_value": 16}.get(kind, 8)


def fields_size(fields: Mapping[str, ValuePb]) -> int:
    """Return the size in bytes of a map's or document's fields, names included."""
    return sum(len(name.encode()) + 1 + size_of(value) for name, value in fields.items())


def check_fields(fields: Mapping[str, ValuePb], depth: int = 1) -> None:
    """Check what is about to be stored.

    Raises:
        FirestoreError: INVALID_ARGUMENT for reserved, empty or overlong field names, nesting deeper than 20, arrays
            within arrays, values without a type, malformed vectors, or numbers out of a geo point's range.
    """
    for name in fields:
        if not name:
            raise invalid("A field name must not be empty.")
        if name.startswith("__") and _RESERVED_FIELD.fullmatch(name):
            raise invalid(f'Field name "{name}" is invalid because it is reserved.')
        if len(name) > FIELD_NAME_BYTES_MAX // 4 and len(name.encode()) > FIELD_NAME_BYTES_MAX:
            raise invalid(f'The field name starting with "{name[:20]}" is longer than {FIELD_NAME_BYTES_MAX} bytes.')
        value = fields[name]
        if value.WhichOneof("value_type") not in _ALWAYS_VALID:
            _check_value(name, value, depth)


def _check_value(name: str, value: ValuePb, depth: int) -> None:
    kind = value.WhichOneof("value_type")
    if kind is None or kind not in _ENCODERS:
        raise invalid(f'Field "{name}" has a value without a type.')
    if kind == "map_value":
        _check_nesting(name, depth)
        if is_vector(value):
            _check_vector(name, value)
        else:
            check_fields(value.map_value.fields, depth + 1)
    elif kind == "array_value":
        _check_nesting(name, depth)
        for item in value.array_value.values:
            if item.HasField("array_value"):
                raise invalid(
                    f'Property "{name}" contains an invalid nested entity: '
                    "Cannot convert an array value in an array value."
                )
            _check_value(name, item, depth + 1)
    elif kind == "geo_point_value":
        point = value.geo_point_value
        if not (-90 <= point.latitude <= 90 and -180 <= point.longitude <= 180):
            raise invalid(f'Field "{name}": a geo point lies within latitude -90 to 90 and longitude -180 to 180.')


def _check_nesting(name: str, depth: int) -> None:
    if depth > NESTING_MAX:
        raise invalid(
            f'Property "{name}" is nested too deeply: maps and arrays may be nested at most {NESTING_MAX} levels deep.'
        )


def _check_vector(name: str, value: ValuePb) -> None:
    fields = value.map_value.fields
    parts = fields["value"].array_value.values if "value" in fields else []
    if not parts or not all(is_number(part) for part in parts):
        raise invalid(f'Field "{name}": a vector has at least one component and all of them are numbers.')
    if len(parts) > VECTOR_DIMENSIONS_MAX:
        raise invalid(
            f'Field "{name}": a vector has at most {VECTOR_DIMENSIONS_MAX} dimensions, this one has {len(parts)}.'
        )


def _as_float(value: ValuePb) -> float:
    return float(number_of(value))


def _escaped(raw: bytes) -> bytes:
    """Make raw bytes self-delimiting: a zero byte becomes 00 FF, the end is 00 01."""
    return raw.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def _segment(segment: str) -> bytes:
    if segment.startswith("__id") and (numeric := _NUMERIC_ID.fullmatch(segment)):
        return bytes([_ID_NUMERIC]) + (int(numeric[1]) - INT_MIN).to_bytes(9, "big", signed=True)
    return b"\x03" + _escaped(segment.encode())


def _ordered_double(number: float) -> bytes:
    bits = struct.pack(">d", number + 0.0)  # adding zero turns -0.0, which equals 0.0, into it
    return bits.translate(_COMPLEMENT) if bits[0] & 0x80 else bytes([bits[0] | 0x80]) + bits[1:]


def _encode_integer(value: ValuePb) -> bytes:
    # The nearest double orders integers among doubles; what the rounding took away (at most 512) orders them exactly.
    number: int = value.integer_value
    nearest = float(number)
    return b"\x14" + _ordered_double(nearest) + (number - int(nearest) + 0x8000).to_bytes(2, "big")


def _encode_double(value: ValuePb) -> bytes:
    number = value.double_value
    if math.isnan(number):
        return b"\x13"
    return b"\x14" + _ordered_double(number) + b"\x80\x00"


def _encode_timestamp(value: ValuePb) -> bytes:
    seconds: int = value.timestamp_value.seconds
    nanos: int = value.timestamp_value.nanos
    return b"\x15" + (seconds + 2**63).to_bytes(8, "big") + nanos.to_bytes(4, "big")


def _encode_geo_point(value: ValuePb) -> bytes:
    return b"\x19" + _ordered_double(value.geo_point_value.latitude) + _ordered_double(value.geo_point_value.longitude)


def _encode_array(value: ValuePb) -> bytes:
    return b"\x1a" + b"".join([encode(item) for item in value.array_value.values]) + b"\x01"


def _encode_map(value: ValuePb) -> bytes:
    parts = vector_of(value)
    if parts is not None:
        return b"\x1b" + len(parts).to_bytes(4, "big") + b"".join([_ordered_double(part) for part in parts])
    items = sorted((name.encode(), item) for name, item in _keyed(value))
    return b"\x1c" + b"".join([b"\x02" + _escaped(name) + item for name, item in items]) + b"\x01"


def _keyed(value: ValuePb) -> list[tuple[str, bytes]]:
    return [(name, encode(item)) for name, item in value.map_value.fields.items()]


_ENCODERS: dict[str, Callable[[ValuePb], bytes]] = {
    "null_value": lambda _: b"\x10",
    "boolean_value": lambda value: b"\x12" if value.boolean_value else b"\x11",
    "integer_value": _encode_integer,
    "double_value": _encode_double,
    "timestamp_value": _encode_timestamp,
    "string_value": lambda value: b"\x16" + _escaped(value.string_value.encode()),
    "bytes_value": lambda value: b"\x17" + _escaped(value.bytes_value),
    "reference_value": lambda value: b"\x18" + encode_path(value.reference_value),
    "geo_point_value": _encode_geo_point,
    "array_value": _encode_array,
    "map_value": _encode_map,
}

_ALWAYS_VALID = _ENCODERS.keys() - {"geo_point_value", "array_value", "map_value"}
