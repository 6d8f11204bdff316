"""From whatever a user uploaded to a small JPEG of nothing but pixels, or to the reason why not."""

import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from functions.adapters.images import SIDE_MIN, prepare
from functions.core.errors import InvalidImage
from functions.steps.batch_files import PHOTO_THREADS

SIDE_MAX = 128
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)

# Pillow warns about the damage that it works around; the photo is judged by what comes out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

Colour = tuple[int, int, int]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_halves(size: tuple[int, int] = (200, 100), mode: str = "RGB") -> Image.Image:
    """Return a picture that is red on the left and blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


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


def close_to(colour: Colour) -> Any:
    """Return a value that equals colours which JPEG may have made of this one."""
    return pytest.approx(colour, abs=40)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def blank_png(width: int, height: int) -> bytes:
    """Return a transparent PNG of any size, which packs into next to nothing."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(4 * width + 1)) for _ in range(height)) + packer.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises a size and holds almost nothing."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")


def with_good_checksums(png: bytes) -> bytes:
    """Return a PNG whose chunks were changed with the checksums that they need now."""
    out, at = png[:8], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        out += png_chunk(png[at + 4 : at + 8], png[at + 8 : at + 8 + length])
        at += 12 + length
    return out


def grey_ramp() -> Image.Image:
    """Return a 16-bit picture that goes from black on the left to white on the right."""
    ramp = Image.new("I;16", (256, 64))
    ramp.putdata([column * 257 for _ in range(64) for column in range(256)])
    return ramp


JPEG = encoded(two_halves(), "JPEG")

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


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_white(mode: str) -> None:
    """What shows through is white, as on the white page where the user saw it; black would look like dirt."""
    image = Image.new(mode, (64, 64))
    assert pixel(prepared(encoded(image)), 0.5, 0.5) == close_to(WHITE)


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
        ((2_000, 20), (SIDE_MAX, 1)),
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_pixels_leaves_the_house(kind: str) -> None:
    """Where and with what a photo was taken is not sent to the provider: no EXIF, GPS, comment or profile."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif.get_ifd(0x8825)[29] = "2026:11:21"
    comment = {"comment": b"SecretComment"} if kind == "JPEG" else {}
    if kind != "PNG":
        comment["xmp"] = b"<x:xmpmeta><exif:GPSLatitude>SecretPlace</exif:GPSLatitude></x:xmpmeta>"
    data = encoded(two_halves(), kind, exif=exif, icc_profile=b"SecretProfile" * 10, **comment)
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


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG that claims another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def many_scans(side: int, more: int) -> bytes:
    """Return a progressive JPEG whose last pass is made so many times more."""
    jpeg = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * more + jpeg[-2:]


def webp_header(width: int, height: int) -> bytes:
    """Return a WebP that promises a size and holds nothing."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Return a PNG with more chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "text": b"This is a text file with the name photo.jpg.",
    "zeros": bytes(1_000),
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>',
    "PDF": b"%PDF-1.7\n",
    "GIF": encoded(two_halves(mode="P"), "GIF"),
    "animated GIF": encoded(two_halves(mode="P"), "GIF", save_all=True, append_images=[Image.new("P", (200, 100))]),
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(100),
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100),
    "archive": b"PK\x03\x04" + bytes(100),
    "GIF that is JavaScript too": b"GIF89a/*" + bytes(100) + b"*/=1;alert(1)",
    "HTML that ends in a JPEG": b"<script>alert(1)</script>" + JPEG,
    "BMP": encoded(two_halves(), "BMP"),
    "TIFF": encoded(two_halves(), "TIFF"),
    "ICO": encoded(two_halves((64, 64)), "ICO"),
    "PPM": encoded(two_halves(), "PPM"),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
    "JPEG signature alone": b"\xff\xd8\xff",
    "JPEG without its end": JPEG[: len(JPEG) // 2],
    "PNG without its end": encoded(Image.effect_noise((64, 64), 60))[:-600],
    "WebP without its end": encoded(two_halves(), "WEBP")[:-40],
    "PNG without pixels": png_header(100, 100),
    "PNG of no area": png_header(0, 100),
    "JPEG of no area": with_size(JPEG, 0, 100),
    "JPEG bomb": with_size(JPEG, 65_500, 65_500),
    "JPEG in a thousand passes": many_scans(64, 1_000),
    "WebP bomb": webp_header(16_384, 16_384),
    "PNG bomb": png_header(50_000, 50_000),
    "PNG bomb, long": png_header(2_000_000_000, 16),
    "a single pixel": encoded(Image.new("RGB", (1, 1))),
    "too narrow": encoded(Image.new("RGB", (SIDE_MIN - 1, 200))),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_usable_photo_is_refused(what: str) -> None:
    """Other formats, fragments, bombs and specks are an `InvalidImage`, whatever the file is called."""
    with pytest.raises(InvalidImage):
        prepare(REFUSED[what], SIDE_MAX, 80)


def test_the_limit_of_pixels_is_named_before_a_pixel_is_decoded() -> None:
    """A bomb is refused by its header, and the message says what would be taken."""
    with pytest.raises(InvalidImage, match=r"2,500,000,000 pixels; at most [0-9,]+"):
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


HOSTILE: dict[str, Callable[[], bytes]] = {
    "as many passes as are taken": lambda: many_scans(7_000, 50),
    "hours of passes": lambda: many_scans(7_000, 130_000),
    "text that unpacks to a gigabyte": lambda: with_chunks(
        encoded(two_halves()), png_chunk(b"zTXt", b"a\0\0" + zeros(2**30))
    ),
    "text upon text": lambda: with_chunks(encoded(two_halves()), *[png_chunk(b"zTXt", b"a\0\0" + zeros(2**20))] * 500),
    "a profile that unpacks to a gigabyte": lambda: with_chunks(
        encoded(two_halves()), png_chunk(b"iCCP", b"a\0\0" + zeros(2**30))
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
}


def zeros(size: int) -> bytes:
    """Return this many zeros, packed."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


def exif_bomb(entries: int) -> bytes:
    """Return an EXIF block whose every entry claims the whole block as its value."""
    size = 8 + 2 + 12 * entries
    rows = b"".join(struct.pack("<HHII", tag % 2**16, 7, size - 8, 8) for tag in range(1, entries + 1))
    return b"II*\0" + struct.pack("<IH", 8, entries) + rows


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_bomb_takes_little_time_and_memory(tmp_path: Path, what: str) -> None:
    """Whatever becomes of a hostile file of up to 10 MB, it is done within seconds and a part of the memory."""
    (tmp_path / "bomb").write_bytes(HOSTILE[what]())
    assert (tmp_path / "bomb").stat().st_size < 10 * 1024**2
    command = [sys.executable, "-c", PEAK_MB + "print(time.process_time())", str(tmp_path / "bomb")]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=120)  # noqa: S603 (our own script)
    peak_mb, cpu_seconds = ran.stdout.split()
    assert int(peak_mb) < 400
    assert float(cpu_seconds) < 8


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_largest_photos_at_once_fit_into_the_functions_memory(tmp_path: Path) -> None:
    """What the largest photo that is taken needs, times the photos that are prepared side by side, is below 1 GB."""
    for side in (2_000, 3_000, 4_000, 5_000, 7_000):
        (tmp_path / f"{side}.png").write_bytes(blank_png(side, side))
    command = [sys.executable, "-c", PEAK_MB, *map(str, tmp_path.iterdir())]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=60)  # noqa: S603 (our own script)
    assert int(ran.stdout) * PHOTO_THREADS < 900


PEAK_MB = """
import pathlib, re, sys, time
from functions.adapters.images import prepare
from functions.core.errors import InvalidImage

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024

before = peak_mb()
for path in sys.argv[1:]:
    try:
        prepare(pathlib.Path(path).read_bytes(), 512, 80)
    except InvalidImage:
        pass  # refused by its header: costs nothing
print(peak_mb() - before)
"""


def test_photos_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen callers in an instance hold sixteen photos, and the memory of one that is being decoded."""
    at_once, most = 0, 0
    thumbnail = Image.Image.thumbnail

    def watched(image: Image.Image, *args: Any, **kwargs: Any) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        thumbnail(image, *args, **kwargs)
        at_once -= 1

    monkeypatch.setattr(Image.Image, "thumbnail", watched)
    data = encoded(Image.new("RGB", (1_000, 800)))
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda _: prepare(data, 512, 80), range(8)))
    assert most == 1
