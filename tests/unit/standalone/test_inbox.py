"""``GET /v1/inbox``: for admins, those of the keys file too."""

from __future__ import annotations

import hashlib

import pytest

from services.ingest.auth import Admin
from services.ingest.keys import AdminToken
from services.standalone.inbox import create_inbox_router
from tests.unit.ingest.sites import Site

NAMED = AdminToken(name="crm", digest=hashlib.sha256(b"a-token-of-the-file").digest())


@pytest.mark.parametrize(
    ("token", "status"), [("the-own-token", 200), ("a-token-of-the-file", 200), ("another", 401), ("", 401)]
)
def test_an_admin_may_read_it(token: str, status: int) -> None:
    site = Site(extra_routers=[create_inbox_router({}, Admin("the-own-token", lambda: [NAMED]))])
    answer = site.http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"})
    assert status == answer.status_code
    assert status == 200 or "invalid_admin_token" == answer.json()["code"]
