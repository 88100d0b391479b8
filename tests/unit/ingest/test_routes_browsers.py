"""What browsers ask of the HTTP interface before they send, and when they may read the answer."""

from __future__ import annotations

from typing import ClassVar

from tests.unit.ingest.sites import Site, a_track


class TestBrowsers:
    """Cross-origin rules (docs: interfaces, A3)."""

    ORIGIN: ClassVar = {"origin": "https://shop.example"}

    def test_the_preflight_lasts_two_hours(self, site: Site) -> None:
        asked = "anonymousid,authorization,content-type,sentat,x-retry-count,x-write-key"
        answer = site.http.options(
            "/v1/t",
            headers={
                **self.ORIGIN,
                "access-control-request-method": "POST",
                "access-control-request-headers": asked,
            },
        )
        assert 200 == answer.status_code
        assert "https://shop.example" == answer.headers["access-control-allow-origin"]
        assert "7200" == answer.headers["access-control-max-age"]
        assert asked == answer.headers["access-control-allow-headers"]
        assert {"GET", "POST", "OPTIONS"} == set(answer.headers["access-control-allow-methods"].split(", "))

    def test_answers_may_be_read_refusals_too(self, site: Site) -> None:
        """Without Expose-Headers the browser's library cannot see Retry-After and hammers."""
        site.publisher.down = True
        for answer in (site.post("/v1/t", a_track(), headers=self.ORIGIN), site.post("/v1/t", {}, headers=self.ORIGIN)):
            assert "https://shop.example" == answer.headers["access-control-allow-origin"]
            assert "Retry-After, X-RateLimit-Reset" == answer.headers["access-control-expose-headers"]

    def test_settings_come_first(self, site: Site) -> None:
        """analytics-next sends nothing at all without them."""
        answer = site.http.get("/v1/projects/WK/settings", headers=self.ORIGIN)
        assert 200 == answer.status_code
        assert {"Segment.io": {"apiKey": "WK"}} == answer.json()["integrations"]
        assert "public, max-age=3600" == answer.headers["cache-control"]
        assert (404, "not_found") == (
            (unknown := site.http.get("/v1/projects/no/settings")).status_code,
            unknown.json()["code"],
        )
