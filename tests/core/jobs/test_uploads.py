"""Which paths a user may name: own files, directly in the own folder, and nothing that only looks like it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.jobs.uploads import (
    IMAGE_BYTES_MAX,
    PATH_BYTES_MAX,
    PATH_CHARACTERS_MAX,
    digest_of,
    own_upload,
    unchanged,
    upload_folder,
)
from functions.core.shared.errors import ImageNotFound, NotYourImage

OWN = "users/ana/uploads/"


@pytest.mark.parametrize(
    "name",
    [
        "bottle.jpg",
        "a",
        "a b (1).jpg",
        "фото.png",
        "写真.webp",
        "..jpg",
        "a..b",
        "...",
        "%2e%2e",
        "a%2Fb.jpg",
        "?#&=.jpg",
    ],
)
def test_a_file_in_the_own_folder_is_taken_as_it_is(name: str) -> None:
    """Any honest file name passes unchanged; nothing is decoded, so `%2F` is three characters of a name."""
    assert own_upload("ana", OWN + name) == OWN + name


@pytest.mark.parametrize(
    "path",
    [
        "users/bob/uploads/bottle.jpg",
        "users/ana2/uploads/bottle.jpg",
        "users/an/uploads/bottle.jpg",
        "users/Ana/uploads/bottle.jpg",
        "users/ana/private/bottle.jpg",
        "users/ana/bottle.jpg",
        "bottle.jpg",
        "",
        OWN,
        OWN.removesuffix("/"),
        OWN + ".",
        OWN + "..",
        OWN + "../../bob/uploads/bottle.jpg",
        OWN + "album/bottle.jpg",
        OWN + "/bottle.jpg",
        OWN + "bottle.jpg/",
        "/" + OWN + "bottle.jpg",
        "./" + OWN + "bottle.jpg",
        " " + OWN + "bottle.jpg",
        "users/bob/uploads/" + OWN + "bottle.jpg",
        "users/bob/uploads/x?" + OWN + "bottle.jpg",
        "gs://other-bucket/" + OWN + "bottle.jpg",
        "https://evil.example/" + OWN + "bottle.jpg",
        "https://storage.googleapis.com/bucket/" + OWN + "bottle.jpg",
        "users%2Fana%2Fuploads%2Fbottle.jpg",
        "users/ana%2Fuploads/bottle.jpg",
        "users/%61na/uploads/bottle.jpg",
        "users\\ana\\uploads\\bottle.jpg",
        OWN + "..\\..\\bob\\uploads\\bottle.jpg",
        OWN + "a\nb.jpg",
        OWN + "a\rb.jpg",
        OWN + "a\x00.jpg",
        OWN + "bottle.jpg\n",
        OWN + "a\x7f.jpg",
        OWN + "a\ud800.jpg",
        OWN + "a" * PATH_CHARACTERS_MAX,
        OWN + "\U0001f4a5" * (PATH_BYTES_MAX // 4),
    ],
)
def test_every_other_path_is_refused(path: str) -> None:
    """Another user's file, another bucket, a URL, a climb, a nested folder or a trick of characters is not yours."""
    with pytest.raises(NotYourImage, match=OWN):
        own_upload("ana", path)


def test_the_longest_path_is_taken_and_one_more_character_is_not() -> None:
    """The limit is exact."""
    longest = OWN + "a" * (PATH_CHARACTERS_MAX - len(OWN))
    assert own_upload("ana", longest) == longest
    with pytest.raises(NotYourImage):
        own_upload("ana", longest + "a")


def test_the_largest_upload_is_the_same_in_the_rules_and_in_the_code() -> None:
    """Ten megabytes: what storage.rules lets in, the functions read."""
    rules = (Path(__file__).parents[3] / "storage.rules").read_text()
    assert "size <= 10 * 1024 * 1024" in rules
    assert IMAGE_BYTES_MAX == 10 * 1024 * 1024


@given(path=st.text(max_size=60) | st.builds("users/{}/uploads/{}".format, st.text(max_size=8), st.text(max_size=20)))
def test_what_is_taken_is_one_segment_below_the_own_folder(path: str) -> None:
    """Whatever the text: if it is taken, it is the folder and one plain segment."""
    try:
        taken = own_upload("ana", path)
    except NotYourImage:
        return
    folder, _, name = taken.rpartition("/")
    assert folder + "/" == upload_folder("ana")
    assert name not in {"", ".", ".."}


def test_an_upload_is_known_by_its_bytes() -> None:
    """The same bytes are the same photo, others are not; where nothing was noted, whatever is there is taken."""
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # pragma: allowlist secret
    assert digest_of(b"abc") == known
    assert unchanged(b"abc", digest_of(b"abc")) == unchanged(b"abc", None) == b"abc"
    with pytest.raises(ImageNotFound, match="replaced"):
        unchanged(b"abd", digest_of(b"abc"))
