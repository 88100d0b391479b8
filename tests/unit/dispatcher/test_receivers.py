"""What a server of a contact's answers is about that contact alone: no answer of it stops the provider for others."""

from __future__ import annotations

import pytest

from services.dispatcher.channels.receivers import Receivers, raise_for_receiver
from services.dispatcher.errors import AmbiguousError, BusyError, DeadAddressError, MisconfiguredError, RefusedError
from services.dispatcher.guard import Guard
from services.dispatcher.http1 import Answer
from tests.servers.process import free_port


@pytest.mark.parametrize(
    ("status", "kept", "expected"),
    [
        (200, True, None),
        (204, False, None),
        (301, True, RefusedError),
        (400, True, RefusedError),
        (401, True, RefusedError),
        (403, True, RefusedError),
        (410, True, DeadAddressError),
        (408, True, BusyError),
        (425, True, BusyError),
        (429, False, BusyError),
        (500, True, AmbiguousError),
        (500, False, BusyError),
        (503, True, BusyError),
        (504, True, AmbiguousError),
    ],
)
def test_what_each_answer_means(status: int, kept: bool, expected: type[Exception] | None) -> None:
    answer = Answer(status, {}, b"")
    if expected is None:
        raise_for_receiver(answer, dead=frozenset({410}), kept=kept)
        return
    with pytest.raises(expected, match=rf"^HTTP {status}$") as caught:
        raise_for_receiver(answer, dead=frozenset({410}), kept=kept)
    assert type(caught.value) is expected
    assert not isinstance(caught.value, MisconfiguredError)


def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    with pytest.raises(BusyError) as caught:
        raise_for_receiver(Answer(429, {"retry-after": "7"}, b""), dead=frozenset(), kept=False)
    assert 7_000 == caught.value.retry_after


async def test_one_that_is_not_there_says_nothing_of_the_others() -> None:
    """A provider that is unavailable is left alone by everybody; this is one contact's server."""
    receivers = Receivers(Guard(["127.0.0.1"]), timeout=5.0, connections=1, headers={})
    with pytest.raises(BusyError):
        await receivers.post(f"http://127.0.0.1:{free_port()}/", b"{}", {})
    await receivers.close()
