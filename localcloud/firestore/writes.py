"""Writes: preconditions, masks and field transforms, turning a document's old state into its new one.

Sources: the protocol's own documentation of `Write`, `Precondition` and `DocumentTransform`.
"""

import math
from collections.abc import Iterable

from .errors import already_exists, failed_precondition, invalid, not_found
from .ordered_index import FieldPath, lookup
from .paths import parse_field_path
from .protos import Document, DocumentPb, FieldTransform, Message, Value, ValuePb, WritePb, WriteResult
from .values import INT_MAX, INT_MIN, check_fields, encode, fields_size, is_number, number_of
from .wire import tick_of

DOCUMENT_BYTES_MAX = 1024 * 1024
TRANSFORMS_MAX = 500  # on one document

# A document that is this small on the wire cannot be over the limit: no value counts for more than four times its
# wire size.
_SURELY_SMALL_BYTES = DOCUMENT_BYTES_MAX // 4


def target_name(write: WritePb) -> str:
    """Return the full name of the document a write is about.

    Raises:
        FirestoreError: INVALID_ARGUMENT when the write has no operation.
    """
    match write.WhichOneof("operation"):
        case "update":
            return str(write.update.name)
        case "delete":
            return str(write.delete)
        case "transform":
            return str(write.transform.document)
        case _:
            raise invalid("A write must have an operation: update, delete or transform.")


def check_precondition(precondition: Message, updated: int | None, name: str) -> None:
    """Compare what the client expects with a document's update time (a tick; None when there is no document).

    Raises:
        FirestoreError: NOT_FOUND or ALREADY_EXISTS for `exists`; for `update_time` FAILED_PRECONDITION, and
            INVALID_ARGUMENT if the document has never been that new.
    """
    kind = precondition.WhichOneof("condition_type")
    if kind == "exists":
        if precondition.exists and updated is None:
            raise not_found(f"No document to update: {name}")
        if not precondition.exists and updated is not None:
            raise already_exists(f"Document already exists: {name}")
    elif kind == "update_time":
        expected = tick_of(precondition.update_time)
        if updated is not None and expected > updated:
            raise invalid(f"Invalid base version, it is greater than the stored version: {name}")
        if expected != updated:
            raise failed_precondition(
                f"The stored version ({updated or 0}) does not match the required base version ({expected}): {name}"
            )


def apply_write(
    write: WritePb, name: str, before: DocumentPb | None, moment: Message
) -> tuple[DocumentPb | None, Message]:
    """Return the document after a write (None: deleted) and the `WriteResult`, whose update time is left to the caller.

    `moment` is the commit's time as a timestamp message; it becomes the value of server timestamps.
    """
    result = WriteResult()
    operation = write.WhichOneof("operation")
    if operation == "delete":
        return None, result
    after = Document(name=name)
    if operation == "update" and not write.HasField("update_mask"):
        after.fields.MergeFrom(write.update.fields)
    elif before is not None:
        after.fields.MergeFrom(before.fields)
    if operation == "update" and write.HasField("update_mask"):
        for path in write.update_mask.field_paths:
            _copy_field(write.update, after, parse_field_path(path))
    transforms = write.transform.field_transforms if operation == "transform" else write.update_transforms
    if len(transforms) > TRANSFORMS_MAX:
        raise invalid(f"A write has at most {TRANSFORMS_MAX} field transforms.")
    for transform in transforms:
        field = parse_field_path(transform.field_path)
        value, shown = _transformed(transform, lookup(after, field), moment)
        set_field(after.fields, field, value)
        result.transform_results.append(shown)
    _check_document(after)
    return after, result


def _check_document(document: DocumentPb) -> None:
    check_fields(document.fields)
    if document.ByteSize() <= _SURELY_SMALL_BYTES:
        return
    segments = document.name.split("/")[5:]
    size = sum(len(segment.encode()) + 1 for segment in segments) + 16 + fields_size(document.fields) + 32
    if size > DOCUMENT_BYTES_MAX:
        raise invalid(
            f"Document '{document.name}' cannot be written because its size ({size:,} bytes) exceeds "
            f"the maximum allowed size of {DOCUMENT_BYTES_MAX:,} bytes."
        )


def _copy_field(source: DocumentPb, target: DocumentPb, field: FieldPath) -> None:
    """Give `target` what `source` has at a field path, which may be nothing."""
    value = lookup(source, field)
    if value is not None:
        set_field(target.fields, field, value)
    else:
        _delete_field(target.fields, field)


def set_field(fields: Message, field: FieldPath, value: ValuePb) -> None:
    """Put a value at a field path, making maps of what lies on the way."""
    for name in field[:-1]:
        parent = fields[name]
        if not parent.HasField("map_value"):
            parent.map_value.SetInParent()
        fields = parent.map_value.fields
    fields[field[-1]].CopyFrom(value)


def _delete_field(fields: Message, field: FieldPath) -> None:
    for name in field[:-1]:
        if name not in fields or not fields[name].HasField("map_value"):
            return
        fields = fields[name].map_value.fields
    if field[-1] in fields:
        del fields[field[-1]]


def _transformed(transform: Message, current: ValuePb | None, moment: Message) -> tuple[ValuePb, ValuePb]:
    """Return the field's new value, and the value to report for the transform."""
    null = Value(null_value=0)
    match transform.WhichOneof("transform_type"):
        case "set_to_server_value":
            if transform.set_to_server_value != FieldTransform.REQUEST_TIME:
                raise invalid("The only server value is REQUEST_TIME.")
            value = Value(timestamp_value=moment)
        case "increment":
            value = _incremented(current, transform.increment)
        case "maximum":
            value = _extreme(current, transform.maximum, largest=True)
        case "minimum":
            value = _extreme(current, transform.minimum, largest=False)
        case "append_missing_elements":
            return _union(current, transform.append_missing_elements.values), null
        case "remove_all_from_array":
            return _difference(current, transform.remove_all_from_array.values), null
        case _:
            raise invalid(f'The transform of field "{transform.field_path}" has no type.')
    return value, value


def _check_operand(operand: ValuePb, name: str) -> None:
    if not is_number(operand):
        raise invalid(f"The operand of {name} must be an integer or a double.")


def _incremented(current: ValuePb | None, operand: ValuePb) -> ValuePb:
    _check_operand(operand, "increment")
    if current is None or not is_number(current):
        return operand
    total = number_of(current) + number_of(operand)
    if isinstance(total, float):
        return Value(double_value=total)
    return Value(integer_value=min(INT_MAX, max(INT_MIN, total)))  # integers saturate, as documented


def _extreme(current: ValuePb | None, operand: ValuePb, *, largest: bool) -> ValuePb:
    _check_operand(operand, "maximum" if largest else "minimum")
    if current is None or not is_number(current):
        return operand
    kept, offered = number_of(current), number_of(operand)
    if math.isnan(kept) or math.isnan(offered):
        return Value(double_value=math.nan)
    replaces = offered > kept if largest else offered < kept  # equal ones, such as 3 and 3.0, leave the field as it is
    return operand if replaces else current


def _union(current: ValuePb | None, added: Iterable[ValuePb]) -> ValuePb:
    value = _array_or_empty(current)
    present = {encode(item) for item in value.array_value.values}
    for item in added:
        encoded = encode(item)
        if encoded not in present:
            present.add(encoded)
            value.array_value.values.append(item)
    return value


def _difference(current: ValuePb | None, removed: Iterable[ValuePb]) -> ValuePb:
    gone = {encode(item) for item in removed}
    value = Value()
    value.array_value.SetInParent()
    value.array_value.values.extend(
        item for item in _array_or_empty(current).array_value.values if encode(item) not in gone
    )
    return value


def _array_or_empty(current: ValuePb | None) -> ValuePb:
    value = Value()
    value.array_value.SetInParent()
    if current is not None and current.HasField("array_value"):
        value.CopyFrom(current)
    return value
