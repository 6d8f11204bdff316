"""Where a user is and which language they read, as telephones write it.

    region    a place's name: what CLDR and keyboards write, in any script; it becomes a part of the prompt
    language  a BCP 47 tag, or what Java, Dart and POSIX make of one: `de_DE`, `zh_TW_#Hant`, `en_US.UTF-8`

Both are brought into one form, so that the same place or language is the same request, and the same prompt.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

REGION_CHARACTERS_MAX = 96
"""The longest name that CLDR 48 has for a country, Hong Kong's in Maltese, has 81. What is much longer is no name."""

LANGUAGE_CHARACTERS_MAX = 35
"""RFC 5646, section 4.4.1: room for every tag that is in use."""

_SENT_CHARACTERS_MAX = 256
"""Before what is of no use is left out: Android 14 adds a user's preferred units, calendar and digits to a tag."""

_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff]")
"""Marks of hyphenation, direction and words, which keyboards and CLDR leave between letters. They are left out."""

_TAKEN = {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sk", "Zs"}
"""Besides letters, their marks, and digits: apostrophes, dashes, brackets, `&`, `/`, lone accents. No controls, line
separators, or symbols such as `<`."""

_TAKEN_TOO = {"\u200c", "\u200d", "\u06fd"}
"""Joiners, part of the spelling of Persian and Indian languages; and Sindhi's "and", a symbol to Unicode."""

_OLD_CODES = {"iw": "he", "in": "id", "ji": "yi"}
"""What Java calls three languages still."""

_NO_PLACE = "must be the name of a place in letters, digits, spaces and punctuation, such as Germany or Austin, TX"
_NO_LANGUAGE = "must be a language tag, such as de or pt-BR"


_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?P<more>-[a-z]{3})?(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<variants>(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*)(-[a-z0-9]-.*)?"
)
"""RFC 5646, section 2.1, in lower case. What comes last, extensions and private use, says nothing about a text."""


def _region(text: str) -> str:
    name = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    kinds = [unicodedata.category(character) for character in name]
    for character, kind in zip(name, kinds, strict=True):
        if kind[0] not in "LMN" and kind not in _TAKEN and character not in _TAKEN_TOO:
            raise ValueError(_NO_PLACE)
    if not any(kind[0] in "LN" for kind in kinds):
        raise ValueError(_NO_PLACE)
    name = " ".join(name.split())  # of any kind and length: the spaces are all that is white here
    if len(name) > REGION_CHARACTERS_MAX:
        raise ValueError(f"must have at most {REGION_CHARACTERS_MAX} characters")
    return name


def _language(text: str) -> str:
    tag = re.split("[.@]", text.lower().replace("_", "-"))[0]
    tag = re.sub(r"^([a-z]+)-(\w*)-+#([a-z]{4})\b", r"\1-\3-\2", tag).replace("#", "")  # Java puts the script last
    found = _TAG.fullmatch(tag.strip("-"))
    if found is None or found["language"] == "und":
        raise ValueError(_NO_LANGUAGE)
    language = _OLD_CODES.get(found["language"], found["language"]) + (found["more"] or "")
    parts = language, (found["script"] or "").title(), (found["region"] or "").upper(), found["variants"].strip("-")
    whole = "-".join(part for part in parts if part)
    if len(whole) > LANGUAGE_CHARACTERS_MAX:
        raise ValueError(_NO_LANGUAGE)
    return whole


Region = Annotated[str, StringConstraints(max_length=_SENT_CHARACTERS_MAX), AfterValidator(_region)]
"""Where the rules of disposal apply. In Unicode's composed form (NFC), with single spaces."""

LanguageTag = Annotated[str, StringConstraints(max_length=_SENT_CHARACTERS_MAX), AfterValidator(_language)]
"""A language as BCP 47 writes it, without extensions."""
