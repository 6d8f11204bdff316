"""From the bytes that a user uploaded to a small, upright JPEG without metadata; or to the reason why not.

recognise    what the file is, by its content                              formats
reduce       to what makes up the picture, within limits of number and size    jpeg, scans, png, webp, metadata
decode       at a fraction of the size where the format can, one photo at a time in a process, in one thread    libwebp
finish       transparency on white, colours as sRGB, upright, small

The decoders are C; whatever they raise is an `InvalidImage`. What a photo costs at most is known before they see it:
`files.DECODER_BYTES_MAX` of memory and about a second.
"""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from functions.adapters.images import libwebp
from functions.adapters.images.files import PhotoFile, cut_off, damaged
from functions.adapters.images.formats import read
from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem

if TYPE_CHECKING:
    from functions.core.cache.fingerprints import Fingerprint

SIDE_MIN = 16
"""A picture smaller than this shows nothing that could be classified."""

LENGTH_MAX = 8
"""Most that a picture's length may be of its width. At 512 pixels the short side then has 64 left, two of a model's
patches; a phone's panorama has a ratio of 4 to 5, scrolled screens more than this."""

REDUCING_GAP = 2
"""Pictures are averaged down to this many times the size that is wanted, and filtered from there. Of a JPEG the decoder
does most of that: it computes 1/2, 1/4 or 1/8 of the rows and columns."""

FILTER = Image.Resampling.HAMMING
"""Half the time of LANCZOS. Photos of 40 cameras looked the same side by side, at twice their size too: 40 dB from it
on average, 30 at least where leaves and gratings are finer than the pixels."""

CLOSE = 1.25
CLOSE_FILTER = Image.Resampling.BICUBIC
"""From less than `CLOSE` times the size that is wanted, `FILTER` takes the sharpness from some rows and columns."""

BAND_ROWS = 64
"""Rows of a large picture that are brought into RGB at a time, so that it is never in memory twice."""

_DECODER = ThreadPoolExecutor(1, "photo-decoder")
"""One thread decodes all photos, one by one. Side by side gains nothing on an instance's one CPU, while each photo
needs up to `files.DECODER_BYTES_MAX` and twice its file. The allocator also keeps freed memory per thread: large photos
of 16 callers came to 760 MB with threads of their own, and to 83 MB with one."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""

Image.MAX_IMAGE_PIXELS = None  # our own limits are checked before; Pillow's begins with a warning


def prepare(data: bytes, side_max: int, jpeg_quality: int) -> bytes:
    """Return the photo as JPEG: upright, sRGB, at most `side_max` pixels on its longest side, without metadata. Raises
    InvalidImage; its `details.problem` says why."""
    return _DECODER.submit(lambda: _encoded(_upright(data, side_max), jpeg_quality)).result()


def prepare_known(data: bytes, side_max: int, jpeg_quality: int) -> "tuple[bytes, Fingerprint]":
    """Return the same JPEG, and what the photo is known again by: of the same picture, which is not decoded twice."""
    from functions.adapters.images.fingerprints import fingerprint  # noqa: PLC0415  (2 ms, and `prepare` needs none)

    def prepared() -> "tuple[bytes, Fingerprint]":
        image = _upright(data, side_max)
        jpeg = _encoded(image, jpeg_quality)
        return jpeg, fingerprint(image, jpeg)

    return _DECODER.submit(prepared).result()


def _upright(data: bytes, side_max: int) -> Image.Image:
    if not data:
        raise InvalidImage(PhotoProblem.EMPTY, "The photo is empty. Upload it again.")
    try:
        photo = read(data)
        _check_shape(photo.width, photo.height)
        image = _decoded(photo, side_max)
    except InvalidImage:
        raise
    except Exception as error:  # readers and decoders raise anything on damaged files, MemoryError among it
        raise damaged() from error
    turn = _TURNS.get(photo.orientation)
    return image if turn is None else image.transpose(turn)


def _encoded(image: Image.Image, jpeg_quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=jpeg_quality)
    return out.getvalue()


def _check_shape(width: int, height: int) -> None:
    if min(width, height) < SIDE_MIN:
        raise InvalidImage(
            PhotoProblem.TOO_SMALL, f"The photo is {width} x {height} pixels; it needs {SIDE_MIN} on each side."
        )
    if max(width, height) > LENGTH_MAX * min(width, height):
        raise InvalidImage(
            PhotoProblem.TOO_LONG,
            f"The photo is {width} x {height} pixels, too long to show anything when it is made small. Crop it to what "
            f"it is about: at most {LENGTH_MAX} times as long as wide.",
        )


def _decoded(photo: PhotoFile, side_max: int) -> Image.Image:
    """Decode a photo to the wanted size, in sRGB. Raises InvalidImage if the data end before the picture does."""
    scale = min(1, side_max / max(photo.width, photo.height))
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    if photo.kind == "WEBP":
        image = libwebp.decode(photo, (REDUCING_GAP * size[0], REDUCING_GAP * size[1]))
        return _finished(image, image.size, size, photo.profile)
    with Image.open(BytesIO(photo.data), formats=[photo.kind]) as image:
        draft = image.draft(None, size)
        try:
            image.load()
        except OSError as error:
            raise (cut_off() if "truncated" in str(error) and not photo.gap else damaged()) from error
        return _finished(image, draft[1][2:] if draft else image.size, size, photo.profile)


def _finished(
    image: Image.Image, extent: tuple[float, float], size: tuple[int, int], profile: bytes | None
) -> Image.Image:
    """Bring an image to its final size and colours. The photo takes `extent` of it, in pixels: the last row and column
    of a JPEG that was decoded at a fraction may be part of one."""
    factor = max(1, image.width // (REDUCING_GAP * size[0]))
    as_it_is = factor == 1 and image.mode == "RGB" and not image.has_transparency_data
    small = image if as_it_is else _reduced(image, factor)
    if small.size != size:
        box = (0, 0, extent[0] / factor, extent[1] / factor)
        small = small.resize(size, FILTER if box[2] >= CLOSE * size[0] else CLOSE_FILTER, box)
    return small if profile is None else _as_srgb(small, profile)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Average squares of `factor` pixels to one, in RGB. The copy carries no metadata."""
    width, height = image.size
    whole = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    step = factor * max(1, BAND_ROWS // factor)
    for top in range(0, height, step):
        band = _flat(image.crop((0, top, width, min(top + step, height))))
        whole.paste(band.reduce(factor), (0, top // factor))
    return whole


def _flat(image: Image.Image) -> Image.Image:
    """Put transparency on white, and every other mode (CMYK, palette, 16 bit) into RGB."""
    if image.mode.startswith("I"):
        # 16 bits of grey down to 8: Pillow's own conversion cuts them off at white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _as_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert colours from a camera's wider space. A profile that turns out to be none leaves them as they are."""
    from PIL import ImageCms  # noqa: PLC0415 (20 ms, and many photos need none)

    try:
        source = ImageCms.getOpenProfile(BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image
