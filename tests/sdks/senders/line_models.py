"""Read the bodies of push requests, one JSON a line, into LINE's own models; print what the models make of each."""

from __future__ import annotations

import json
import sys

from linebot.v3.messaging import PushMessageRequest

for line in sys.stdin:
    print(json.dumps(PushMessageRequest.from_dict(json.loads(line)).to_dict()))
