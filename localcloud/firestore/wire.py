"""Answers put together as bytes: a stored document goes out as it lies in the store, not parsed and built again."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from .protos import Message

TICKS_PER_SECOND = 1_000_000


def timestamp(tick: int) -> Message:
    """Return a tick (microseconds since 1970) as a protobuf timestamp."""
    seconds, micros = divmod(tick, TICKS_PER_SECOND)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def tick_of(moment: Message) -> int:
    """Return a protobuf timestamp as a tick; what is finer than a microsecond is cut off."""
    return int(moment.seconds) * TICKS_PER_SECOND + int(moment.nanos) // 1000


def framed(number: int, payload: bytes) -> bytes:
    """Return `payload` as field `number` of a message: a nested message, a string or bytes. `number` is below 16."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def packed(number: int, values: Iterable[int]) -> bytes:
    """Return numbers that are not negative as the repeated field `number` of a message, nothing if there is none."""
    payload = b"".join(map(_varint, values))
    return framed(number, payload) if payload else b""


def counted(number: int, value: int) -> bytes:
    """Return a number that is not negative as field `number` of a message. `number` is below 16."""
    return bytes([number << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
