"""Three real Kafka nodes on loopback, each broker and controller, as one cluster that outlives the loss of any one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.servers.kafka import KafkaServer, new_cluster_id
from tests.servers.process import HOST, Started, free_port
from tests.servers.proxy import Proxy

_NODES = 3
_HEAP = "320m"


class KafkaCluster(Started):
    """Topics with replication factor 3 take writes while two nodes are in sync (`min.insync.replicas` 2).

    With `proxied` each node has a second listener, whose clients pass through its `proxies` entry and are sent to
    the other nodes' proxies: what goes wrong there is between clients and brokers, never among the brokers.
    """

    def __init__(self, *, proxied: bool = False) -> None:
        cluster = new_cluster_id()
        numbers = range(1, _NODES + 1)
        ports = {number: free_port() for number in numbers}
        controllers = {number: free_port() for number in numbers}
        hidden = {number: free_port() for number in numbers}
        self.proxies: Sequence[Proxy] = [Proxy(hidden[number]) for number in numbers] if proxied else []
        voters = ",".join(f"{number}@{HOST}:{controllers[number]}" for number in numbers)
        self.nodes: list[KafkaServer] = []
        for number in numbers:
            listeners = [f"BROKER://{HOST}:{ports[number]}", f"CONTROLLER://{HOST}:{controllers[number]}"]
            advertised = [f"BROKER://{HOST}:{ports[number]}"]
            if proxied:
                listeners.append(f"PROXIED://{HOST}:{hidden[number]}")
                advertised.append(f"PROXIED://{self.proxies[number - 1].address}")
            settings = {
                "node.id": str(number),
                "controller.quorum.voters": voters,
                "listeners": ",".join(listeners),
                "advertised.listeners": ",".join(advertised),
                "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
                "min.insync.replicas": "2",
                "offsets.topic.replication.factor": str(_NODES),
                "transaction.state.log.replication.factor": str(_NODES),
                "transaction.state.log.min.isr": "2",
                # A follower that is away leaves the in-sync set after this; until then acks=all waits for it.
                "replica.lag.time.max.ms": "5000",
            }
            self.nodes.append(KafkaServer(port=ports[number], heap=_HEAP, settings=settings, cluster_id=cluster))

    @property
    def bootstrap(self) -> str:
        """The addresses for Kafka clients."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def proxied_bootstrap(self) -> str:
        """The same through the proxies."""
        return ",".join(proxy.address for proxy in self.proxies)

    def start(self) -> None:
        """Start all nodes at once: two must be up before any serves."""
        for proxy in self.proxies:
            proxy.start()
        self._all(lambda node: node.start())

    def close(self) -> None:
        """Stop everything and delete its data."""
        # A node that loses its quorum hangs in its shutdown, so none waits for another.
        self._all(lambda node: node.kill())
        self._all(lambda node: node.close())
        for proxy in self.proxies:
            proxy.stop()

    def _all(self, work: Callable[[KafkaServer], None]) -> None:
        with ThreadPoolExecutor(_NODES) as pool:
            list(pool.map(work, self.nodes))
