"""From whatever a user uploaded to a small JPEG of nothing but pixels, or to the reason why not."""

import ctypes
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageStat, PngImagePlugin

from functions.adapters.images import SIDE_MIN, libwebp, prepare, prepare_known, webp
from functions.adapters.images.fingerprints import _between_bars
from functions.core.cache.fingerprints import colour_distance, distance
from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem
from functions.deploy.params import CALLERS_AT_ONCE
from tests.photo_files import (
    BLUE,
    INTERLACED_AND_CUT_OFF,
    RED,
    WHITE,
    blank_png,
    encoded,
    exif_bomb,
    first_scan_of_one_colour,
    grey_ramp,
    half_zeros,
    in_pieces,
    interlaced,
    many_scans,
    png_chunk,
    png_header,
    two_halves,
    webp_header,
    with_chunks,
    with_frame,
    with_good_checksums,
    with_primaries,
    with_riff_chunks,
    zeros,
)

SIDE_MAX = 128

Colour = tuple[int, int, int]


def prepared(data: bytes, side_max: int = SIDE_MAX) -> Image.Image:
    """Prepare a photo and open what came out, which is always an RGB JPEG."""
    image = Image.open(BytesIO(prepare(data, side_max, 80)))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def pixel(image: Image.Image, across: float, down: float) -> Colour:
    """Return the colour at these fractions of width and height."""
    colour = image.getpixel((int(across * (image.width - 1)), int(down * (image.height - 1))))
    assert isinstance(colour, tuple)
    red, green, blue = map(int, colour)
    return red, green, blue


def close_to(colour: Colour, by: int = 40) -> Any:
    """Return a value that equals colours which JPEG may have made of this one."""
    return pytest.approx(colour, abs=by)


JPEG = encoded(two_halves(), "JPEG")
WEBP = encoded(two_halves(), "WEBP")
PROGRESSIVE = encoded(two_halves(), "JPEG", progressive=True)
NOISE = Image.merge("RGB", [Image.effect_noise((400, 300), 60) for _ in range(3)])
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DISPLAY_P3 = with_primaries(
    SRGB, {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
)
JPEG_OF_NOISE = encoded(NOISE, "JPEG")
OPTIMISED = encoded(NOISE, "JPEG", optimize=True, quality=20)
PROGRESSIVE_OF_NOISE = encoded(NOISE, "JPEG", progressive=True)

TWO_HALVES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(two_halves(), "JPEG"),
    "progressive JPEG": lambda: encoded(two_halves(), "JPEG", progressive=True),
    "CMYK JPEG": lambda: encoded(two_halves(mode="CMYK"), "JPEG"),
    "PNG": lambda: encoded(two_halves()),
    "palette PNG": lambda: encoded(two_halves(mode="P")),
    "PNG with alpha": lambda: encoded(two_halves(mode="RGBA")),
    "WebP": lambda: encoded(two_halves(), "WEBP"),
    "animated WebP": lambda: encoded(two_halves(), "WEBP", save_all=True, append_images=[Image.new("RGB", (200, 100))]),
    "animated PNG": lambda: encoded(two_halves(), "PNG", save_all=True, append_images=[Image.new("RGB", (200, 100))]),
    "JPEG with a video behind it": lambda: JPEG + random.Random(1).randbytes(8_000_000) + b"\xff\xda" * 100,  # noqa: S311
    "JPEG with a thumbnail in it": lambda: encoded(two_halves(), "JPEG", exif=b"Exif\0\0II" + b"\xff\xda" * 1_000),
    "JPEG in restarts": lambda: encoded(two_halves(), "JPEG", restart_marker_blocks=1),
    "MPO": lambda: encoded(two_halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (200, 100))]),
}


@pytest.mark.parametrize("kind", TWO_HALVES)
def test_what_phones_produce_becomes_a_small_jpeg(kind: str) -> None:
    """Each format and colour mode comes out as an RGB JPEG of its first picture, in its own colours."""
    image = prepared(TWO_HALVES[kind]())
    assert image.size == (SIDE_MAX, SIDE_MAX // 2)
    assert pixel(image, 0.2, 0.5) == close_to(RED)
    assert pixel(image, 0.8, 0.5) == close_to(BLUE)


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    """A deep greyscale PNG is scaled to eight bits, not cut off at white."""
    for side_max in (SIDE_MAX, 512):
        ramp = prepared(encoded(grey_ramp()), side_max)
        shades = [pixel(ramp, across, 0.5)[0] for across in (0.1, 0.5, 0.9)]
        assert shades == pytest.approx([26, 128, 230], abs=12)


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [("RGBA", "PNG", {}), ("LA", "PNG", {}), ("RGBA", "WEBP", {"exact": True}), ("RGBA", "WEBP", {"lossless": True})],
)
def test_transparency_becomes_white(mode: str, kind: str, options: dict[str, Any]) -> None:
    """What shows through is white, as on the white page where the user saw it; black would look like dirt."""
    image = Image.new(mode, (64, 64))
    assert pixel(prepared(encoded(image, kind, **options)), 0.5, 0.5) == close_to(WHITE)


def test_how_a_jpegs_colours_are_written_is_kept() -> None:
    """Adobe's note in a JPEG of four colours says whether they are ink, or brightness and tint."""
    ink = encoded(two_halves(mode="CMYK"), "JPEG")
    note = ink.index(b"Adobe") + 11
    assert ink[note] == 0
    tint = ink[:note] + b"\2" + ink[note + 1 :]
    assert pixel(prepared(ink), 0.2, 0.5) == close_to(RED)
    assert pixel(prepared(tint), 0.2, 0.5) != close_to(RED)


def test_a_transparent_palette_becomes_white_too() -> None:
    """A palette entry that is declared transparent is white in the JPEG."""
    image = two_halves(mode="P")
    data = encoded(image, transparency=image.getpixel((0, 0)))
    assert pixel(prepared(data), 0.2, 0.5) == close_to(WHITE)
    assert pixel(prepared(data), 0.8, 0.5) == close_to(BLUE)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((SIDE_MAX, SIDE_MAX), (SIDE_MAX, SIDE_MAX)),
        ((400, 300), (SIDE_MAX, 96)),
        ((300, 400), (96, SIDE_MAX)),
        ((1_280, 160), (SIDE_MAX, SIDE_MAX // 8)),
        ((40, 30), (40, 30)),
        ((SIDE_MIN, SIDE_MIN), (SIDE_MIN, SIDE_MIN)),
    ],
)
def test_the_longest_side_is_bounded_and_nothing_is_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The proportions stay, the longest side is at most `side_max`, a small photo stays small."""
    image = prepared(encoded(Image.new("RGB", size), "JPEG"))
    assert image.size == pytest.approx(expected, abs=1)
    assert max(image.size) <= SIDE_MAX


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [
        (1, (0.2, 0.5)),
        (2, (0.8, 0.5)),
        (3, (0.8, 0.5)),
        (4, (0.2, 0.5)),
        (5, (0.5, 0.2)),
        (6, (0.5, 0.2)),
        (7, (0.5, 0.8)),
        (8, (0.5, 0.8)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_photo_is_turned_as_the_camera_was_held(kind: str, orientation: int, red_at: tuple[float, float]) -> None:
    """The EXIF orientation is carried out in the pixels, in every format."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = prepared(encoded(two_halves(), kind, exif=exif))
    assert (image.width > image.height) == (orientation < 5)
    assert pixel(image, *red_at) == close_to(RED)


@pytest.mark.parametrize("size", [(200, 100), (2 * SIDE_MAX, SIDE_MAX), (SIDE_MAX // 2, SIDE_MAX // 4)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_pixels_leaves_the_house(kind: str, size: tuple[int, int]) -> None:
    """Where and with what a photo was taken is not sent to the provider: no EXIF, GPS, comment or profile, also of one
    that the decoder brings to its size, or that is as small."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif.get_ifd(0x8825)[29] = "2026:11:21"
    comment = {"comment": b"SecretComment"} if kind == "JPEG" else {}
    if kind != "PNG":
        comment["xmp"] = b"<x:xmpmeta><exif:GPSLatitude>SecretPlace</exif:GPSLatitude></x:xmpmeta>"
    data = encoded(two_halves(size), kind, exif=exif, icc_profile=b"SecretProfile" * 10, **comment)
    assert b"Secret" in data
    out = prepare(data, SIDE_MAX, 80)
    assert b"Secret" not in out
    assert b"2026:11:21" not in out
    assert not Image.open(BytesIO(out)).getexif()
    assert {"exif", "icc_profile", "comment", "xmp"}.isdisjoint(Image.open(BytesIO(out)).info)


SCRIPT = b"*/=1;<script>alert(1)</script><?php system($_GET[1]);?>PK\x03\x04"

POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "after a JPEG": lambda: JPEG + SCRIPT,
    "after a PNG": lambda: encoded(two_halves()) + SCRIPT,
    "after a WebP": lambda: encoded(two_halves(), "WEBP") + SCRIPT,
    "in a JPEG's comment": lambda: encoded(two_halves(), "JPEG", comment=SCRIPT),
    "in a PNG's text": lambda: with_chunks(encoded(two_halves()), png_chunk(b"tEXt", b"Comment\0" + SCRIPT)),
    "in a PNG's own chunk": lambda: with_chunks(encoded(two_halves()), png_chunk(b"prVt", SCRIPT)),
    "in a PNG's palette": lambda: encoded(two_halves(mode="P")).replace(b"IEND", b"IEND" + SCRIPT),
}


@pytest.mark.parametrize("where", POLYGLOTS)
def test_what_a_photo_is_besides_is_not_passed_on(where: str) -> None:
    """A file that is a page, a script or an archive as well comes out as the photo alone."""
    data = POLYGLOTS[where]()
    assert b"script" in data
    out = prepare(data, SIDE_MAX, 80)
    assert not any(word in out for word in (b"script", b"php", b"PK\x03\x04"))


def test_a_lower_quality_is_a_smaller_file() -> None:
    """The quality setting reaches the encoder."""
    noise = encoded(Image.effect_noise((128, 128), 60).convert("RGB"))
    assert len(prepare(noise, SIDE_MAX, 40)) < len(prepare(noise, SIDE_MAX, 90))


REFUSED: dict[PhotoProblem, dict[str, Callable[[], bytes]]] = {
    PhotoProblem.EMPTY: {"nothing": lambda: b""},
    PhotoProblem.NOT_AN_IMAGE: {
        "text": lambda: b"This is a text file with the name photo.jpg.",
        "zeros": lambda: bytes(1_000),
        "HTML": lambda: b"<html><body>502 Bad Gateway</body></html>",
        "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>',
        "PDF": lambda: b"%PDF-1.7\n",
        "video": lambda: b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100),
        "archive": lambda: b"PK\x03\x04" + bytes(100),
        "HTML that ends in a JPEG": lambda: b"<script>alert(1)</script>" + JPEG,
        "PPM": lambda: encoded(two_halves(), "PPM"),
        "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
    },
    PhotoProblem.HEIC: {
        "HEIC of an iPhone": lambda: b"\0\0\0\x24ftypheic\0\0\0\0mif1MiHBMiHEMiPrheictmap" + bytes(100),
        "HEIC of a Galaxy": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "HEIF": lambda: b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100),
        "HEIC, cut off": lambda: b"\0\0\0\x18ftypheic",
    },
    PhotoProblem.UNSUPPORTED_FORMAT: {
        "AVIF": lambda: b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(100),
        "GIF": lambda: encoded(two_halves(mode="P"), "GIF"),
        "animated GIF": lambda: encoded(
            two_halves(mode="P"), "GIF", save_all=True, append_images=[Image.new("P", (200, 100))]
        ),
        "GIF that is JavaScript too": lambda: b"GIF89a/*" + bytes(100) + b"*/=1;alert(1)",
        "BMP": lambda: encoded(two_halves(), "BMP"),
        "TIFF": lambda: encoded(two_halves(), "TIFF"),
        "ICO": lambda: encoded(two_halves((64, 64)), "ICO"),
        "JPEG of 12 bits": lambda: with_frame(JPEG, bits=12),
        "lossless JPEG": lambda: JPEG.replace(b"\xff\xc0", b"\xff\xc3"),
        "arithmetic JPEG": lambda: JPEG.replace(b"\xff\xc0", b"\xff\xc9"),
    },
    PhotoProblem.CUT_OFF: {
        "JPEG signature alone": lambda: b"\xff\xd8\xff",
        "JPEG in its header": lambda: JPEG[:100],
        "JPEG without its end": lambda: JPEG[: len(JPEG) // 2],
        "JPEG that says it ends before it does": lambda: JPEG[: len(JPEG) * 2 // 3] + JPEG[-2:],
        "progressive JPEG without its end": lambda: PROGRESSIVE[: len(PROGRESSIVE) * 2 // 3],
        "progressive JPEG without a word": lambda: PROGRESSIVE[:-2],
        "progressive JPEG of one colour": lambda: first_scan_of_one_colour(PROGRESSIVE),
        "PNG signature alone": lambda: b"\x89PNG\r\n\x1a\n",
        "PNG in its header": lambda: encoded(two_halves())[:30],
        "PNG without its end": lambda: encoded(Image.effect_noise((64, 64), 60))[:-600],
        "interlaced PNG without its end": lambda: INTERLACED_AND_CUT_OFF,
        "PNG without pixels": lambda: png_header(100, 100),
        "WebP without its end": lambda: encoded(two_halves(), "WEBP")[:-40],
        "WebP in its header": lambda: encoded(two_halves(), "WEBP")[:14],
    },
    PhotoProblem.DAMAGED: {
        "JPEG of no area": lambda: with_frame(JPEG, width=0),
        "JPEG without a picture": lambda: b"\xff\xd8\xff\xd9",
        "JPEG with two frames": lambda: JPEG[:2] + JPEG[JPEG.index(b"\xff\xc0") :][:19] + JPEG[2:],
        "JPEG with a segment of no length": lambda: JPEG[:2] + b"\xff\xfe\0\0" + JPEG[2:],
        "JPEG of five colours": lambda: with_frame(JPEG, colours=5),
        "JPEG with a scan of nothing": lambda: JPEG.replace(b"\xff\xda\0\x0c\x03", b"\xff\xda\0\x0c\x09"),
        "JPEG whose second half is zeros": lambda: half_zeros(JPEG_OF_NOISE),
        "JPEG whose second half is zeros, in its own tables": lambda: half_zeros(OPTIMISED),
        "JPEG whose second half is zeros, in passes": lambda: half_zeros(PROGRESSIVE_OF_NOISE),
        "PNG with a header that does not add up": lambda: png_header(100, 100).replace(b"\0\0\0\x64", b"\0\0\0\x65"),
        "PNG without a header": lambda: encoded(two_halves())[:8] + encoded(two_halves())[33:],
        "PNG whose second half is zeros": lambda: half_zeros(encoded(Image.effect_noise((64, 64), 60))),
        "PNG that has nothing": lambda: encoded(two_halves())[:33] + png_chunk(b"IEND", b""),
        "WebP that has nothing": lambda: webp_header(200, 100),
        "WebP of noise": lambda: (
            encoded(two_halves(), "WEBP")[:20] + bytes(range(200, 240)) + encoded(two_halves(), "WEBP")[60:]
        ),
    },
    PhotoProblem.TOO_LARGE: {
        "JPEG bomb": lambda: with_frame(JPEG, width=65_500, height=65_500),
        "JPEG bomb in passes": lambda: with_frame(PROGRESSIVE, width=12_000, height=9_000),
        "JPEG in passes of 50 million pixels": lambda: with_frame(PROGRESSIVE, width=8_160, height=6_144),
        "WebP bomb": lambda: encoded(Image.new("RGB", (5_000, 4_001)), "WEBP", method=0),
        "PNG of 25 million pixels": lambda: png_header(5_000, 5_000),
        "PNG bomb": lambda: png_header(50_000, 50_000),
        "PNG bomb, long": lambda: png_header(2_000_000_000, 16),
    },
    PhotoProblem.TOO_SMALL: {
        "PNG of no area": lambda: png_header(0, 100),
        "a single pixel": lambda: encoded(Image.new("RGB", (1, 1))),
        "too narrow": lambda: encoded(Image.new("RGB", (SIDE_MIN - 1, 100))),
    },
    PhotoProblem.TOO_LONG: {
        "a scrolled screen": lambda: encoded(Image.new("RGB", (1_080, 20_000)), "JPEG"),
        "a ribbon": lambda: encoded(Image.new("RGB", (200, SIDE_MIN))),
    },
    PhotoProblem.TOO_COMPLEX: {
        "JPEG in a thousand passes": lambda: many_scans(64, 1_000),
        "JPEG whose passes take a minute": lambda: many_scans(5_500, 50),
        "JPEG of empty segments": lambda: JPEG[:2] + b"\xff\xe5\0\x02" * 2_600_000 + JPEG[2:],
        "PNG of empty chunks": lambda: with_chunks(encoded(two_halves()), png_chunk(b"prVt", b"") * 30_000),
        "WebP of empty chunks": lambda: with_riff_chunks(encoded(two_halves(), "WEBP"), b"prVt" + bytes(4), 30_000),
    },
}


@pytest.mark.parametrize(("problem", "what"), [(problem, what) for problem, files in REFUSED.items() for what in files])
def test_what_is_no_usable_photo_is_refused_with_its_reason(problem: PhotoProblem, what: str) -> None:
    """Other formats, fragments, bombs and specks are told apart by what is in the file, whatever it is called."""
    with pytest.raises(InvalidImage) as refusal:
        prepare(REFUSED[problem][what](), SIDE_MAX, 80)
    assert refusal.value.details == {"problem": problem}


def test_each_problem_of_a_file_is_met() -> None:
    """The table above has an example of each, but of the one that only the model can have with a photo."""
    assert set(REFUSED) == set(PhotoProblem) - {PhotoProblem.REFUSED}


def test_the_limit_of_pixels_is_named_before_a_pixel_is_decoded() -> None:
    """A bomb is refused by its header, and the message says what would be taken."""
    with pytest.raises(InvalidImage, match=r"2,500,000,000 pixels; at most 20,000,000 are taken"):
        prepare(png_header(50_000, 50_000), SIDE_MAX, 80)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_with_a_damaged_exif_is_still_a_photo(kind: str) -> None:
    """An EXIF block in which text stands where a number belongs does not sink the run, nor the photo."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    maker, x_position = b"\x01\x0f\x00\x02", b"\x01\x1e\x00\x02"  # tag and type; a position is a fraction
    data = encoded(two_halves(), kind, exif=exif)
    damaged = data.replace(maker, x_position)
    assert damaged != data
    assert prepared(with_good_checksums(damaged) if kind == "PNG" else damaged).size == (SIDE_MAX // 2, SIDE_MAX)


def panorama() -> bytes:
    """Return a photo as Samsung's panorama mode writes it: no end marker, a note, and a video."""
    note = b"\0\0\x0a\x0a\x13\0\0\0MotionPanorama_Data" + b"\0\0\0\x18ftypmp42\0\0\0\0isommp42"
    return JPEG[:-2] + note + random.Random(1).randbytes(200_000)  # noqa: S311 (repeatable, not secret)


WHOLE: dict[str, Callable[[], bytes]] = {
    "with a panorama's video in place of its end": panorama,
    "without its last two bytes": lambda: JPEG[:-2],
    "with zeros in place of its end": lambda: JPEG[:-2] + bytes(100_000),
    "with a damaged picture behind it": lambda: JPEG + JPEG[:400],
}


@pytest.mark.parametrize("how", WHOLE)
def test_a_photo_with_all_its_rows_is_whole(how: str) -> None:
    """Whether all rows were there counts, not what stands behind them."""
    image = prepared(WHOLE[how]())
    assert (pixel(image, 0.2, 1), pixel(image, 0.8, 1)) == (close_to(RED), close_to(BLUE))


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"quality": 5, "optimize": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_flat_picture_is_no_damage(mode: str, options: dict[str, Any]) -> None:
    """A file that is mostly zeros because the picture is, is taken."""
    for side in (SIDE_MIN, 1_000):
        assert prepared(encoded(Image.new(mode, (side, side)), "JPEG", **options)).width == min(side, SIDE_MAX)


@pytest.mark.parametrize("options", [{}, {"optimize": True, "quality": 10}, {"progressive": True}])
def test_zeros_where_data_was_lost_are_damage(options: dict[str, Any]) -> None:
    """A photo that would come out grey from some row on is refused, wherever the zeros begin."""
    photo = encoded(NOISE, "JPEG", **options)
    for tenths in range(3, 9):
        begin = len(photo) * tenths // 10
        with pytest.raises(InvalidImage) as refusal:
            prepare(photo[:begin] + bytes(len(photo) - begin), SIDE_MAX, 80)
        assert refusal.value.problem in {PhotoProblem.DAMAGED, PhotoProblem.CUT_OFF}


PHONES = [
    (4_032, 3_024, "JPEG"),
    (4_032, 3_024, "PNG"),
    (4_032, 3_024, "WEBP"),
    (4_096, 3_072, "WEBP"),
    (8_160, 6_144, "JPEG"),
    (9_248, 6_936, "JPEG"),
    (12_000, 9_000, "JPEG"),
    (16_382, 3_628, "JPEG"),
    (4_032, 3_024, "progressive"),
    (6_000, 4_500, "progressive"),
    (5_000, 4_000, "PNG"),
    (5_000, 4_000, "WEBP"),
]


@pytest.mark.parametrize(("width", "height", "kind"), PHONES)
def test_what_phones_take_is_taken(width: int, height: int, kind: str) -> None:
    """Photos of 12 to 108 million pixels, and panoramas, in the formats that can be decoded at that size."""
    options = {"progressive": True} if kind == "progressive" else {"method": 0} if kind == "WEBP" else {}
    data = encoded(two_halves((width, height)), "JPEG" if kind == "progressive" else kind, **options)
    image = prepared(data, 512)
    assert image.size == (512, round(512 * height / width))
    assert (pixel(image, 0.2, 0.9), pixel(image, 0.8, 0.9)) == (close_to(RED), close_to(BLUE))


@pytest.mark.parametrize("options", [{"quality": 95}, {"lossless": True}])
@pytest.mark.parametrize("size", [(2_001, 1_499), (1_000, 750), (300, 200)])
def test_a_webp_decoded_small_is_the_average_of_the_whole(size: tuple[int, int], options: dict[str, Any]) -> None:
    """The decoder that scales while it decodes shifts and recolours nothing: half a pixel would differ by 3.4."""
    photo = Image.merge("RGB", [Image.effect_noise((12, 9), 90) for _ in range(3)]).resize(size)
    small = libwebp.decode(webp.read(encoded(photo, "WEBP", **options)), (127, 90)).convert("RGB")
    averaged = photo.resize((127, 90), Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(averaged, small)).mean) < 2.5


@pytest.fixture(params=["no such file", "not exported", "laid out otherwise"])
def without_libwebp(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose Pillow has a libwebp of its own, as on Windows, or one of another kind."""
    loaded: dict[str, Mock] = {
        "no such file": Mock(side_effect=OSError),
        "not exported": Mock(return_value=object()),
        "laid out otherwise": Mock(return_value=Mock(**{"WebPInitDecoderConfigInternal.return_value": 0})),
    }
    found = vars(libwebp)["_functions"]
    found.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(ctypes, "CDLL", loaded[request.param])
        yield
    found.cache_clear()


@pytest.mark.usefixtures("without_libwebp")
def test_pillow_decodes_a_webp_where_libwebp_cannot_be_called() -> None:
    """The same picture comes out, with what is transparent on white; what would not fit into the memory is refused by
    its size, and what is damaged as that."""
    for options in ({}, {"lossless": True}):
        image = prepared(encoded(two_halves(), "WEBP", **options))
        assert (pixel(image, 0.2, 0.5), pixel(image, 0.8, 0.5)) == (close_to(RED), close_to(BLUE))
    clear = encoded(Image.new("RGBA", (64, 64)), "WEBP", exact=True)
    assert pixel(prepared(clear), 0.5, 0.5) == close_to(WHITE)
    for data, problem in (
        (encoded(Image.new("RGB", (2_400, 2_400)), "WEBP", method=0), PhotoProblem.TOO_LARGE),
        (REFUSED[PhotoProblem.DAMAGED]["WebP of noise"](), PhotoProblem.DAMAGED),
    ):
        with pytest.raises(InvalidImage) as refusal:
            prepare(data, SIDE_MAX, 80)
        assert refusal.value.problem is problem


def test_a_machine_without_webp_takes_the_other_formats(tmp_path: Path) -> None:
    """A Pillow that was built without WebP refuses one as unsupported; a JPEG needs nothing of it."""
    (tmp_path / "webp").write_bytes(WEBP)
    (tmp_path / "jpeg").write_bytes(JPEG)
    command = [sys.executable, "-c", WITHOUT_WEBP, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603 (our own script)
    assert ran.stdout.split() == [b"taken", b"unsupportedFormat"]


WITHOUT_WEBP = """
import ctypes, pathlib, sys
sys.modules["PIL._webp"], ctypes.CDLL = None, None
from functions.adapters.images import prepare
from functions.core.shared.errors import InvalidImage

for kind in ("jpeg", "webp"):
    try:
        prepare((pathlib.Path(sys.argv[1]) / kind).read_bytes(), 512, 80)
        print("taken")
    except InvalidImage as refusal:
        print(refusal.problem.value)
"""


@pytest.mark.parametrize(
    "size", [(4_096, 3_072), (4_032, 3_024), (1_024, 768), (640, 480), (1_021, 133), (132, 1_050), (4_097, 517)]
)
def test_a_jpeg_decoded_small_is_the_average_of_the_whole(size: tuple[int, int]) -> None:
    """Whatever part of the way the decoder goes, nothing is shifted or recoloured: half a pixel would differ by 4, and
    in a long photo, whose short side has some pixels and a part of one, by 7."""
    photo = Image.effect_noise((8, 8), 90).convert("RGB").resize(size)
    image = Image.open(BytesIO(prepare(encoded(photo, "JPEG", quality=95), SIDE_MAX, 95)))
    averaged = photo.resize(image.size, Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(averaged, image)).mean) < 2.5


def test_wide_colours_become_srgb() -> None:
    """An iPhone's red, which is written in Display P3, is the same red afterwards; a broken profile does no harm."""
    srgb_red_in_p3 = (234, 51, 35)
    photo = Image.new("RGB", (64, 64), srgb_red_in_p3)
    for kind in ("JPEG", "PNG", "WEBP"):
        options = {"quality": 100} if kind == "WEBP" else {}
        assert pixel(prepared(encoded(photo, kind, icc_profile=DISPLAY_P3, **options)), 0.5, 0.5) == close_to(RED, 8)
        for useless in (SRGB, DISPLAY_P3[:300], DISPLAY_P3.replace(b"mntr", b"prtr"), bytes(200)):
            data = encoded(photo, kind, icc_profile=useless, **options)
            assert pixel(prepared(data), 0.5, 0.5) == close_to(srgb_red_in_p3, 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["H", "I", "h", "i"])
def test_an_orientation_of_any_whole_type_counts(order: str, kind: str) -> None:
    """Some programs write another type of number than the one that EXIF asks for."""
    number = {"H": 3, "I": 4, "h": 8, "i": 9}[kind]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHI", 8, 1, 0x0112, number, 1)
    exif = head + struct.pack(order + kind, 6).ljust(4, b"\0")
    assert prepared(encoded(two_halves(), "JPEG", exif=b"Exif\0\0" + exif)).size == (SIDE_MAX // 2, SIDE_MAX)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_of_an_xmp_packet_counts(kind: str) -> None:
    """Where there is no EXIF, as in what some programs export."""
    packet = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    options: dict[str, Any] = {"xmp": packet.encode()}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet)
        options = {"pnginfo": text}
    assert prepared(encoded(two_halves(), kind, **options)).size == (SIDE_MAX // 2, SIDE_MAX)


def test_whatever_a_decoder_raises_is_about_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of refuses this photo, and ends nothing else."""
    for error in (TypeError(), MemoryError(), RecursionError(), UserWarning(), AssertionError()):
        monkeypatch.setattr(Image.Image, "resize", Mock(side_effect=error))
        with pytest.raises(InvalidImage) as refusal:
            prepare(JPEG, SIDE_MAX, 80)
        assert refusal.value.problem is PhotoProblem.DAMAGED


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(sorted(TWO_HALVES)))
def test_any_damage_is_an_invalid_image_or_none(seed: int, kind: str) -> None:
    """Bytes that are changed, lost or added anywhere: a small JPEG comes out, or `InvalidImage`, and nothing else."""
    dice = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    data = bytearray(TWO_HALVES[kind]())
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(min(len(data), dice.choice([64, 300, len(data)])))
        data[at : at + dice.choice([0, 1, 1, 1, 8])] = dice.randbytes(dice.choice([0, 1, 1, 1, 8]))
    try:
        image = prepared(bytes(data))
    except InvalidImage:
        return
    assert max(image.size) <= SIDE_MAX


def speckled(size: tuple[int, int], mode: str = "L") -> Image.Image:
    """Return noise in squares of three pixels: as much to decode as 10 MB hold."""
    small = Image.effect_noise((size[0] // 3, size[1] // 3), 60)
    return (
        Image.merge(mode, [small] * len(mode))
        .resize(size, Image.Resampling.NEAREST)
        .convert("RGBA" if len(mode) > 1 else "RGB")
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "as many passes as are taken": lambda: many_scans(4_000, 50),
    "hours of passes": lambda: many_scans(7_000, 130_000),
    "half a million EXIF segments": lambda: JPEG[:2] + (b"\xff\xe1\0\x12Exif\0\0" + b"0123456789") * 519_000 + JPEG[2:],
    "text upon text": lambda: with_chunks(encoded(two_halves()), *[png_chunk(b"zTXt", b"a\0\0" + zeros(2**20))] * 500),
    "a profile that unpacks to a quarter of a gigabyte": lambda: with_chunks(
        encoded(two_halves()), png_chunk(b"iCCP", b"a\0\0" + zeros(2**28))
    ),
    "profile upon profile": lambda: with_chunks(
        encoded(two_halves()), png_chunk(b"iCCP", b"a\0\0" + zeros(2**20)) * 1_900
    ),
    "an EXIF that points at itself": lambda: with_chunks(encoded(two_halves()), png_chunk(b"eXIf", exif_bomb(60_000))),
    "an EXIF over and over": lambda: (
        JPEG[:2]
        + b"".join(
            b"\xff\xe1" + struct.pack(">H", 60_008) + b"Exif\0\0" + exif_bomb(5_000)[:60_000] for _ in range(150)
        )
        + JPEG[2:]
    ),
    "thousands of frames": lambda: encoded(
        two_halves(),
        "PNG",
        save_all=True,
        append_images=[Image.new("RGB", (200, 100), (i % 256, 0, 0)) for i in range(500)],
    ),
    "pixels more than it holds": lambda: encoded(Image.new("RGB", (16, 16)))[:33] + blank_png(3_000, 3_000)[33:],
    "data in ten thousand pieces": lambda: in_pieces(encoded(Image.effect_noise((2_000, 2_000), 60)), 400),
    "nothing but fill bytes": lambda: JPEG[:2] + b"\xff" * 9_000_000 + JPEG[2:],
    "nothing but stuffing": lambda: JPEG[:-2] + b"\xff\0" * 4_500_000 + JPEG[-2:],
    "runs of zeros that are almost long enough": lambda: JPEG[:-2] + (bytes(64) + b"\1") * 140_000 + JPEG[-2:],
    "a huge JPEG": lambda: encoded(Image.new("L", (15_000, 15_000)), "JPEG"),
    "a huge JPEG in passes": lambda: encoded(Image.new("RGB", (6_000, 4_500)), "JPEG", progressive=True),
    "a huge PNG": lambda: blank_png(5_000, 4_000),
    "a huge interlaced PNG": lambda: interlaced(4_999, 4_000),
    "a huge WebP": lambda: encoded(Image.new("RGBA", (5_000, 4_000)), "WEBP", lossless=True, method=0),
    "a WebP of noise": lambda: encoded(speckled((5_000, 4_000)), "WEBP", quality=80, method=0),
    "a lossless WebP of noise": lambda: encoded(speckled((5_000, 4_000)), "WEBP", lossless=True, method=0),
    "a WebP of noise that shines through": lambda: encoded(speckled((4_000, 3_000), "LA"), "WEBP", method=0),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_bomb_takes_little_time_and_memory(tmp_path: Path, what: str) -> None:
    """Whatever becomes of a file of up to 10 MB: a second of CPU, and a hundred megabytes of memory."""
    (tmp_path / "bomb").write_bytes(HOSTILE[what]())
    size = (tmp_path / "bomb").stat().st_size
    assert size < 10 * 1024**2
    command = [sys.executable, "-c", PEAK_MB, str(tmp_path / "bomb")]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603 (our own script)
    peak_mb, cpu_seconds = ran.stdout.split()
    assert int(peak_mb) <= 100
    assert float(cpu_seconds) < 3, "about one on a machine with nothing else to do"


PEAK_MB = """
import pathlib, re, sys, time
from concurrent.futures import ThreadPoolExecutor
from functions.adapters.images import prepare
from functions.core.shared.errors import InvalidImage

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024

def tried(data):
    try:
        prepare(data, 512, 80)
    except InvalidImage:
        pass

photos = [pathlib.Path(path).read_bytes() for path in sys.argv[1:]]
before, began = peak_mb(), time.process_time()
with ThreadPoolExecutor(len(photos)) as callers:
    list(callers.map(tried, photos))
print(peak_mb() - before, time.process_time() - began)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_sixteen_callers_need_the_memory_of_one(tmp_path: Path) -> None:
    """Large photos of as many callers as an instance lets in come to what one of them takes, and little more."""
    small = encoded(speckled((4_096, 3_072)), "WEBP", lossless=True, method=0)
    passes = encoded(Image.new("RGB", (4_032, 3_024)), "JPEG", progressive=True, subsampling="4:4:4")
    for number in range(CALLERS_AT_ONCE):
        (tmp_path / str(number)).write_bytes(passes if number % 4 else small)
    command = [sys.executable, "-c", PEAK_MB, *map(str, tmp_path.iterdir())]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603 (our own script)
    assert int(ran.stdout.split()[0]) < 120


def test_photos_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen callers in an instance hold sixteen photos, and the memory of one that is being decoded."""
    at_once, most = 0, 0
    resize = Image.Image.resize

    def watched(image: Image.Image, *args: Any, **kwargs: Any) -> Image.Image:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        small = resize(image, *args, **kwargs)
        at_once -= 1
        return small

    monkeypatch.setattr(Image.Image, "resize", watched)
    data = encoded(Image.new("RGB", (1_000, 800)))
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda _: prepare(data, 512, 80), range(8)))
    assert most == 1


# What a photo is known again by


def soft_picture(seed: int) -> Image.Image:
    """Return a picture of soft shapes in some colours, large ones and small ones, as a photo is at a glance."""
    chance = random.Random(seed)  # noqa: S311 (a picture)
    large, small = (
        Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1])).resize(
            (400, 300), Image.Resampling.BICUBIC
        )
        for size in ((8, 6), (24, 18))
    )
    return Image.blend(large, small, 0.5)


def test_a_photo_is_prepared_alike_whether_it_is_to_be_known_or_not() -> None:
    """The fingerprint comes beside the JPEG and changes no byte of it; the same file has the same one."""
    photo = encoded(soft_picture(1), "JPEG")
    jpeg, known = prepare_known(photo, SIDE_MAX, 80)
    assert jpeg == prepare(photo, SIDE_MAX, 80)
    assert prepare_known(photo, SIDE_MAX, 80)[1] == known
    with pytest.raises(InvalidImage):
        prepare_known(b"no photo", SIDE_MAX, 80)


@pytest.mark.parametrize(
    "again",
    [
        lambda image: encoded(image, "JPEG", quality=40),
        lambda image: encoded(image.resize((250, 188)), "JPEG"),
        lambda image: encoded(image, "WEBP"),
        lambda image: encoded(image.crop((12, 9, 388, 291)), "JPEG"),
        lambda image: encoded(image.crop((36, 27, 364, 273)), "JPEG"),
        lambda image: encoded(image.point(lambda value: min(value + 12, 255)), "JPEG"),
        lambda image: encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned(6)),
    ],
    ids=["quality", "size", "format", "crop of 3 %", "crop of 9 %", "light", "turned by EXIF"],
)
def test_the_same_photo_again_is_near(again: Callable[[Image.Image], bytes]) -> None:
    """Within the tightest threshold, and of its colours, whichever of the two came first."""
    image = soft_picture(1)
    first, second = (prepare_known(data, SIDE_MAX, 80)[1] for data in (encoded(image, "JPEG"), again(image)))
    assert max(distance(first, second), distance(second, first)) <= 31
    assert colour_distance(first, second) <= 12


def between_bars(image: Image.Image, above: int, below: int) -> Image.Image:
    """Return a picture between two bars, as a telephone's screenshot shows it: with a clock in the upper one."""
    whole = Image.new("RGB", (image.width, image.height + above + below), (6, 6, 6))
    whole.paste(image, (0, above))
    whole.paste((250, 250, 250), (8, 2, 24, 8))
    return whole


@pytest.mark.parametrize(
    "again",
    [
        lambda image: image.crop((20, 0, 400, 300)),
        lambda image: image.crop((0, 0, 380, 279)),
        lambda image: image.crop((4, 21, 384, 298)),
        lambda image: between_bars(image, 40, 40),
        lambda image: between_bars(image, 60, 20),
        lambda image: between_bars(image.transpose(Image.Transpose.ROTATE_90), 40, 40).transpose(
            Image.Transpose.ROTATE_270
        ),
    ],
    ids=["left", "right, below", "all", "bars", "uneven bars", "bars on both sides"],
)
def test_a_crop_of_one_side_and_a_screenshot_are_near(again: Callable[[Image.Image], Image.Image]) -> None:
    """What was cut off one side alone, and what a telephone shows above and below."""
    image = soft_picture(1)
    kept, found = (prepare_known(encoded(each, "JPEG"), SIDE_MAX, 80)[1] for each in (image, again(image)))
    assert distance(found, kept) <= 48
    assert colour_distance(found, kept) <= 12


@pytest.mark.parametrize(("above", "below"), [(0, 40), (5, 5)])
def test_a_dark_edge_is_no_bar(above: int, below: int) -> None:
    """On one side alone, or as thin as a frame, it is part of the picture."""
    image = soft_picture(1)
    dark = between_bars(image, above, below) if above else image.copy()
    dark.paste((0, 0, 0), (0, dark.height - below, dark.width, dark.height))
    assert _between_bars(dark.convert("L")) == (0, 0, *dark.size)
    black = Image.new("L", (40, 40))
    assert _between_bars(black) == (0, 0, 40, 40)


def test_another_photo_is_far_and_another_colour_is_seen() -> None:
    """Two pictures share no more bits than chance gives; a picture in other colours has its shapes, and not its
    colours."""
    image = soft_picture(1)
    red, green, blue = image.split()
    recoloured = Image.merge("RGB", (blue, green, red))
    one, other, third = (
        prepare_known(encoded(each, "PNG"), SIDE_MAX, 80)[1] for each in (image, soft_picture(2), recoloured)
    )
    assert distance(one, other) > 64
    assert colour_distance(one, third) > 12


def turned(orientation: int) -> Image.Exif:
    """Return the EXIF data of a camera that was held so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
