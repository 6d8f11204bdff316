"""The error tree is drawn where it is defined, and every branch is a decision of its own."""

import re

import pytest

from functions.core.payments import refusals as of_payments
from functions.core.shared import errors
from functions.core.shared.errors import EcolaneError, InvalidImage
from functions.core.shared.photos import PhotoProblem
from functions.core.teams import refusals as of_teams
from functions.core.wallet import refusals as of_wallets

assert all(each.__name__ for each in (of_payments, of_teams, of_wallets))  # whose classes stand in the same tree

CLASSES = sorted(EcolaneError.__subclasses__(), key=lambda error: error.__name__)


def test_the_drawn_tree_and_the_classes_are_the_same() -> None:
    """A reader of errors.py's first page sees every error that a caller can meet, and no other."""
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(drawn) == [error.__name__ for error in CLASSES]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_the_app_can_switch_on_the_reason(error: type[EcolaneError]) -> None:
    """Each class has a reason of its own, a constant in capitals that follows from its name."""
    assert error.reason == re.sub(r"(?<!^)(?=[A-Z])", "_", error.__name__).upper()


def test_a_refused_photo_says_what_its_problem_is() -> None:
    """Each refusal of a photo has one of the problems that the app knows."""
    raised = InvalidImage(PhotoProblem.HEIC, "Convert it.")
    assert (raised.message, raised.details) == ("Convert it.", {"problem": "heic"})


@pytest.mark.parametrize(
    "error", [each for each in CLASSES if each is not InvalidImage], ids=lambda error: error.__name__
)
def test_an_error_carries_its_message_and_details(error: type[EcolaneError]) -> None:
    """What went wrong is in the text and in the log, and the details are there for the app."""
    raised = error("Try again.", retryAfter=30)
    assert (str(raised), raised.message, raised.details) == ("Try again.", "Try again.", {"retryAfter": 30})


def test_the_tree_is_flat() -> None:
    """One class per decision: none is a special case of another, so each is mapped by itself."""
    assert all(not error.__subclasses__() for error in CLASSES)
