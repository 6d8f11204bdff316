"""The doors, met with what telephones emit: the wire forms of three SDKs, names and tags in many languages."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from werkzeug.test import TestResponse

from functions.edge.callables import request_type
from scripts.sample_calls import sample_calls, sample_photo
from scripts.shop_in_process import Shop
from tests.app import photo
from tests.sdks import INT64, SDKS
from tests.steps import UNLIMITED
from tests.wire import Wire, content, id_token, names, new_wire, operator_token, use_case

CALLABLES = names("callable")
CALLS = sample_calls("ann")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a fresh cloud, and a photo."""
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    with new_wire(monkeypatch) as wire:
        Shop(cloud=wire.cloud).is_customer()
        wire.cloud.upload("ann", "photo.jpg", photo(32))
        yield wire


def request_of(name: str) -> type[BaseModel]:
    """Return what a callable's request is checked against."""
    kind: type[BaseModel] = request_type(use_case(name))
    return kind


def sent(wire: Wire, name: str, data: object, sdk: str = "android", uid: str = "ann") -> TestResponse:
    """Send a call as an SDK does."""
    headers = {"Authorization": f"Bearer {operator_token(uid)}", **SDKS[sdk].headers}
    return wire.request(name, SDKS[sdk].body(data), **headers)


def refused(wire: Wire, name: str, data: object) -> tuple[str, str]:
    """Make a call that is refused for one of its fields. Returns the field's name and what is said."""
    answer = sent(wire, name, data)
    error = content(answer)["error"]
    assert (answer.status_code, error["details"]["reason"]) == (400, "INVALID_REQUEST")
    return error["details"]["field"], error["message"]


def outcome(answer: TestResponse) -> tuple[int, Any]:
    """Return what came of a call: its answer's fields, or why it was refused."""
    told = content(answer)
    return answer.status_code, told.get("error") or sorted(told["result"])


# Whole numbers


def whole_number_fields(model: type[BaseModel]) -> set[str]:
    """Return the fields of a request that take a whole number, by name."""
    parts = [model.model_json_schema(), *model.model_json_schema().get("$defs", {}).values()]
    fields = [field for part in parts for field in part.get("properties", {}).items()]
    return {name for name, schema in fields if '"integer"' in json.dumps(schema)}


def whole_numbers(data: Any) -> set[str]:
    """Return the names of the fields in which a call has whole numbers."""
    if isinstance(data, list):
        return {name for item in data for name in whole_numbers(item)}
    if not isinstance(data, dict):
        return set()
    here = {name for name, value in data.items() if type(value) is int}
    return here | {name for value in data.values() for name in whole_numbers(value)}


@pytest.mark.parametrize("name", CALLABLES)
def test_each_call_here_has_every_whole_number(name: str) -> None:
    """A callable that is added, or gets a number, is met with both spellings, too."""
    assert whole_number_fields(request_of(name)) <= whole_numbers(CALLS[name])


@pytest.mark.parametrize("sdk", ["android", "apple"])
@pytest.mark.parametrize("name", CALLABLES)
def test_every_callable_takes_both_spellings_of_whole_numbers(
    monkeypatch: pytest.MonkeyPatch, name: str, sdk: str
) -> None:
    """What the SDKs of Android and Apple send is served, or refused, as what the web's SDK sends."""
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    outcomes = []
    for each in (sdk, "web"):
        with new_wire(monkeypatch) as wire:
            wire.cloud.upload("ann", "photo.jpg", photo(32))
            outcomes.append(outcome(sent(wire, name, CALLS[name], each)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != 400 or outcomes[0][1]["details"]["reason"] != "INVALID_REQUEST"


def with_number(data: Any, number: object) -> Any:
    """Return a call with something else where its whole number is."""
    if isinstance(data, dict):
        return {name: with_number(value, number) for name, value in data.items()}
    return number if type(data) is int else data


@pytest.mark.parametrize("name", [name for name in CALLABLES if whole_numbers(CALLS[name])])
@pytest.mark.parametrize("value", ["five", "", "5.5", "9" * 30, "9" * 5_000], ids=lambda value: value[:31])
def test_a_malformed_number_is_refused_by_its_field(wire: Wire, name: str, value: str) -> None:
    """As if anything else that is no whole number had been sent; firebase-functions for Node answers INTERNAL."""
    (field,) = whole_numbers(CALLS[name])
    named, why = refused(wire, name, with_number(CALLS[name], {"@type": INT64, "value": value}))
    assert named.rpartition(".")[2] == field
    assert why == f"{named}: must be a whole number."


def test_a_whole_double_is_a_whole_number(wire: Wire) -> None:
    """Dart's 5.0 goes out as 5 from a telephone, and as 5.0 from other clients; 5.5 is refused by its field."""
    for text in ("5", "5.0", "5e0"):
        body = f'{{"data": {{"limit": {text}}}}}'
        assert (
            wire.request(
                "list_jobs", body, **SDKS["web"].headers, Authorization=f"Bearer {id_token('ann')}"
            ).status_code
            == 200
        )
    assert refused(wire, "list_jobs", {"limit": 5.5}) == ("limit", "limit: must be a whole number.")


@pytest.mark.parametrize("name", CALLABLES)
def test_an_answer_holds_numbers_that_every_sdk_reads(wire: Wire, name: str) -> None:
    """Plain ones, of at most 53 bits, and no object that an SDK would take for something else."""

    def require(value: Any) -> None:
        if isinstance(value, dict):
            assert "@type" not in value
            [require(part) for part in value.values()]  # type: ignore[func-returns-value]
        if isinstance(value, list):
            [require(item) for item in value]  # type: ignore[func-returns-value]
        assert not isinstance(value, int | float) or abs(value) < 2**53

    require(content(sent(wire, name, CALLS[name])))


# Empty fields


@pytest.mark.parametrize("name", CALLABLES)
def test_null_is_what_was_not_set(wire: Wire, name: str) -> None:
    """A map that a telephone sends has its empty fields in it: they count as left out."""
    optional = [str(field.alias) for field in request_of(name).model_fields.values() if not field.is_required()]
    kept = {field: value for field, value in CALLS[name].items() if field not in optional}
    answer = sent(wire, name, {**kept, **dict.fromkeys(optional)})
    assert outcome(answer) == outcome(sent(wire, name, kept)) or answer.status_code == 200


@pytest.mark.parametrize("name", CALLABLES)
def test_no_data_at_all_is_an_empty_request(wire: Wire, name: str) -> None:
    """`call()` without a parameter sends null: what needs nothing is served, the rest names what is missing."""
    required = [field.alias for field in request_of(name).model_fields.values() if field.is_required()]
    if required:
        assert refused(wire, name, None) == (required[0], f"{required[0]}: is missing.")
    else:
        assert sent(wire, name, None).status_code == 200


# Places and languages


def classified(wire: Wire, number: int, **more: str) -> Any:
    """Classify a photo at once, and return the result."""
    data = {"requestId": f"request-{number}", "imagePath": sample_photo("ann"), "mode": "instant", **more}
    told = content(sent(wire, "classify_image", data))
    assert "error" not in told, told
    return told["result"]["result"]


@pytest.fixture
def room(wire: Wire) -> None:
    """Enough tokens, calls and budget."""
    wire.cloud.configure(
        {"tokens": {"welcome": 1_000, "balanceCap": 100_000, "instantPrice": 1}}
        | {
            "plans": {"free": {**UNLIMITED, "manualPerDay": 1_000}},
            "budget": {"perUserDailyMicros": 10_000_000_000, "dailyLimitMicros": 10_000_000_000},
        }
    )


def test_a_place_is_the_same_however_it_is_composed(wire: Wire, room: None) -> None:
    """Apple's keyboards may take é apart: a repeated call is the same call, and the prompt is the same."""
    for name in ("classify_image", "classify_images"):
        first, again = (
            content(sent(wire, name, {**CALLS[name], "region": region}))["result"]
            for region in ("São Tomé", "Sa\u0303o Tome\u0301")
        )
        assert (first.get("jobId"), first.get("results")) == (again.get("jobId"), again.get("results"))


@pytest.mark.parametrize("region", ["a\nb", "a\u2028b", "a\x00b", "a\u202eb", "<system>", "x" * 97, " "], ids=ascii)
def test_what_is_no_place_stays_out_of_the_prompt(wire: Wire, region: str) -> None:
    """Refused by the field's name, in words."""
    field, why = refused(wire, "classify_image", {**CALLS["classify_image"], "region": region})
    assert field == "region"
    assert "name of a place" in why or "at most 96 characters" in why


@pytest.mark.parametrize(
    ("sent_as", "understood"),
    [
        ("de_DE", "de-DE"),
        ("en-US-u-fw-mon-mu-celsius", "en-US"),
        ("zh_Hant_TW", "zh-Hant-TW"),
        ("de_DE.UTF-8", "de-DE"),
    ],
)
def test_a_language_is_taken_as_the_telephone_names_it(wire: Wire, room: None, sent_as: str, understood: str) -> None:
    """Dart's Platform.localeName, Android 14's toLanguageTag, Apple's identifiers: one form in result and
    preferences."""
    assert classified(wire, 1, language=sent_as)["language"] == understood
    answer = content(sent(wire, "register_device", {**CALLS["register_device"], "language": sent_as}))
    assert answer["result"]["preferences"]["language"] == understood


@pytest.mark.parametrize("item", ["灯", "컵", "ก", "Tetra Pak® 1 l"])
def test_one_sign_is_a_word(wire: Wire, item: str) -> None:
    """What a user says a thing is may be one character long."""
    data = {**CALLS["record_manual_classification"], "itemName": item}
    assert content(sent(wire, "record_manual_classification", data))["result"]["entry"]["detail"]["itemName"] == item


def test_an_item_needs_a_name(wire: Wire) -> None:
    """Spaces are none."""
    data = {**CALLS["record_manual_classification"], "itemName": "  "}
    assert refused(wire, "record_manual_classification", data) == ("itemName", "itemName: must not be empty.")


# What is said


PYDANTICS = ("^", "$", "\\", "Input", "Value error", "pydantic", "is not valid (")


@pytest.mark.parametrize("name", CALLABLES)
def test_every_refusal_of_a_field_is_in_words(wire: Wire, room: None, name: str) -> None:
    """Each field, filled with each kind of nonsense: no regular expression, nothing of pydantic's."""
    nonsense = ["", "?", "x" * 5_000, -1, 10**12, 1.5, True, [], ["?"], [1] * 99, {}, {"x": 1}, [{"x": 1}]]
    told = [
        content(sent(wire, name, {**CALLS[name], field: value})).get("error", {}).get("message", "")
        for field in [*(str(known.alias) for known in request_of(name).model_fields.values()), "unknown"]
        for value in nonsense
        if value != {} or field != "changes"
    ]
    assert sum(bool(text) for text in told) >= len(nonsense)
    assert [text for text in told if any(mark in text for mark in PYDANTICS)] == []
