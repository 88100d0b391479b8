"""A real Apache Kafka on loopback: one KRaft node that is broker and controller, started in a few seconds.

The jars that `kafka/pom.xml` pins are fetched once with Maven into a cache folder
(`$KIKKAKE_CACHE`, by default `~/.cache/kikkake`) that later and parallel runs share.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.process import HOST, ProcessServer, ServerError, free_port

_FILES = Path(__file__).with_name("kafka")
_POM = _FILES / "pom.xml"
_FETCH_TIMEOUT = 900.0
_JAVA_NEEDED = 17
_API_VERSIONS = 18
_STARTED = "Kafka Server started"


def _settings(data: Path, port: int, controller_port: int) -> dict[str, str]:
    """The broker's settings; what is not named here keeps Kafka's own default."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"BROKER://{HOST}:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data / "log"),
        # A topic that nobody created is a bug that the tests should see.
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(8 * 1024 * 1024),
        "replica.fetch.max.bytes": str(8 * 1024 * 1024),
        # After SIGKILL the controller takes the broker back once its old session ran out (default 9 s).
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "400",
        "group.initial.rebalance.delay.ms": "0",
        # One node: the internal topics can have one replica only, and few partitions are created faster.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        # Tests of compacted topics should not wait for the default 15 seconds.
        "log.cleaner.backoff.ms": "500",
    }


def _cache_folder() -> Path:
    pom = _POM.read_bytes()
    version = re.search(rb"<kafka\.version>([^<]+)<", pom)
    assert version is not None, f"{_POM} names no kafka.version"
    # The pom's digest, so that a changed pin of anything else is not served from an older cache.
    name = f"kafka-{version.group(1).decode()}-{hashlib.sha256(pom).hexdigest()[:8]}"
    return Path(os.environ.get("KIKKAKE_CACHE") or Path.home() / ".cache" / "kikkake").expanduser() / name


def _fetch_jars() -> Path:
    """The folder with the broker's jars, fetched if it is not there yet; ServerError if that fails."""
    folder = _cache_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError(f"there is no mvn on PATH to fetch it with, and {folder} is not there")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # another run fetched it while this one waited for the lock
            return folder
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            jars = Path(temporary) / "jars"
            command = [maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
            command += [f"-DoutputDirectory={jars}", "-DincludeScope=runtime", "-Dstyle.color=never"]
            try:
                done = subprocess.run(
                    command,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=_FETCH_TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                raise ServerError(f"mvn did not fetch its jars in {_FETCH_TIMEOUT:.0f} s") from None
            if done.returncode != 0 or not any(jars.glob("kafka_*.jar")):
                said = next((x for x in done.stdout.splitlines() if "[ERROR]" in x), "[ERROR] it gave no reason")
                reason = said[said.find("[ERROR]") :].removeprefix("[ERROR]").strip()  # colour codes may precede it
                raise ServerError(f"mvn could not fetch its jars: {reason}")
            # Only a complete folder ever gets this name.
            jars.rename(folder)
    return folder


def _java_problem() -> str | None:
    java = shutil.which("java")
    if java is None:
        return "there is no java on PATH"
    said = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if found is None or int(found.group(1)) < _JAVA_NEEDED:
        return f"it needs Java {_JAVA_NEEDED}, and java is {said.splitlines()[0] if said else 'unknown'}"
    return None


def new_cluster_id() -> str:
    """A cluster's id in the form that Kafka wants."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class KafkaServer(ProcessServer):
    """One Kafka node on free (or the given) loopback ports; topics must be created before they are used.

    `settings` adds to or overrides the broker's settings. `fast_start` trades peak speed for a quick start
    of the JVM, which is right for tests; benchmarks pass False. `cluster_id` is what the nodes of one cluster share
    (`KafkaCluster`).
    """

    name = "Kafka"

    def __init__(
        self,
        *,
        port: int | None = None,
        data: Path | None = None,
        heap: str = "512m",
        settings: Mapping[str, str] | None = None,
        fast_start: bool = True,
        cluster_id: str | None = None,
    ) -> None:
        super().__init__(port=port, data=data)
        self._controller_port = free_port()
        self._heap = heap
        self._settings = dict(settings or {})
        self._fast_start = fast_start
        self._cluster_id = new_cluster_id() if cluster_id is None else cluster_id

    @staticmethod
    def available() -> str | None:
        """None when Kafka can run here (its jars are fetched if need be), else one sentence: why not."""
        problem = _java_problem()
        if problem is None:
            try:
                _fetch_jars()
            except (ServerError, OSError) as error:
                problem = str(error)
        return None if problem is None else f"Kafka cannot run: {problem}."

    @property
    def bootstrap(self) -> str:
        """The address for Kafka clients, host:port."""
        return f"{HOST}:{self.port}"

    def _choose_ports(self) -> None:
        super()._choose_ports()
        self._controller_port = free_port()

    def _command(self) -> Sequence[str]:
        problem = _java_problem()
        if problem is not None:
            raise ServerError(f"Kafka cannot run: {problem}.")
        jars = _fetch_jars()
        settings = _settings(self.data, self.port, self._controller_port) | self._settings
        file = self.data / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        temporary = self.data / "tmp"  # native parts of compression codecs are unpacked there
        temporary.mkdir(exist_ok=True)
        java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] if self._fast_start else ["java"]
        java += ["-Xshare:auto", "-XX:-UsePerfData", f"-Djava.io.tmpdir={temporary}"]
        java += [f"-Dlog4j2.configurationFile={_FILES / 'log4j2.properties'}", "-cp", f"{jars}/*"]
        if not (self.data / "log" / "meta.properties").exists():
            self._format(java, file)
        return [java[0], f"-Xms{self._heap}", f"-Xmx{self._heap}", *java[1:], "kafka.Kafka", str(file)]

    def _format(self, java: Sequence[str], file: Path) -> None:
        # Kafka also starts on a hand-written meta.properties, and a JVM sooner, but then every feature but
        # metadata.version stays at level 0: other transactions and group protocols than a real cluster has.
        arguments = ["format", f"--cluster-id={self._cluster_id}", "--config", str(file)]
        command = [*java, "kafka.tools.StorageTool", *arguments]
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise ServerError(f"Kafka's data folder could not be formatted:\n{done.stdout}{done.stderr}")

    def _ready(self) -> bool:
        # The broker opens its port before it may serve; it writes this line when the controller lets it.
        if _STARTED not in self._log_text():
            return False
        request = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
        with socket.create_connection((HOST, self.port), timeout=2) as link:
            link.sendall(struct.pack(">i", len(request)) + request)
            answer = link.recv(10, socket.MSG_WAITALL)
        return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)
