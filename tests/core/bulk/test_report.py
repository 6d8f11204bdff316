"""The report of a bulk job."""

import csv
from io import StringIO

from functions.core.bulk.report import COLUMNS, NOT_TAKEN, header, lines
from functions.core.jobs.jobs import Failure, JobError, Status
from tests.builders import classification, job


def read(text: str) -> list[dict[str, str]]:
    """Return the lines of a report."""
    return list(csv.DictReader(StringIO(header() + text)))


def test_a_line_says_what_became_of_a_photo() -> None:
    """Its result, its failure, or that it was never taken on."""
    done = job(status=Status.DONE, result=classification().as_json(), tokens_cost=1)
    failed = job(status=Status.FAILED, error=JobError(code=Failure.INVALID_IMAGE, message="no photo"))
    bare = job(status=Status.DONE, result={"disposal": None})
    found = read(lines([("u/1.jpg", done), ("u/2.jpg", failed), ("u/3.jpg", NOT_TAKEN), ("u/4.jpg", bare)]))
    assert [each["photo"] for each in found] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    first, second, third, fourth = found
    assert (first["status"], first["item"], first["category"], first["method"]) == (
        "done",
        "Water bottle",
        "Dry Waste",
        "recycle",
    )
    assert (first["tokens"], first["jobId"], first["reason"]) == ("1", "0" * 32, "")
    assert (second["status"], second["reason"], second["item"]) == ("failed", "INVALID_IMAGE", "")
    assert (third["status"], third["tokens"], third["jobId"]) == ("not_taken", "", "")
    assert (fourth["item"], fourth["method"]) == ("", "")
    assert tuple(first) == COLUMNS


def test_a_spreadsheet_calculates_nothing() -> None:
    """Neither a file's name nor a model's text begins a formula, and neither has a control character."""
    bad = job(status=Status.DONE, result={"itemName": "=1+1", "category": "a\x1b[0m\nb"})
    (found,) = read(lines([("u/@sum.jpg", bad)]))
    assert (found["photo"], found["item"], found["category"]) == ("'@sum.jpg", "'=1+1", "a[0m b")
