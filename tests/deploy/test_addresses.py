"""Where keys and photos may be sent, and who is there."""

import pytest

from functions.deploy.addresses import is_openai, is_sealed, openai_region

IN_THE_CLEAR = [
    "http://api.openai.com/v1",
    "http://10.0.0.7/v1",
    "http://127.0.0.1.example/v1",
    "http://localhost@a.b/",
]
NO_URLS = ["", "api.openai.com/v1", "https://", "https://[::1", "ftp://api.openai.com", "file:///etc/passwd"]
SEALED = [
    "https://api.openai.com/v1",
    "HTTPS://a.example",
    "http://127.1.2.3:80/v1",
    "http://[::1]/",
    "http://LOCALHOST",
]


def test_what_is_sent_is_read_by_nobody_on_the_way() -> None:
    """By https, or within this machine; an emulator talks to whoever it is told, and to nothing that is no URL."""
    assert [url for url in [*IN_THE_CLEAR, *NO_URLS, *SEALED] if is_sealed(url, emulated=False)] == SEALED
    assert [url for url in [*IN_THE_CLEAR, *NO_URLS] if is_sealed(url, emulated=True)] == IN_THE_CLEAR


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://API.OpenAI.com"])
def test_openai_is_known_by_its_host(url: str) -> None:
    """In all its regions."""
    assert is_openai(url)


@pytest.mark.parametrize("url", ["https://api.openai.com.example", "https://notapi.openai.com", *NO_URLS[:4]])
def test_others_are_not_taken_for_openai(url: str) -> None:
    """However their names begin or end."""
    assert not is_openai(url)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://eu.api.openai.com/v1", "eu"),
        ("https://US.API.OpenAI.com/v1", "us"),
        ("https://api.openai.com/v1", None),
        ("https://eu.api.openai.com.example/v1", None),
        ("https://eu.notapi.openai.com/v1", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_a_region_of_openais_is_known_by_its_host(url: str, region: str | None) -> None:
    """Its prices are higher; others' addresses are no region."""
    assert openai_region(url) == region
