"""``kikkake dev``: what could not be processed is read and sent through again while it runs."""

from __future__ import annotations

from pathlib import Path

from httpx2 import ASGITransport, AsyncClient

from services.standalone.app import compose
from services.standalone.settings import StandaloneSettings
from shared.messages.topics import EVENTS
from tests.dispatching import eventually


async def test_a_call_that_was_refused_becomes_an_event_once_the_catalogue_knows_it(tmp_path: Path) -> None:
    journeys, data = tmp_path / "journeys", tmp_path / "data"
    journeys.mkdir()
    (journeys / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\n")
    settings = StandaloneSettings(data=data, journeys=journeys, durability="process", write_keys=("WK",))
    host = compose(settings)
    async with (
        host.running(),
        AsyncClient(transport=ASGITransport(host.app), base_url="http://dev", auth=("WK", "")) as http,
    ):
        refused = await http.post("/v1/track", json={"userId": "u1", "event": "Kettle Boiled"})
        assert (400, "unknown_event") == (refused.status_code, refused.json()["code"])

    (journeys / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\nevents: {Kettle Boiled: }\n")
    host = compose(settings)
    headers = {"Authorization": f"Bearer {host.credentials.admin_token}"}
    async with (
        host.running(),
        AsyncClient(transport=ASGITransport(host.app), base_url="http://dev", headers=headers) as http,
    ):
        [letter] = (await http.get("/v1/dead-letters/events.dlq")).json()["dead_letters"]
        assert ("unknown_event", "key_1") == (letter["reason"], letter["source"])
        path = f"/v1/dead-letters/events.dlq/{letter['offset']}"
        assert {"userId": "u1", "event": "Kettle Boiled"} == (await http.get(path)).json()["value"]
        assert "accepted" == (await http.post(f"{path}/replay")).json()["became"]
        await eventually(lambda: host.evaluation.read_to[EVENTS] == host.log.end(EVENTS, 0))
        contact = (await http.get("/v1/contacts/u1")).json()
        assert ["Kettle Boiled"] == [event["event"] for event in contact["recent_events"]]
        assert 401 == (await http.get(path, headers={"Authorization": "Bearer WK"})).status_code
