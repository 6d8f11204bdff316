"""WebP decoded at a fraction of its size, by the libwebp that Pillow is linked with.

Pillow decodes every WebP as an animation: two whole canvases and two copies, 16 bytes a pixel. libwebp scales row by
row, so a lossy picture is never in memory whole and a lossless one once. The structures here are those of
`webp/decode.h`; a library with another layout ends the import.
"""

import ctypes
from typing import Any

from PIL import Image, _webp

from functions.adapters.images.files import PhotoFile, damaged

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


_LIBRARY = ctypes.CDLL(_webp.__file__)  # a symbol is looked for in what the module is linked with, too
_INIT, _DECODE = _LIBRARY.WebPInitDecoderConfigInternal, _LIBRARY.WebPDecode
_INIT.argtypes = [ctypes.POINTER(_Config), ctypes.c_int]
_DECODE.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_Config)]

if not _INIT(_Config(), _ABI_VERSION):
    raise ImportError("Pillow is linked with a libwebp whose structures are laid out otherwise")


def decode(photo: PhotoFile, most: tuple[int, int]) -> Image.Image:
    """Decode a WebP to RGBA, averaged down to the width and height `most`, in pixels. Raises InvalidImage if it is
    damaged."""
    width, height = min(most[0], photo.width), min(most[1], photo.height)
    pixels, config = bytearray(4 * width * height), _Config()
    _INIT(config, _ABI_VERSION)
    memory = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    config.output.colorspace, config.output.is_external_memory = _RGBA, 1
    config.output.output.pixels = _Pixels(ctypes.addressof(memory), 4 * width, len(pixels))
    config.options.use_scaling, config.options.scaled_width, config.options.scaled_height = 1, width, height
    if _DECODE(photo.data, len(photo.data), config) != _OK:
        raise damaged()
    return Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
