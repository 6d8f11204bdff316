"""Text of others: shown as it is, and nowhere else to go."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.shared.plain_text import cleaned, sends_away


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Rinse the bottle.", "Rinse the bottle."),
        ("  one\n\ttwo\u2028three\u00a0four  ", "one two three four"),
        ("\x1b[31mred\x1b[0m \x07\x9b2J", "[31mred[0m 2J"),
        ("can\u202egnp.exe", "cangnp.exe"),
        ("\u2066left\u2069 \ufeffmark\u200e", "left mark"),
        ("<b>bold</b> <script>alert(1)</script> 3 < 5", "bold alert(1) 3 < 5"),
        ("<img src=x onerror=alert(1)>", ""),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467", "family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("\u200d\u200c", ""),
        ("a\ud800b\ue000c", "abc"),
        ("cafe\u0301", "café"),
        ("灯", "灯"),
    ],
)
def test_a_text_is_what_it_shows(text: str, shown: str) -> None:
    """Controls, marks of direction and tags go; letters of every script stay."""
    assert cleaned(text) == shown


@given(st.text(max_size=200))
def test_whatever_comes_in_a_screen_shows_it_and_obeys_none_of_it(text: str) -> None:
    """Nothing is left that is no character to look at; and what was cleaned is clean."""
    shown = cleaned(text)
    kinds = {unicodedata.category(character) for character in shown if character not in "\u200c\u200d"}
    assert not {kind for kind in kinds if kind[0] == "C" or kind in {"Zl", "Zp"}}
    assert cleaned(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "See https://example.com/x",
        "go to HTTP://1.2.3.4",
        "www.win-a-phone.tk now",
        "Visit example.com.",
        "recycle-bonus.shop/claim has more",
        "Visit \uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com",
        "mail me: ann@example.org",
        "t.me/winner",
        "follow @eco_winner",
        "mailto:a",
        "javascript:alert(1)",
        "Call 1-800-555-0199",
        "Call +49 (0)30 1234567",
        "WhatsApp 0170/1234567",
        "Tel. 555 12 34",
        "dial ٠٥٠١٢٣٤٥٦٧",
        "dial 20261234567",
    ],
)
def test_a_text_that_sends_away_is_known(text: str) -> None:
    """Links, addresses, names and numbers, as stickers and strangers write them."""
    assert sends_away(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rinse at 60 °C, then put it into the yellow bin.",
        "PET 1, 0.5 l, 25 g.",
        "Up to 1,000 ml; 3-5 days; 24/7.",
        "Rules of 2024-2025 apply, EN 13432.",
        "e.g. paper, i.e. no foil (z.B. Karton).",
        "Take it to the recycling centre, Mon.-Fri. 8.00-16.30",
        "Model AA/LR6 1.5 V, lot 123456",
        "5 @ 3 each",
        "Use the N.O. valve.",
        "灯は不燃ごみ\u3002",
    ],
)
def test_an_honest_text_is_left_alone(text: str) -> None:
    """Measures, standards, years, hours and abbreviations are no places to go to."""
    assert not sends_away(text)
