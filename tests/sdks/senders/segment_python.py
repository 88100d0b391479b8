"""Makes the calls that it is told with segment-analytics-python: ``python segment_python.py JOB``."""

import json
import sys
from datetime import UTC, datetime

from segment.analytics.client import Client

job = json.loads(sys.argv[1])
client = Client(job["key"], host=job["url"])
for call in job["calls"]:
    at = call.pop("at", None)
    timestamp = None if at is None else datetime.fromtimestamp(at / 1000, UTC)
    getattr(client, call.pop("call"))(timestamp=timestamp, **call)
client.shutdown()
