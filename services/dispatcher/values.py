"""Values that both of the operator's files of this service have: secrets, time-outs, and whether a host is this one."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from shared.clock import HOUR
from shared.journeys.reader import Node
from shared.journeys.secrets import secret_of


def secret_text(node: Node, environment: Mapping[str, str]) -> str:
    """Return the secret that ``node`` names; a fault and nothing where there is none."""
    return secret_of(node, environment).decode("utf-8", "replace")


def seconds(node: Node) -> float:
    """Return a time-out in seconds; a fault for one of more than an hour."""
    milliseconds = node.duration(least=1)
    if milliseconds > HOUR:
        node.fault("a time-out is an hour at most")
    return milliseconds / 1000


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine by its very name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
