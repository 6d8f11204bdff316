"""A few drawn photos for the demo and the tests to classify, and one as large as a phone's."""

import random
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Draw = ImageDraw.ImageDraw
Colour = tuple[int, int, int]

_WHITE = (214, 208, 198)


def drawn_photos() -> dict[str, bytes]:
    """Return the drawings as JPEG bytes, by file name. Each stands before a wall in such light that the stand-in for
    the model can tell what it is."""
    items = {
        "bottle.jpg": (_bottle, _WHITE),
        "can.jpg": (_can, (212, 208, 200)),
        "newspaper.jpg": (_newspaper, (212, 204, 184)),
        "banana.jpg": (_banana, _WHITE),
        "battery.jpg": (_battery, _WHITE),
        "carton.jpg": (_carton, (212, 203, 182)),
        "jar.jpg": (_jar, (206, 195, 168)),
        "leaves.jpg": (_leaves, _WHITE),
    }
    return {name: _photo(item, wall) for name, (item, wall) in items.items()}


def phone_photo() -> bytes:
    """Return a JPEG of 12 megapixels and 2.6 MB, which costs a decoder what a phone's costs: it has detail of every
    size, half as strong at half the size, and a sensor's noise."""
    size, dice, grey = (4_032, 3_024), random.Random(1), Image.new("L", (4_032, 3_024), 128)  # noqa: S311  (a picture)
    for octave in range(10):
        width, height = size[0] >> (9 - octave), size[1] >> (9 - octave)
        reach = max(6, 128 >> octave)
        detail = Image.frombytes("L", (width, height), dice.randbytes(width * height))
        weaker = detail.point([128 + (value - 128) * reach // 128 for value in range(256)])
        grey = ImageChops.add(grey, weaker.resize(size), offset=-128)
    out = BytesIO()
    grey.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def _photo(item: Callable[[Draw], None], wall: Colour) -> bytes:
    image = Image.new("RGB", (640, 480), wall)
    item(ImageDraw.Draw(image))
    out = BytesIO()
    image.filter(ImageFilter.GaussianBlur(1.2)).save(out, "JPEG", quality=88)
    return out.getvalue()


def _bottle(draw: Draw) -> None:
    draw.rounded_rectangle((250, 150, 390, 450), 40, fill=(176, 204, 214), outline=(140, 176, 190), width=4)
    draw.rectangle((295, 70, 345, 160), fill=(190, 214, 222))
    draw.rectangle((290, 45, 350, 80), fill=(110, 150, 190))
    draw.rectangle((250, 250, 390, 340), fill=(236, 236, 232))


def _can(draw: Draw) -> None:
    draw.rectangle((230, 110, 410, 400), fill=(150, 172, 190))
    draw.ellipse((230, 80, 410, 140), fill=(205, 208, 212), outline=(120, 124, 130), width=4)
    draw.ellipse((230, 370, 410, 430), fill=(140, 144, 150))
    draw.rectangle((230, 190, 410, 330), fill=(70, 120, 190))
    for x in range(240, 410, 24):
        draw.line((x, 125, x, 400), fill=(190, 204, 216), width=3)


def _newspaper(draw: Draw) -> None:
    draw.polygon([(110, 100), (520, 70), (550, 390), (130, 420)], fill=(232, 208, 168))
    draw.polygon([(140, 125), (500, 98), (503, 140), (143, 168)], fill=(70, 70, 70))
    for row in range(185, 395, 16):
        draw.line((150, row, 320, row - 12), fill=(150, 142, 130), width=5)
        draw.line((345, row - 14, 515, row - 26), fill=(150, 142, 130), width=5)


def _banana(draw: Draw) -> None:
    draw.arc((140, -60, 540, 390), 20, 160, fill=(238, 200, 40), width=70)
    draw.arc((150, -40, 530, 380), 40, 120, fill=(120, 80, 30), width=8)


def _battery(draw: Draw) -> None:
    draw.rounded_rectangle((160, 190, 480, 290), 14, fill=(35, 35, 38))
    draw.rectangle((400, 190, 480, 290), fill=(205, 150, 60))
    draw.rectangle((480, 222, 502, 258), fill=(190, 192, 196))
    draw.line((430, 240, 460, 240), fill=(30, 30, 30), width=8)
    draw.line((445, 225, 445, 255), fill=(30, 30, 30), width=8)


def _carton(draw: Draw) -> None:
    draw.polygon([(150, 190), (330, 130), (510, 190), (330, 260)], fill=(204, 186, 162))
    draw.polygon([(150, 190), (330, 260), (330, 440), (150, 360)], fill=(174, 156, 136))
    draw.polygon([(510, 190), (330, 260), (330, 440), (510, 360)], fill=(188, 170, 148))


def _jar(draw: Draw) -> None:
    draw.rounded_rectangle((220, 130, 420, 430), 50, fill=(120, 186, 136), outline=(110, 160, 125), width=6)
    draw.rectangle((230, 90, 410, 140), fill=(158, 160, 150))
    draw.line((260, 180, 260, 380), fill=(220, 240, 224), width=14)


def _leaves(draw: Draw) -> None:
    for x, y, green in [(160, 150, 120), (290, 110, 150), (390, 210, 105), (230, 270, 135), (350, 320, 90)]:
        draw.ellipse((x, y, x + 150, y + 80), fill=(60, green, 40))
        draw.line((x + 8, y + 40, x + 142, y + 40), fill=(40, green - 40, 25), width=5)
