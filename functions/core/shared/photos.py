"""What can be wrong with a photo: constants, sent as `details.problem` of `INVALID_IMAGE`; `docs/flutter.md` has the
advice."""

from enum import StrEnum


class PhotoProblem(StrEnum):
    """Why a file cannot be classified. Told by what is in it, whatever its name and type say."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "notAnImage"
    HEIC = "heic"
    UNSUPPORTED_FORMAT = "unsupportedFormat"
    CUT_OFF = "cutOff"
    DAMAGED = "damaged"
    TOO_LARGE = "tooLarge"
    TOO_SMALL = "tooSmall"
    TOO_LONG = "tooLong"
    TOO_COMPLEX = "tooComplex"
    REFUSED = "refused"
