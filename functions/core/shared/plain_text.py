"""Text of others, made fit to be shown: to users, in a terminal.

What a model writes can be what a sticker on a bin told it to write. So no text carries what a screen obeys instead of
showing, and none sends a reader somewhere: a link, an address, a number to call.
"""

import re
import unicodedata

_JOINERS = "\u200c\u200d"
"""Persian and the languages of India are spelt with them, and so are many emoji."""

_TAG = re.compile(r"<[/!a-zA-Z][^<>]{0,200}>")

_TOP_LEVEL = (
    "app biz blog cloud club com dev edu gov info int io link live me mil mobi net news online org page shop site "
    "space store tech top tv vip web wiki work xyz ac ae ai ar at au be bg bo br by ca cc cf ch ci cl cn co cr cz "
    "de dk dz ec ee eg es eu fi fr ga ge gg gl gq gr hk hr hu id ie il in ir is it jp ke kr kz la li lk lt lu lv "
    "ly ma md mk ml mn mt mx my ng nl no nz pe ph pk pl pt pw ro rs ru sa se sg si sk su th tk tn to tr tt tw ua "
    "ug uk us uy uz ve vn ws za"
)

_SENDS_AWAY = re.compile(
    r"""\b[a-z][a-z0-9+.-]{1,20}://\S            # a scheme
    | \bwww\.\S
    | \b(?:mailto|tel|sms|javascript|data):\S
    | [\w.+-]+@[\w-]+\.\w                        # an e-mail address
    | (?<![\w@])@[a-z_][\w.]{3,}                 # a name on some network
    | \b[\w-]+(?:\.[\w-]+)*\.(?:TOP)\b(?!\.\w)   # a domain""".replace("TOP", "|".join(_TOP_LEVEL.split())),
    re.VERBOSE | re.IGNORECASE,
)

_DIGITS = re.compile(r"[+(]?\d(?:[ ()./\u2010-\u2015-]{0,3}\d){6,}")
"""Seven digits or more that are held together: what one dials. (A run of digits of any script counts.)"""

_TO = r"[ /\u2010-\u2015-]{1,3}"
_YEAR, _HOUR = r"(?:19|20)\d\d", r"(?:[01]?\d|2[0-4])\.[0-5]\d"
_NOT_DIALLED = re.compile(f"{_YEAR}{_TO}{_YEAR}|{_HOUR}{_TO}{_HOUR}")
"""From one year, or one hour, to another."""


def cleaned(text: str) -> str:
    """Return a text of visible characters: no controls, direction marks or tags; white space of any kind is one
    space."""
    return " ".join(visible(_TAG.sub(" ", unicodedata.normalize("NFC", text))).split()).strip(_JOINERS)


def visible(text: str) -> str:
    """Return a text without controls but line ends, and without direction marks; other white space is a space."""
    if text.isprintable():  # no control, mark or separator but the space: as most texts are, ten times as fast
        return text
    shown = []
    for character in text:
        category = unicodedata.category(character)
        if character == "\n" or character in _JOINERS or not category.startswith(("C", "Z")):
            shown.append(character)
        elif category.startswith("Z") or character in "\t\r\v\f\x85":
            shown.append(" ")
    return "".join(shown)


def sends_away(text: str) -> bool:
    """Whether a text names a place to go to: a link, an address, a name on a network, a number to call."""
    plain = unicodedata.normalize("NFKC", text)  # letters and digits of other widths read the same
    if _SENDS_AWAY.search(plain):
        return True
    return any(not _NOT_DIALLED.fullmatch(found.group()) for found in _DIGITS.finditer(plain))
