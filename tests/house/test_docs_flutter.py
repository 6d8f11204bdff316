"""docs/flutter.md, and the client beside it, tell the app's developer what the code does: each call, field and refusal,
and no other."""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from functions.adapters.images import LENGTH_MAX, SIDE_MIN, jpeg
from functions.adapters.images.files import DECODER_BYTES_MAX, PIXELS_WHOLE_MAX
from functions.core.jobs.jobs import Failure
from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from functions.core.model.classification import Alternative, Category, Classification, Disposal, DisposalMethod
from functions.core.shared import errors
from functions.core.shared.photos import PhotoProblem
from functions.core.shared.records import Request
from functions.core.wallet.ledger import LedgerEntry, Reason
from functions.edge.http_errors import CODES
from functions.use_cases.jobs.classify_images import Image
from localcloud.functions import triggers_of
from localcloud.up import USUAL_PORTS
from scripts.ecolane_cloud import ecolane_cloud
from tests.answers import every_answer

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "flutter.md").read_text(encoding="utf-8")
CLIENT = (ROOT / "docs" / "ecolane.dart").read_text(encoding="utf-8")
UNUSUAL = {"closedBecause", "alreadySent"}  # the instant lane was closed; the cache named another job
SENT, ANSWER = "| sent | |", "| answer | |"


@cache
def callables() -> list[str]:
    """Return the names of the callables that main.py declares."""
    return [row["name"] for row in triggers_of(importlib.import_module("main")) if row["trigger"] == "callable"]


def section(heading: str) -> str:
    """Return a chapter up to the next one of its rank."""
    found = re.search(rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#{{2,3}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/flutter.md has no chapter {heading}"
    return found[2]


def fields(text: str, title: str) -> set[str]:
    """Return the names in the first column of the table with this title; a table without names has none."""
    table = text.partition(title)[2].lstrip("\n").partition("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines()[1:] if line.startswith("|")]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def request_of(name: str) -> type[Request]:
    """Return the type of the request that a callable takes."""
    (path,) = (ROOT / "functions" / "use_cases").rglob(f"{name}.py")
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    model: type[Request] = getattr(module, "".join(part.title() for part in name.split("_")))
    return model


def aliases(model: type[BaseModel]) -> set[str]:
    """Return the names of a record's fields as the app sees them."""
    return {str(field.alias) for field in model.model_fields.values()}


def in_code(text: str) -> set[str]:
    """Return what a text has in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("name", callables())
def test_what_is_sent_is_told(name: str) -> None:
    """The table of a call has the fields of its request, with a `?` at those that may be left out."""
    text, model = section(name), request_of(name)

    assert fields(text, SENT) == aliases(model), f"docs/flutter.md, chapter {name}: list the fields that are sent"
    for field in model.model_fields.values():
        optional = re.search(rf"^\|.*`{field.alias}`\?", text.partition(ANSWER)[0], re.MULTILINE)
        assert bool(optional) is not field.is_required(), field.alias


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """An answer of each call."""
    return every_answer(monkeypatch)


OF_JOBS = {"get_job", "upgrade_job", "cancel_job", "report_answer"}
"""Calls whose answer is a job; `classify_image` has its fields."""

OF_TEAMS = {"create_team", "join_team"}
"""Calls whose answer is a team; `get_team` has its fields."""

OF_BULKS = {"get_bulk", "cancel_bulk"}
"""Calls whose answer is a bulk job, of which `start_bulk` has the fields; a chapter adds those of its own."""


def test_what_is_answered_is_told(answers: dict[str, dict[str, Any]]) -> None:
    """The table of a call has the fields of its answer and no others; the chapters have what is inside them."""
    of_jobs, of_bulks = (fields(section(name), ANSWER) for name in ("classify_image", "start_bulk"))
    for name, answer in answers.items():
        told = of_jobs if name in OF_JOBS else fields(section("get_team" if name in OF_TEAMS else name), ANSWER)
        told |= of_bulks if name in OF_BULKS else set()
        left_out = told - answer.keys() if name in OF_JOBS else UNUSUAL & told
        if name != "admin_stats":  # whose chapter says where its answer is described
            assert told - left_out == set(answer), f"docs/flutter.md, chapter {name}: list the fields of the answer"
    for part in ("instant", "batch"):
        assert set(answers["quote"][part]) <= in_code(section("quote"))
    today = answers["get_wallet"]["today"]
    assert {*today, *today["instant"]} <= in_code(section("get_wallet"))
    assert set(answers["list_jobs"]["jobs"][0]) <= of_jobs
    assert set(answers["classify_images"]["results"][0]) <= in_code(section("classify_images"))
    assert aliases(Image) <= in_code(section("classify_images"))
    assert set(answers["register_device"]["preferences"]) <= in_code(section("register_device"))


def test_records_are_described_in_full() -> None:
    """A result, an entry and a change of the config have the fields that are listed."""
    result = section("classify_image").partition("#### The result")[2]
    assert fields(result, "| field | |") == aliases(Classification)
    assert aliases(Disposal) | aliases(Alternative) <= in_code(result)
    assert {*Category, *DisposalMethod} <= in_code(result)
    assert aliases(LedgerEntry) | {*Reason} <= in_code(section("list_ledger"))


def refusals() -> dict[str, list[str]]:
    """Return the rows of the table of refusals by their reason."""
    rows = [
        re.split(r" *\| *", line.strip("| ")) for line in section("Refusals").splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row for row in rows if row[0] != "`details.reason`"}


def test_every_refusal_is_in_the_table() -> None:
    """Each reason of the code, and the one of our own defects; with its code and its details."""
    table = refusals()

    assert set(table) == {error.reason for error in CODES} | {"INTERNAL"}
    for error, code in CODES.items():
        _, shown_code, details, advice = table[error.reason]
        assert shown_code == f"`{code.value}`", error.reason
        assert documented_details(error) <= in_code(details), error.reason
        assert advice.strip()


def documented_details(error: type[errors.EcolaneError]) -> set[str]:
    """Return the names that an error's docstring gives after "Detail"."""
    told = re.search(r"Details?: (.*)", error.__doc__ or "", re.DOTALL)
    return set(re.findall(r"`(\w+)`", told[1])) if told else set()


def test_every_failure_of_a_job_is_named() -> None:
    """A job that fails later says why by one of these."""
    assert {*Failure} <= in_code(section("Refusals"))


def test_every_problem_of_a_photo_is_told() -> None:
    """The table has each one that the code knows and no other, each with what the app can do, and the limits."""
    text = section("Why a photo is refused")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    told = {row[0].strip("`"): row[1:] for row in rows if row[0] != "`problem`"}

    assert set(told) == {*PhotoProblem}
    assert all(what.strip() and advice.strip() for what, advice in told.values())
    limits = [IMAGE_BYTES_MAX // 2**20, jpeg.PIXELS_MAX // 10**6, PIXELS_WHOLE_MAX // 10**6]
    progressive = DECODER_BYTES_MAX // 3 // 10**6  # three bytes of coefficients a pixel, in the usual half resolution
    assert [int(number) for number in re.findall(r"\d+", told["tooLarge"][0])] == [
        *limits[:2],
        pytest.approx(progressive, abs=1),
        *limits[2:],
    ]
    assert f"less than {SIDE_MIN} pixels" in told["tooSmall"][0]
    assert f"more than {LENGTH_MAX} times" in told["tooLong"][0]


def test_the_refusals_of_a_call_are_reasons() -> None:
    """No chapter names a constant that the code does not have."""
    known = {error.reason for error in CODES} | {*Failure} | {"INTERNAL", "OPERATOR", "BUDGET"}
    named = {name for name in in_code(TEXT) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name)}

    assert named - known == {"ENFORCE_APP_CHECK"}


@pytest.mark.parametrize("name", callables())
def test_a_chapter_has_the_refusals_that_its_use_case_names(name: str) -> None:
    """What is behind "Refused with" is what is behind "Raises", but for what every call can be refused with."""
    use_case = getattr(importlib.import_module(request_of(name).__module__), name)
    raises = (use_case.__doc__ or "").partition("Raises")[2]
    named = {error.reason for error in CODES if re.search(rf"\b{error.__name__}\b", raises)}
    paragraphs = re.findall(r"Refused with(.*?)(?:\n\n|\Z)", section(name), re.DOTALL)
    told = in_code("".join(paragraphs)) & {error.reason for error in CODES}

    wrong = (named ^ told) - in_code(section("Every call"))
    assert not wrong, f"docs/flutter.md, chapter {name}, and the use case's docstring differ about {wrong}"


def test_the_local_cloud_is_where_it_says() -> None:
    """Project, bucket, region and the usual ports."""
    cloud = ecolane_cloud()
    assert {cloud.project, cloud.bucket} <= in_code(section("Against the local cloud"))
    assert f"const region = '{cloud.region}';" in CLIENT
    ports = dict(re.findall(r"\.use(\w+)Emulator\(host, (\d+)\)", CLIENT))
    assert {name.lower(): int(port) for name, port in ports.items()} == {
        part: USUAL_PORTS[part] for part in ("auth", "firestore", "functions", "storage")
    }


def test_the_client_sends_what_the_functions_take() -> None:
    """Each call in docs/ecolane.dart names a callable, fields that it has, and all that it requires."""
    sent = dict(re.findall(r"_call\('(\w+)'(?:,\s*data: ([^)]*\}|\w+))?", CLIENT))
    assert set(sent) >= {"classify_image", "register_device", "sync_purchases"}
    for name, data in sent.items():
        literal = data if data.startswith("{") else (re.search(rf"final {data} = (.*?);", CLIENT) or ["", ""])[1]
        names = set(re.findall(r"'(\w+)':", literal))
        fields = {field.alias: field.is_required() for field in request_of(name).model_fields.values()}
        assert names <= fields.keys(), name
        assert {each for each, required in fields.items() if required} <= names, name


def test_links_lead_somewhere() -> None:
    """Every link to a chapter has its chapter."""
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
