"""Names that others see: letters of one script, nothing unseen, nothing that offends or claims to be ours."""

import pytest

from functions.core.config.leaderboard import LeaderboardRules
from functions.core.leaderboard.names import checked_name, says_what_it_must_not
from functions.core.shared.errors import InvalidRequest

WORDS = LeaderboardRules().words


@pytest.mark.parametrize(
    "name",
    [
        *("Ana", "José Ñu", "Nguyễn", "O’Brien", "Jean-Luc 7", "Anna-Lena", "Straße_9", "Ab"),
        *("李小龍", "さくらカナ", "김철수", "राम", "Ольга", "محمد", "Ελένη", "ก้อง", "שרה", "தமிழ்"),
        *("Scunthorpe", "Badminton", "Penistone", "Cumbria", "Shiitake", "Team Rocket", "Modern", "Essex"),
        *("Anaí", "Randi", "Nazir", "Hürrem", "Wankhede", "Dick", "Slutsky", "Kike", "Porntip", "Cockburn"),
    ],
)
def test_names_of_people_are_taken(name: str) -> None:
    """Of many languages, and those in which a bad word only seems to be."""
    assert checked_name(name, WORDS) == name


@pytest.mark.parametrize(
    ("sent", "kept"), [("  Ana   B ", "Ana B"), ("Ａｎａ", "Ana"), ("Jose\u0301", "José"), ("A\u00a0B", "A B")]
)
def test_a_name_has_one_form(sent: str, kept: str) -> None:
    """Wide letters, loose accents and odd spaces are brought into it."""
    assert checked_name(sent, WORDS) == kept


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "must have 2 to 20 characters") for name in ("", " ", "a", "a" * 21)),
        *((f"An{hidden}a", "may have letters") for hidden in "\u200b\u200d\u202e\u2066\u00ad\u115f\u3164\ufe0f\u034f"),
        *((f"An{mark}a", "may have letters") for mark in ".@/:<\n\x1b😀\u2800\ue000\U000e0041½"),
        *(("Z\u0327\u0327\u0327a", "may have letters"), ("\u0301Ana", "may have letters"), ("A \u0301B", "may have")),
        *(("12", "must have a letter"), ("- -", "must have a letter"), ("Call 55512", "at most 4 digits")),
        *((name, "several alphabets") for name in ("Аna", "Ana Ана", "Αlpha", "김Kim", "Anaさ")),
    ],
)
def test_what_is_no_name_is_refused(name: str, why: str) -> None:
    """By length, what is in it, what is not, and letters that imitate others."""
    if why == "may have letters" and name == "An\na":
        name = "An\x00a"  # a line's end is a space
    with pytest.raises(InvalidRequest, match=why) as refused:
        checked_name(name, WORDS)
    assert refused.value.details == {"field": "displayName"}


@pytest.mark.parametrize(
    "name",
    [
        *("admin", "Admins", "4dmin", "The Moderator", "A-d-m-i-n", "Аdmіn", "админ", "Support 24"),
        *("Ecolane", "Ecolane Ana", "E c o l a n e", "Ec0lane", "eco1ane", "Eccolane", "myecolane"),
        *("fuck", "f u c k", "Fuuuck", "fück you", "fucking", "Sh1t", "shits", "N-a-z-i", "n1gger", "ni66er"),
    ],
)
def test_what_a_name_must_not_say_is_found_however_it_is_spelt(name: str) -> None:
    """With digits, accents, look-alikes, spaces and repeated letters; what was found is not told."""
    assert says_what_it_must_not(name, WORDS)


def test_the_operators_words_are_whole_words_or_beginnings() -> None:
    """With a star they begin a word."""
    assert says_what_it_must_not("Gurke", ["gurke"])
    assert not says_what_it_must_not("Gurkenmann", ["gurke"])
    assert says_what_it_must_not("Gurkenmann", ["gurke*"])
    assert not says_what_it_must_not("Salatgurke", ["gurke*"])
    assert not says_what_it_must_not("Ana", ["..*"])  # no letter: nothing begins with it


def test_a_refusal_does_not_repeat_the_word() -> None:
    """Whoever tries words learns nothing but that one is not taken."""
    with pytest.raises(InvalidRequest) as refused:
        checked_name("Scheisse", WORDS)
    assert "scheiss" not in str(refused.value).lower()
