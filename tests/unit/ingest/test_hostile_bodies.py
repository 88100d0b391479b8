"""Whatever bytes are posted: 200, or a refusal that says what to change; never a 500, and never more memory."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.body import decode_body
from services.ingest.errors import TooLargeError
from services.ingest.limits import STANDARD
from shared.messages import codec
from shared.messages.event import Event
from tests.unit.ingest.sites import WK, Site

SITE = Site()
PATHS = ("/v1/track", "/v1/batch", "/beacon/v1/batch", "/api/s/track", "/e/", "/i/v1/analytics/events", "/engage/")

# JSON as text, for what a writer of JSON would never write: it is read all the same, or refused.
SCALARS = (
    "null", "true", "0", "-0", "1.5", '""', '"u1"', '"2026-03-02T10:00:00Z"',
    "1e999", "-1e999", "9" * 400, "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1e-999",
    "NaN", "Infinity", "-Infinity", r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"', '"\\', "01", "'u1'", '"\x00"',
)  # fmt: skip
NAMES = (
    "type", "event", "userId", "anonymousId", "messageId", "properties", "traits", "context", "timestamp", "sentAt",
    "batch", "writeKey", "api_key", "distinct_id", "uuid", "data",
)  # fmt: skip
scalars = st.sampled_from(SCALARS) | st.text(max_size=5).map(lambda text: f'"{text}"')
names = st.sampled_from(NAMES).map(lambda name: f'"{name}"') | scalars


def written(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists and objects of ``inner`` as text, in which a name may stand twice."""
    pairs = st.tuples(names, inner).map(":".join)
    return st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]") | st.lists(pairs, max_size=6).map(
        lambda items: f"{{{','.join(items)}}}"
    )


texts = st.recursive(scalars, written, max_leaves=15).map(lambda text: text.encode(errors="surrogatepass"))
nested = st.tuples(
    st.sampled_from([(b"[", b"]"), (b'{"batch":', b"}"), (b'{"properties":', b"}")]), st.integers(1, 2000)
)
deep = nested.map(lambda it: it[0][0] * it[1] + b"1" + it[0][1] * it[1])
wraps: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    gzip.compress,
    zlib.compress,
    lambda raw: gzip.compress(raw)[:-5],
    lambda raw: gzip.compress(raw) + b"more",
    lambda raw: gzip.compress(gzip.compress(raw)),
    lambda raw: b"data=" + quote(base64.b64encode(raw)).encode(),
    lambda raw: b"data=" + base64.b64encode(gzip.compress(raw)) + b"&compression=gzip-js",
    lambda raw: b"\xef\xbb\xbf" + raw,
    lambda raw: raw.decode(errors="replace").encode("utf-16"),
    lambda raw: raw[: len(raw) // 2],
)


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    raw=st.binary(max_size=40)
    | texts
    | deep
    | written(texts.map(lambda raw: raw.decode(errors="replace"))).map(str.encode),
    wrap=st.sampled_from(wraps),
)
def test_any_bytes_are_taken_or_refused(path: str, raw: bytes, wrap: Callable[[bytes], bytes]) -> None:
    """What was taken can be read by whoever reads the log."""
    SITE.publisher.outputs.clear()
    answer = SITE.http.post(path, content=wrap(raw), auth=WK)
    said = answer.json()
    if answer.status_code != 200:
        assert answer.status_code in (400, 413)
        assert said["success"] is False
        assert all(isinstance(said[word], str) and said[word] for word in ("code", "message", "detail"))
        assert all(output.topic == "events.dlq" for output in SITE.publisher.outputs)
        return
    assert said["success"] is True
    for output in SITE.publisher.outputs:
        reader = codec.EVENTS if output.topic == "events" else codec.DEAD_LETTERS
        record = reader.decode(output.value)
        assert output.topic != "events" or isinstance(record, Event)


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, zlib.MAX_WBITS | 16], ids=["zlib", "gzip"])
def test_a_bomb_is_refused_before_it_goes_off(window: int) -> None:
    """A thousand times what it weighs: no more of it is inflated than may come."""
    press = zlib.compressobj(wbits=window)
    bomb = b"".join(press.compress(bytes(1_000_000)) for _ in range(300)) + press.flush()
    assert len(bomb) < 400_000
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            decode_body(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The buffer doubles while it fills.
    assert most < 3 * STANDARD.body_bytes
