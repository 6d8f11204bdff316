"""Photos as files, for tests: plain ones, odd ones, and ones that are made to harm."""

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)

INTERLACED_AND_CUT_OFF = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000020000000200800000001211615be0000003749"  # pragma: allowlist secret
    "44415478da636060646266209260616563a7278383938b9b87978f7f5460700a0808"  # pragma: allowlist secret
)
"""Pillow raises a TypeError when it is asked a second time to decode this."""


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
    return png[:8] + b"".join(png_chunk(name, body) for name, body in chunks_of(png))


def grey_ramp() -> Image.Image:
    """Return a 16-bit picture that goes from black on the left to white on the right."""
    ramp = Image.new("I;16", (256, 64))
    ramp.putdata([column * 257 for _ in range(64) for column in range(256)])
    return ramp


def with_frame(
    jpeg: bytes, *, bits: int = 8, width: int | None = None, height: int | None = None, colours: int | None = None
) -> bytes:
    """Return a JPEG that claims another size, depth or number of colours."""
    at = min(found for kind in (b"\xff\xc0", b"\xff\xc2") if (found := jpeg.find(kind)) >= 0)
    old_height, old_width, old_colours = struct.unpack(">HHB", jpeg[at + 5 : at + 10])
    size = [old if new is None else new for old, new in ((old_height, height), (old_width, width))]
    frame = struct.pack(">BHHB", bits, *size, old_colours if colours is None else colours)
    return jpeg[: at + 4] + frame + jpeg[at + 10 :]


def first_scan_of_one_colour(progressive: bytes) -> bytes:
    """Return a progressive JPEG that ends after a pass over its first colour."""
    begin = progressive.index(b"\xff\xda")
    one = b"\xff\xda\0\x08\x01" + progressive[begin + 5 : begin + 7] + b"\0\0\1"
    return progressive[:begin] + one + b"\x55" * 40 + b"\xff\xd9"


def with_primaries(profile: bytes, primaries: dict[bytes, tuple[float, ...]]) -> bytes:
    """Return a colour profile with other coordinates of its red, green and blue."""
    for name, place in primaries.items():
        entry = profile.index(name)
        at = int.from_bytes(profile[entry + 4 : entry + 8]) + 8
        profile = profile[:at] + struct.pack(">3i", *(round(65_536 * x) for x in place)) + profile[at + 12 :]
    return profile


def half_zeros(photo: bytes) -> bytes:
    """Return a photo that has zeros in place of its second half; its last twelve bytes, which end it, stay."""
    half = len(photo) // 2
    return photo[:half] + bytes(len(photo) - half - 12) + photo[-12:]


def with_riff_chunks(webp: bytes, chunk: bytes, times: int) -> bytes:
    """Return a WebP with a chunk so many times more at its end."""
    body = webp[8:] + chunk * times
    return b"RIFF" + struct.pack("<I", len(body)) + body


def in_pieces(png: bytes, size: int) -> bytes:
    """Return a PNG whose data come in chunks of this size."""
    data = b"".join(body for name, body in chunks_of(png) if name == b"IDAT")
    pieces = [png_chunk(b"IDAT", data[at : at + size]) for at in range(0, len(data), size)]
    return png[:33] + b"".join(pieces) + png_chunk(b"IEND", b"")


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a PNG, without their checksums."""
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def interlaced(width: int, height: int) -> bytes:
    """Return a blank PNG in seven passes."""
    packer = zlib.compressobj(9)
    data = b""
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        for _ in range(rows):
            data += packer.compress(bytes(1 + 3 * columns))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data + packer.flush()) + png_chunk(b"IEND", b"")


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


def zeros(size: int) -> bytes:
    """Return this many zeros, packed."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


def exif_bomb(entries: int) -> bytes:
    """Return an EXIF block whose every entry claims the whole block as its value."""
    size = 8 + 2 + 12 * entries
    rows = b"".join(struct.pack("<HHII", tag % 2**16, 7, size - 8, 8) for tag in range(1, entries + 1))
    return b"II*\0" + struct.pack("<IH", 8, entries) + rows


def generated() -> Iterator[tuple[str, bytes]]:
    """Yield a small photo in each form that Pillow writes, with a name: those that are taken, and others."""
    picture = two_halves((240, 160))
    picture.paste(Image.merge("RGB", [Image.effect_noise((90, 70), 60)] * 3), (30, 40))
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    for mode in ("L", "RGB", "CMYK"):
        for options in ({}, {"progressive": True}, {"optimize": True}, {"quality": 5}, {"restart_marker_rows": 1}):
            yield f"{mode}-{'-'.join(options)}.jpg", encoded(picture.convert(mode), "JPEG", **options)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"{sampling}.jpg", encoded(picture, "JPEG", subsampling=sampling)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"{mode}.png", encoded((clear if "A" in mode else picture).convert(mode), "PNG")
    yield "16-bit.png", encoded(grey_ramp(), "PNG")
    yield "interlaced.png", interlaced(120, 80)
    yield "transparent-palette.png", encoded(picture.convert("P"), "PNG", transparency=bytes(range(200)))
    for name, image in {"plain": picture, "clear": clear}.items():
        for lossless in (False, True):
            yield f"{name}-{lossless}.webp", encoded(image, "WEBP", lossless=lossless)
    frames = {"save_all": True, "append_images": [picture.rotate(180)]}
    for kind in ("WEBP", "PNG", "MPO", "GIF"):
        yield f"animated-{kind}", encoded(picture, kind, **frames)
    for kind in ("BMP", "TIFF", "AVIF", "ICO", "JPEG2000"):
        yield f"other-{kind}", encoded(picture, kind)


def damage(data: bytes, dice: random.Random) -> bytes:
    """Return a file to which one of the things has happened that happen to files."""
    photo, size = bytearray(data), len(data)
    near_head = dice.random() < 0.5
    at = dice.randrange(min(size, 400) if near_head else size)
    end = min(size, at + dice.choice([1, 2, 4, 16, 300, size]))
    match dice.choice(["cut", "change", "change", "zero", "drop", "add", "repeat", "splice"]):
        case "cut":
            return data[:at]
        case "change":
            for _ in range(dice.randint(1, 8)):
                photo[min(size - 1, at + dice.randrange(64))] = dice.choice([0, 255, dice.randrange(256)])
        case "zero":
            photo[at:end] = bytes(end - at)
        case "drop":
            del photo[at:end]
        case "add":
            photo[at:at] = dice.randbytes(dice.choice([1, 2, 40]))
        case "repeat":
            photo[at:at] = photo[at : min(end, at + 300)] * dice.choice([1, 50])
        case "splice":
            photo[at:] = photo[dice.randrange(size) :]
    return bytes(photo)
