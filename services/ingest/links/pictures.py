"""Draws the time that is left as a picture that counts down by itself: days, hours, minutes and seconds.

Digits are the same in every language; what they mean stands in the mail around the picture. It is drawn at twice the
size at which it is meant to be shown, for screens that have the points.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.rendering.countdown import Countdown

WIDTH, HEIGHT = 600, 128
FRAMES = 60
"""Seconds for which it counts: then it stands still."""
MOST = 999 * DAY
"""ms from which on it says the same."""
_SHADES = 16
_FONT = 84


def draw(countdown: Countdown, left: int) -> bytes:
    """Return the picture (GIF) as it is ``left`` ms before the deadline: some 30 ms of CPU time, and 40 KB."""
    frames = [_frame(max(0, left - number * SECOND)) for number in range(min(FRAMES, max(0, left) // SECOND + 1))]
    palette = _palette(countdown)
    for frame in frames:
        frame.putpalette(palette)
    written = BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], duration=1000, optimize=False)
    return written.getvalue()


def _frame(left: int) -> Image.Image:
    left = min(left, MOST)
    days, hours, minutes, seconds = left // DAY, left // HOUR % 24, left // MINUTE % 60, left // SECOND % 60
    shades = Image.new("L", (WIDTH, HEIGHT), 0)
    text = f"{days:02}:{hours:02}:{minutes:02}:{seconds:02}"
    ImageDraw.Draw(shades).text((WIDTH // 2, HEIGHT // 2), text, fill=255, font=_font(), anchor="mm")
    return Image.frombytes("P", shades.size, shades.point([value * _SHADES // 256 for value in range(256)]).tobytes())


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT)


def _palette(countdown: Countdown) -> list[int]:
    """Return the shades from the background to the colour."""
    ends = [(countdown.background >> bits & 0xFF, countdown.color >> bits & 0xFF) for bits in (16, 8, 0)]
    return [back + (front - back) * shade // (_SHADES - 1) for shade in range(_SHADES) for back, front in ends]
