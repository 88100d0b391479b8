"""Which sites' pages may send."""

from __future__ import annotations

import pytest

from services.ingest.origins import origins_of

ORIGINS = origins_of(["https://shop.example", "https://*.shop.example", "http://localhost:3000"])


@pytest.mark.parametrize(
    "origin", ["https://shop.example", "https://www.shop.example", "https://a.b.shop.example", "http://localhost:3000"]
)
def test_who_may(origin: str) -> None:
    assert ORIGINS.allow(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://shopxexample",
        "https://evil.example/https://shop.example",
        "null",
        "",
    ],
)
def test_who_may_not(origin: str) -> None:
    assert not ORIGINS.allow(origin)


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "*", "https://*", "https://a*.example"])
def test_what_no_browser_would_name_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        origins_of([origin])
