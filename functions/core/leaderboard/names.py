"""Names that others see: what they may consist of, and what they may not say.

A name is brought into Unicode's form NFKC, with single spaces. It has letters of one script, or of those that are
written together, so that none imitates another; no character that cannot be seen; and few digits, so that no telephone
number fits. What it says is compared without accents, with look-alikes (of Cyrillic, Greek, digits) for what they
imitate, and without repeated letters. Names need not be unique.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from functions.core.shared.errors import InvalidRequest

CHARACTERS_MIN, CHARACTERS_MAX = 2, 20
DIGITS_MAX = 4
MARKS_IN_A_ROW_MAX = 2
"""Accents and vowel signs above or below one letter; more of them cover the lines beside it."""

_PUNCTUATION = frozenset(" '’-_")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\ufe0f")
"""Letters and marks by their category that are not seen, beside the ranges of `_is_invisible`."""

_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"CJK", "HANGUL", "IDEOGRAPHIC"}),
    frozenset({"CJK", "BOPOMOFO", "IDEOGRAPHIC"}),
)
"""Scripts that one language writes together."""

_RESERVED = "admin", "administrator", "moderator", "mod", "official", "operator", "staff", "support", "админ"
_OURS = "ecolane"

_LOOK_ALIKES = str.maketrans(
    "авекмнорстухіјѕԁɡһѵαβεικνορτυχη013456789l",
    "abekmhopctyxijsdghvabeikvoptuxnoieasgtbgi",
)
"""1, l and i are one."""


def checked_name(text: str, words: Sequence[str]) -> str:
    """Return a display name as it is stored. Raises InvalidRequest for one that cannot be shown; it does not tell which
    word was found."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip()
    if not CHARACTERS_MIN <= len(name) <= CHARACTERS_MAX:
        raise _refused(f"must have {CHARACTERS_MIN} to {CHARACTERS_MAX} characters")
    if not all(_is_allowed(each) for each in name) or _piles_marks(name):
        raise _refused("may have letters, digits, spaces, and ' - _")
    if len(_scripts(name)) == 0:
        raise _refused("must have a letter")
    if sum(each.isdecimal() for each in name) > DIGITS_MAX:
        raise _refused(f"may have at most {DIGITS_MAX} digits")
    if not _one_script(_scripts(name)):
        raise _refused("mixes letters of several alphabets")
    if says_what_it_must_not(name, words):
        raise _refused("is not allowed; choose another name")
    return name


def says_what_it_must_not(name: str, words: Sequence[str]) -> bool:
    """Tell whether a name claims to be ours, or contains one of these words."""
    said = list(_spoken(name))
    whole = "".join(said)
    if any(ours in spelling for ours in _spellings(_OURS) for spelling in _spellings(whole)):
        return True
    spelt = {spelling for each in (whole, *said) for spelling in _spellings(each)}
    for word in (*_RESERVED, *words):
        for bare in _spellings("".join(_spoken(word.removesuffix("*")))) - {""}:
            if spelt & {bare, f"{bare}s"} or (word.endswith("*") and any(each.startswith(bare) for each in spelt)):
                return True
    return False


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"displayName: {why}.", field="displayName")


def _is_allowed(character: str) -> bool:
    if character in _PUNCTUATION or unicodedata.category(character) == "Nd":
        return True
    return unicodedata.category(character)[0] in "LM" and not _is_invisible(character)


def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000e0fff"


def _piles_marks(name: str) -> bool:
    kinds = "".join(unicodedata.category(each)[0] for each in name)
    return kinds.startswith("M") or re.search(rf"[^LM]M|M{{{MARKS_IN_A_ROW_MAX + 1}}}", kinds) is not None


def _scripts(name: str) -> set[str]:
    """Return the scripts of a name's letters, as their names in Unicode begin."""
    letters = (each for each in name if unicodedata.category(each)[0] == "L")
    return {unicodedata.name(each, "?").split()[0] for each in letters} - {"MODIFIER"}


def _one_script(scripts: set[str]) -> bool:
    return len(scripts) == 1 or any(scripts <= together for together in _TOGETHER)


def _spoken(text: str) -> Iterator[str]:
    """Yield the words of a text as they are compared."""
    for word in re.split(r"[ '’\-_]+", text):
        plain = "".join(each for each in unicodedata.normalize("NFKD", word) if unicodedata.category(each)[0] != "M")
        yield re.sub(r"[\W\d_]", "", plain.casefold().translate(_LOOK_ALIKES))


def _spellings(word: str) -> set[str]:
    """Return a word as it is, and without repeated letters."""
    spoken = word.translate(_LOOK_ALIKES)
    return {spoken, re.sub(r"(.)\1+", r"\1", spoken)}
