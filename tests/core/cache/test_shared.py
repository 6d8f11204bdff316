"""How often a photo is somebody else's, too: which are looked at, and what is kept of them."""

from datetime import UTC, datetime, timedelta

from functions.core.cache.shared import SharedPhoto, shared_photo

NOW = datetime(2026, 11, 29, tzinfo=UTC)
KEY, SHA = b"key!", bytes(16)


def kept(uid: str, key: bytes = KEY, sha: bytes = SHA) -> SharedPhoto:
    """Return what is kept of a file in the sample."""
    photo = shared_photo(uid, key, sha, NOW)
    assert photo is not None
    return photo


def test_one_file_in_sixteen_is_looked_at() -> None:
    """Whoever sends it."""
    sampled = [shared_photo("ann", KEY, bytes([first] + 15 * [7]), NOW) is not None for first in range(256)]
    assert sampled == [first < 16 for first in range(256)]


def test_the_same_file_of_two_users_has_one_name_and_two_hashes() -> None:
    """Under another key it is another question. A hash says nothing about the same user's other files."""
    ann, bob = kept("ann"), kept("bob")
    assert (ann.name, ann.by == bob.by) == (bob.name, False)
    assert kept("ann") == ann
    assert kept("ann", b"KEY!").name != ann.name
    assert kept("ann", sha=bytes(15) + b"1").by != ann.by
    assert ann.expire_at == NOW + timedelta(days=30)
