"""WebP decoded at a fraction of its size, by the libwebp that Pillow is linked with.

Pillow decodes every WebP as an animation: two whole canvases and two copies, 16 bytes a pixel. libwebp scales row by
row, so a lossy picture is never in memory whole and a lossless one once. The structures here are those of
`webp/decode.h`.

Functions run on Linux, where Pillow is linked with a shared libwebp. Where it is not, as on Windows, or where libwebp
has other structures, Pillow decodes, and takes fewer pixels.
"""

import ctypes
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image, features

from functions.adapters.images.files import (
    DECODER_BYTES_MAX,
    PhotoFile,
    damaged,
    require_decodable,
    unsupported,
)

PILLOW_PIXELS_MAX = DECODER_BYTES_MAX // 16
"""Most pixels where Pillow decodes."""

_ABI_VERSION = 0x0200
"""The major version of the structures below, of every libwebp since 2012."""

_RGBA = 1
_OK = 0


def _whole(*names: str) -> list[tuple[str, Any]]:
    return [(name, ctypes.c_int) for name in names]


class _Features(ctypes.Structure):
    _fields_ = [*_whole("width", "height", "has_alpha", "has_animation", "format"), ("pad", ctypes.c_uint32 * 5)]


class _Pixels(ctypes.Structure):
    _fields_ = [("rgba", ctypes.c_void_p), ("stride", ctypes.c_int), ("size", ctypes.c_size_t)]


class _Planes(ctypes.Structure):
    _fields_ = [("planes", ctypes.c_void_p * 4), ("strides", ctypes.c_int * 4), ("sizes", ctypes.c_size_t * 4)]


class _Output(ctypes.Union):
    _fields_ = [("pixels", _Pixels), ("planes", _Planes)]


class _Buffer(ctypes.Structure):
    _fields_ = [
        *_whole("colorspace", "width", "height", "is_external_memory"),
        ("output", _Output),
        ("pad", ctypes.c_uint32 * 4),
        ("private_memory", ctypes.c_void_p),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        *_whole("bypass_filtering", "no_fancy_upsampling"),
        *_whole("use_cropping", "crop_left", "crop_top", "crop_width", "crop_height"),
        *_whole("use_scaling", "scaled_width", "scaled_height"),
        *_whole("use_threads", "dithering_strength", "flip", "alpha_dithering_strength"),
        ("pad", ctypes.c_uint32 * 5),
    ]


class _Config(ctypes.Structure):
    _fields_ = [("input", _Features), ("output", _Buffer), ("options", _Options)]


@cache
def _functions() -> tuple[Any, Any] | None:
    """Return `WebPInitDecoderConfigInternal` and `WebPDecode`; None where they cannot be used."""
    from PIL import _webp  # noqa: PLC0415  (a Pillow without it still decodes JPEG)

    try:
        library = ctypes.CDLL(_webp.__file__)  # a symbol is looked for in what the module is linked with, too
        init, decode = library.WebPInitDecoderConfigInternal, library.WebPDecode
    except (OSError, AttributeError):
        return None
    init.argtypes = [ctypes.POINTER(_Config), ctypes.c_int]
    decode.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_Config)]
    return (init, decode) if init(_Config(), _ABI_VERSION) else None


def decode(photo: PhotoFile, most: tuple[int, int]) -> Image.Image:
    """Decode a WebP to RGB, or to RGBA if it is transparent, averaged down to the width and height `most`, in pixels.
    Raises InvalidImage if it is damaged, or if this machine cannot decode one, or none of this size."""
    if not features.check("webp"):
        raise unsupported("A WebP")
    functions = _functions()
    return _whole_by_pillow(photo) if functions is None else _scaled(photo, most, *functions)


def _whole_by_pillow(photo: PhotoFile) -> Image.Image:
    require_decodable(photo.width, photo.height, PILLOW_PIXELS_MAX)
    with Image.open(BytesIO(photo.data), formats=["WEBP"]) as image:
        image.load()
        return image


def _scaled(photo: PhotoFile, most: tuple[int, int], init: Any, decode: Any) -> Image.Image:
    width, height = min(most[0], photo.width), min(most[1], photo.height)
    pixels, config = bytearray(4 * width * height), _Config()
    init(config, _ABI_VERSION)
    memory = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    config.output.colorspace, config.output.is_external_memory = _RGBA, 1
    config.output.output.pixels = _Pixels(ctypes.addressof(memory), 4 * width, len(pixels))
    config.options.use_scaling, config.options.scaled_width, config.options.scaled_height = 1, width, height
    if decode(photo.data, len(photo.data), config) != _OK:
        raise damaged()
    if config.input.has_alpha:
        return Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
    return Image.frombuffer("RGB", (width, height), pixels, "raw", "RGBX", 0, 1)
