"""Names of places and tags of languages, as keyboards, CLDR, Android, iOS and Dart write them."""

import unicodedata

import pytest
from babel import Locale, localedata
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.core.shared.locales import LANGUAGE_CHARACTERS_MAX, REGION_CHARACTERS_MAX, LanguageTag, Region
from functions.core.shared.records import Request, problems


class Asked(Request):
    """Where, and in which language."""

    region: Region = "-"
    language: LanguageTag = "-"


def region(text: str) -> str:
    """Return a region as it is understood."""
    return Asked.model_validate({"region": text}).region


def language(text: str) -> str:
    """Return a language as it is understood."""
    return Asked.model_validate({"language": text}).language


def why(**sent: str) -> str:
    """Return what is said of a region or language that is refused."""
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate(sent)
    ((_, text),) = problems(refused.value)
    return text


@pytest.mark.parametrize(
    "code", ["en", "fr", "de", "es", "pt", "ar", "fa", "hi", "ja", "zh", "he", "ru", "th", "ml", "mt"]
)
def test_every_country_of_cldr_is_a_region(code: str) -> None:
    """In each of these languages; the name comes through, in composed form, without marks that nobody sees."""
    for name in Locale.parse(code).territories.values():
        understood = region(name)
        assert understood.replace("\u200c", "") in unicodedata.normalize("NFC", name).replace("\u200c", "")
        assert region(unicodedata.normalize("NFD", name)) == understood


def test_every_country_is_a_region_in_every_language_of_cldr() -> None:
    """Seven hundred of them; what is left out is a script that this Python's Unicode does not know yet."""
    refused = set()
    for code in localedata.locale_identifiers():
        for name in Locale.parse(code).territories.values():
            try:
                region(name)
            except ValidationError:
                refused.add(name)
    assert {name for name in refused if all(unicodedata.category(letter) != "Cn" for letter in name)} == set()


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("Côte d’Ivoire", "Côte d’Ivoire"),
        ("Cote d`Ivoire", "Cote d`Ivoire"),
        ("Trinidad & Tobago", "Trinidad & Tobago"),
        ("Sa\u0303o Tome\u0301 & Pri\u0301ncipe", "São Tomé & Príncipe"),
        ("King’s Lynn", "King’s Lynn"),
        ("Frankfurt/Main", "Frankfurt/Main"),
        ("Baden–Württemberg", "Baden–Württemberg"),
        ("Austin, TX (78701)", "Austin, TX (78701)"),
        ("中", "中"),
        ("10115", "10115"),
        ("Hawaiʻi", "Hawaiʻi"),
        ("Lie\u200b\u0301ge", "Liége"),
        ("\u200fישראל\u200f", "ישראל"),
        ("هنگ\u200cکنگ", "هنگ\u200cکنگ"),
        ("  New\u00a0\u00a0York\u202f ", "New York"),
    ],
)
def test_a_place_is_taken_as_it_is_written(sent: str, understood: str) -> None:
    """In any script, of any length from one sign on, with any apostrophe, dash, bracket or space."""
    assert region(sent) == understood


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "-",
        "’",
        "a\nb",
        "a\tb",
        "a\x00b",
        "a\u2028b",
        "a\u2029b",
        "a\u202eb",
        "a\U000e0041b",
        "<b>",
        "a|b",
        "a\ue000",
    ],
    ids=ascii,
)
def test_what_is_no_place_is_refused_in_words(sent: str) -> None:
    """Control characters, ends of lines, hidden text and markup do not get into a prompt; the reason helps."""
    assert "name of a place" in why(region=sent)


def test_a_region_is_no_essay() -> None:
    """What is longer than a name is refused, before and after it is brought into form."""
    assert region("a" * REGION_CHARACTERS_MAX) == "a" * REGION_CHARACTERS_MAX
    assert why(region="a" * (REGION_CHARACTERS_MAX + 1)) == "must have at most 96 characters"
    assert why(region=" " * 300) == "must have at most 256 characters"


@given(st.text())
def test_a_region_reaches_the_prompt_as_one_line(text: str) -> None:
    """Whatever is sent: what is taken is short, composed, visible, and stays the same if it is sent again."""
    try:
        understood = region(text)
    except ValidationError:
        return
    assert 1 <= len(understood) <= REGION_CHARACTERS_MAX
    assert understood.isprintable() or {"\u200c", "\u200d"} & set(understood)
    assert region(understood) == understood


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("de", "de"),
        ("DE-de", "de-DE"),
        ("pt_BR", "pt-BR"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("zh_Hans_CN", "zh-Hans-CN"),
        ("zh_TW_#Hant", "zh-Hant-TW"),
        ("zh__#Hant", "zh-Hant"),
        ("sr_RS_#Latn_u-nu-latn", "sr-Latn-RS"),
        ("en_US_#u-fw-mon", "en-US"),
        ("en-US-u-fw-mon-mu-celsius", "en-US"),
        ("ar-EG-u-nu-arab", "ar-EG"),
        ("de-DE-u-mu-fahrenhe", "de-DE"),
        ("en_US.UTF-8", "en-US"),
        ("de_DE@euro", "de-DE"),
        ("en_US@calendar=buddhist;rg=dezzzz", "en-US"),
        ("es-419", "es-419"),
        ("zh-yue-HK", "zh-yue-HK"),
        ("yue-Hant-HK", "yue-Hant-HK"),
        ("ca-ES-valencia", "ca-ES-valencia"),
        ("de-1996", "de-1996"),
        ("en-x-private", "en"),
        ("iw-IL", "he-IL"),
        ("in", "id"),
        ("fil-PH", "fil-PH"),
    ],
)
def test_a_language_is_one_tag_however_it_is_written(sent: str, understood: str) -> None:
    """As BCP 47, Java's Locale, Apple's Locale, Dart's Platform.localeName and POSIX write it; units and calendars say
    nothing about a text."""
    assert language(sent) == understood
    assert language(understood) == understood


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "C",
        "POSIX",
        "und",
        "German",
        "d",
        "de--DE-",
        "de-DE-AT",
        "de DE",
        "de\n",
        "12",
        "de-ü",
        "en-a-\n",
        "e" * 300,
    ],
)
def test_what_is_no_language_is_refused_in_words(sent: str) -> None:
    """The reason shows what a tag looks like."""
    assert "such as de" in why(language=sent) or "at most" in why(language=sent)


def test_a_language_has_a_length() -> None:
    """As many variants as the standard leaves room for."""
    assert "such as de" in why(language="de" + "-1996abcd" * 5)
    assert len(language("de-1996-1901-valencia")) <= LANGUAGE_CHARACTERS_MAX


def test_every_language_of_cldr_is_one() -> None:
    """Each locale, as Babel and Java write them."""
    for code in localedata.locale_identifiers():
        assert language(code).split("-")[0] == code.split("_")[0]
