"""A call's body and headers as the app's SDKs write them, from their sources of 2026.

Android (firebase-functions, Serializer.kt and FirebaseFunctions.kt) and Apple (firebase-ios-sdk,
FunctionsSerializer.swift and Functions.swift) get each Dart `int` as 64 bits from FlutterFire, and wrap it; a double
that is whole goes without its point. Both write `/` as `\\/`. The web's SDK writes numbers as they are.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INT64 = "type.googleapis.com/google.protobuf.Int64Value"
PUSH_TOKEN = "cXv0:APA91b" + "E" * 140  # looks like one of messaging's, which go along with each call
NO_APP_CHECK = "eyJlcnJvciI6IlVOS05PV05fRVJST1IifQ=="
"""What the SDKs send where App Check is set up in the app and its provider failed."""


@dataclass(frozen=True)
class Sdk:
    """How one of them writes a call."""

    number: Callable[[int], Any]
    slash: str
    headers: dict[str, str]

    def body(self, data: Any) -> bytes:
        """Return a call's body."""
        text = json.dumps({"data": self.encoded(data)}, ensure_ascii=False, separators=(",", ":"))
        return text.replace("/", self.slash).encode()

    def encoded(self, value: Any) -> Any:
        """Return a value as JSON has it."""
        if isinstance(value, dict):
            return {name: self.encoded(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.encoded(item) for item in value]
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return self.number(value) if type(value) is int else value


def _wrapped(number: int) -> dict[str, str]:
    return {"@type": INT64, "value": str(number)}


_PHONE = {"Firebase-Instance-ID-Token": PUSH_TOKEN, "X-Firebase-AppCheck": NO_APP_CHECK}
SDKS = {
    "android": Sdk(
        _wrapped,
        "\\/",
        {**_PHONE, "Content-Type": "application/json; charset=utf-8", "User-Agent": "okhttp/3.12.13"},
    ),
    "apple": Sdk(
        _wrapped,
        "\\/",
        {**_PHONE, "Content-Type": "application/json", "User-Agent": "Ecolane/1.0 iPhone/18.1 hw/iPhone15_2"},
    ),
    "web": Sdk(int, "/", {"Content-Type": "application/json", "Origin": "https://app.example"}),
}
