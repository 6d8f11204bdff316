"""What no display name may say: a part of `config/runtime`."""

from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Form, Record

Word = Annotated[str, Form(r"[^\s\d_*]{2,32}\*?", "must be 2 to 32 letters; with a * it is what words begin with")]

_WORDS = (
    "arsch* arsehole* asshole* bastard bitch* bollocks cabron chutiya cum cunt* dildo fag faggot* fick ficken fotze "
    "fuck* hitler hure hurensohn jizz madarchod merde mierda motherfucker* nazi nigga* nigger* nutte* penis porn porno "
    "pussy puta putain rape rapist scheiss* shit shitty slut twat vagina wank wanker whore* wichser*"
)
"""Few and certain: many a word that offends in one language is somebody's name in another."""


class LeaderboardRules(Record):
    """`words` are those that no display name contains, however it is spelt: as words of their own, or, with a *, as
    what a word begins with. A new one takes names off the boards that are on them already."""

    words: Annotated[tuple[Word, ...], Field(max_length=1_000)] = tuple(_WORDS.split())
