"""Countdown pictures as mail programs load them: right at the moment, bounded in size and in work."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from services.ingest.links import countdowns
from services.ingest.links.countdowns import Countdowns
from services.ingest.links.pictures import FRAMES, HEIGHT, WIDTH, draw
from services.ingest.pace import Pace
from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.composing.links import MessageLinks
from shared.rendering.countdown import Countdown
from tests.fakes import FakeClock
from tests.unit.ingest.links.following import PERSON, SEALS, a_site
from tests.unit.ingest.sites import NOW, Site

INK, PAPER = 0x1F2933, 0xFFFFFF
TOMORROW = Countdown(NOW + DAY, INK, PAPER)


def path(countdown: Countdown = TOMORROW) -> str:
    return MessageLinks(SEALS, "").countdown(countdown)


def frames(picture: bytes) -> list[bytes]:
    """Return what each second of the picture shows."""
    image = Image.open(BytesIO(picture))
    assert (WIDTH, HEIGHT) == image.size
    shown = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        shown += [image.convert("RGB").tobytes()] * (round(image.info.get("duration", 1000)) // 1000)
    return shown


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the drawings: ms left in each."""
    lefts: list[int] = []

    def counted(countdown: Countdown, left: int) -> bytes:
        lefts.append(left)
        return draw(countdown, left)

    monkeypatch.setattr(countdowns, "draw", counted)
    return lefts


def a_shop(pace: int = 1_000) -> Site:
    return a_site(countdowns=Countdowns(SEALS, Pace(pace, FakeClock(0))))


def test_it_shows_what_is_left_when_it_is_looked_at_and_counts_for_a_minute() -> None:
    site = a_shop()
    answer = site.http.get(path(), headers=PERSON)
    assert (200, "image/gif", "no-store") == (
        answer.status_code,
        answer.headers["content-type"],
        answer.headers["cache-control"],
    )
    shown = frames(answer.content)
    assert (FRAMES, FRAMES) == (len(shown), len(set(shown)))
    site.clock.now += 7 * SECOND
    assert shown[7] == frames(site.http.get(path(), headers=PERSON).content)[0]
    assert [] == site.publisher.outputs


def test_when_it_is_over_it_says_zero_and_no_less() -> None:
    over = frames(draw(TOMORROW, 0))
    assert 1 == len(over)
    assert over == frames(draw(TOMORROW, -5 * DAY))
    assert over[0] == frames(draw(TOMORROW, 3 * SECOND))[-1]
    assert 4 == len(frames(draw(TOMORROW, 3 * SECOND)))


def test_it_is_in_the_mails_colours() -> None:
    page = Image.open(BytesIO(draw(Countdown(0, 0x1F6F5C, 0xF5F3EF), HOUR))).convert("RGB")
    colours = {colour for _, colour in page.getcolors(256) or []}
    assert {(0x1F, 0x6F, 0x5C), (0xF5, 0xF3, 0xEF)} <= colours
    assert (0xF5, 0xF3, 0xEF) == page.getpixel((0, 0))


@pytest.mark.parametrize("left", [0, MINUTE, 20 * HOUR + 8 * MINUTE, 888 * DAY + 20 * HOUR, 10**15])
def test_its_size_is_bounded(left: int) -> None:
    assert len(draw(TOMORROW, left)) < 60_000


def test_those_who_look_in_the_same_second_see_one_drawing(drawn: list[int]) -> None:
    site = a_shop()
    for at in (NOW, NOW + 1, NOW + 999, NOW + SECOND):
        site.clock.now = at
        site.http.get(path(), headers=PERSON)
    assert [DAY, DAY - SECOND] == drawn


def test_above_the_pace_nothing_is_drawn(drawn: list[int]) -> None:
    site = a_shop(pace=2)
    others = [path(Countdown(NOW + DAY * number, INK, PAPER)) for number in range(4)]
    assert [200, 200, 429, 429] == [site.http.get(other, headers=PERSON).status_code for other in others]
    assert 200 == site.http.get(others[0], headers=PERSON).status_code
    assert 2 == len(drawn)
    assert 2 == site.count("events_rejected_total", reason="too_many_links")


def test_nobody_can_have_a_picture_drawn_that_we_did_not_ask_for(drawn: list[int]) -> None:
    token = path().rpartition("/")[2]
    for other in (token[:-1], token[::-1], "x" * 60, "x" * 7_000):
        assert 404 == a_shop().http.get(f"/t/i/{other}", headers=PERSON).status_code
    assert 404 == a_shop().http.get(f"/v/{token}", headers=PERSON).status_code
    assert [] == drawn


def test_its_address_is_the_same_for_everybody_and_says_nothing_of_anybody() -> None:
    assert path() == path(Countdown(NOW + DAY, INK, PAPER))
    assert path() != path(Countdown(NOW + DAY, INK, 0))
    assert len(path()) < 80
