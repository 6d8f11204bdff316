"""What can be wrong with a photo is a closed list of constants."""

from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem


def test_a_refusal_carries_its_problem_as_plain_text() -> None:
    """The app gets `details.problem` as JSON, and jobs store it."""
    error = InvalidImage(PhotoProblem.CUT_OFF, "The end of the photo is missing.")
    assert (error.problem, error.details) == (PhotoProblem.CUT_OFF, {"problem": "cutOff"})
    assert all(type(problem.value) is str and problem.value.isalpha() for problem in PhotoProblem)
