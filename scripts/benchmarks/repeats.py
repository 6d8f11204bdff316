"""Photos as users send them again: re-encoded, cropped, brightened, photographed anew. For `BENCH=cache`."""

import random
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageEnhance, ImageFilter

Repeat = Callable[[Image.Image, random.Random], bytes]


def reencoded(quality: int) -> Repeat:
    """Save it again."""
    return lambda image, _: _jpeg(image, quality)


def messenger(image: Image.Image, _: random.Random) -> bytes:
    """As messengers send photos: 62 % of the size, and saved again."""
    size = round(image.width * 0.62), round(image.height * 0.62)
    return _jpeg(image.resize(size, Image.Resampling.BICUBIC), 70)


def even_crop(image: Image.Image, chance: random.Random) -> bytes:
    """Cut up to 8 % of each side off, of all the same."""
    share = chance.uniform(0, 0.08)
    return _cropped(image, share, share, share, share)


def uneven_crop(image: Image.Image, chance: random.Random) -> bytes:
    """Cut up to 8 % of each side off, of each another."""
    return _cropped(image, *(chance.uniform(0, 0.08) for _ in range(4)))


def screenshot(image: Image.Image, _: random.Random) -> bytes:
    """Put it between two bars."""
    bar = round(image.height * 0.12)
    whole = Image.new("RGB", (image.width, image.height + 2 * bar), "black")
    whole.paste(image, (0, bar))
    return _jpeg(whole, 85)


def brighter(image: Image.Image, chance: random.Random) -> bytes:
    """Make it a little brighter or darker, and its contrasts stronger or weaker."""
    light = ImageEnhance.Brightness(image).enhance(chance.choice([0.8, 0.9, 1.1, 1.2]))
    return _jpeg(ImageEnhance.Contrast(light).enhance(chance.uniform(0.9, 1.1)), 85)


def steady_retake(image: Image.Image, chance: random.Random) -> bytes:
    """Photograph it anew from the same place: 2 degrees, 2 % of each corner, light, and a hand that is not still."""
    return _retaken(image, chance, degrees=2, corner=0.02, light=0.06)


def new_retake(image: Image.Image, chance: random.Random) -> bytes:
    """Photograph it anew from another place: 8 degrees, 6 % of each corner, other light."""
    return _retaken(image, chance, degrees=8, corner=0.06, light=0.2)


REPEATS: dict[str, Repeat] = {
    "reencoded_85": reencoded(85),
    "reencoded_50": reencoded(50),
    "messenger": messenger,
    "even_crop": even_crop,
    "uneven_crop": uneven_crop,
    "screenshot": screenshot,
    "brighter": brighter,
    "steady_retake": steady_retake,
    "new_retake": new_retake,
}

GENTLE = ("reencoded_85", "reencoded_50", "messenger", "even_crop", "brighter", "steady_retake")
"""Those that the cache is for. The others it finds seldom."""


def _retaken(image: Image.Image, chance: random.Random, degrees: float, corner: float, light: float) -> bytes:
    width, height = image.size
    turned = image.rotate(chance.uniform(-degrees, degrees), Image.Resampling.BICUBIC, fillcolor=_edge(image))

    def near(x: float, y: float) -> tuple[float, float]:
        return x + chance.uniform(-corner, corner) * width, y + chance.uniform(-corner, corner) * height

    corners = [*near(0, 0), *near(0, height), *near(width, height), *near(width, 0)]
    seen = turned.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC, fillcolor=_edge(image))
    lit = ImageEnhance.Brightness(seen).enhance(1 + chance.uniform(-light, light))
    blurred = lit.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1)))
    noise = Image.effect_noise(image.size, 12).convert("RGB")
    return _jpeg(Image.blend(blurred, noise, 0.05), 85)


def _edge(image: Image.Image) -> tuple[int, ...]:
    """Return the colour of a corner, which what lies beyond the photo is given."""
    colour = image.getpixel((2, 2))
    if not isinstance(colour, tuple):
        raise TypeError("a photo in RGB is wanted")
    return colour


def _cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> bytes:
    box = (left * image.width, top * image.height, (1 - right) * image.width, (1 - bottom) * image.height)
    return _jpeg(image.crop(box), 90)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()
