"""Makes the calls that it is told with posthog's Python library: ``python posthog_python.py JOB``."""

import json
import sys
from datetime import UTC, datetime

from posthog import Posthog

job = json.loads(sys.argv[1])
client = Posthog(job["key"], host=job["url"])
for call in job["calls"]:
    at = call.get("at")
    said = {"distinct_id": call["user_id"], "timestamp": None if at is None else datetime.fromtimestamp(at / 1000, UTC)}
    match call["call"]:
        case "identify":
            client.set(properties=call["traits"], **said)
        case "page":
            client.capture("$pageview", properties=call["properties"], **said)
        case "track":
            client.capture(call["event"], properties=call["properties"], **said)
client.shutdown()
