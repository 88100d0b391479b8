"""`python -m tests.servers`: Kafka and Redis for trying things out by hand, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from tests.servers.kafka import KafkaServer
from tests.servers.process import HOST, ProcessServer, ServerError, port_in_use
from tests.servers.redis import RedisServer


def _run(options: argparse.Namespace, ended: threading.Event) -> str | None:
    """Run both until `ended` is set; returns what went wrong, or None."""
    for name, port in (("Kafka", options.kafka_port), ("Redis", options.redis_port)):
        if port_in_use(port):
            return f"{HOST}:{port} is in use: stop what listens there or set --{name.lower()}-port."
    problem = KafkaServer.available() or RedisServer.available()
    if problem is not None:
        return problem
    kafka = KafkaServer(port=options.kafka_port, data=options.data / "kafka", heap=options.heap)
    redis = RedisServer(port=options.redis_port, data=options.data / "redis")
    servers: tuple[ProcessServer, ...] = (kafka, redis)
    with contextlib.ExitStack() as stack:
        for server in servers:
            if ended.is_set():
                return None
            stack.enter_context(server)
        print(f"KIKKAKE_KAFKA_BOOTSTRAP={kafka.bootstrap}")
        print(f"KIKKAKE_REDIS_URL={redis.url}", flush=True)
        while not ended.wait(0.5):
            for server in servers:
                if not server.running:
                    return f"{server.name} ended by itself; the end of its log:\n{server.log_tail()}"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Start both, print their addresses as environment settings, and stop both cleanly at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".kikkake/servers"), help="kept between runs")
    parser.add_argument("--kafka-port", type=int, default=9092)
    parser.add_argument("--redis-port", type=int, default=6379)
    parser.add_argument("--heap", default="512m", help="the Kafka JVM's heap")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        problem = _run(options, ended)
    except ServerError as error:
        problem = str(error)
    if problem is not None:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
