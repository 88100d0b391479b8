"""What the SDK tests share: the host, a proxy that can fail, a browser and the site that it visits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.host import Host
from tests.sdks import installed
from tests.sdks.browser import Chromium, Visitor, shop
from tests.sdks.faults import FaultyProxy
from tests.servers.fixtures import require


@pytest.fixture(scope="session")
def packages() -> None:
    """Whatever the servers' SDKs are written in."""
    require(installed.node_packages())
    require(installed.python_packages())


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for the whole run: let each test have contacts of its own."""
    host = Host(tmp_path_factory.mktemp("host"))
    host.process.start().ready()
    try:
        yield host
    finally:
        host.process.end()


@pytest.fixture
def proxy(host: Host) -> Iterator[FaultyProxy]:
    """A way to the host that fails when told to."""
    with FaultyProxy(host.url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def visitor(packages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Somebody who visits the shop with a browser."""
    require(installed.chromium())
    folder: Path = tmp_path_factory.mktemp("shop")
    with shop(folder) as site, Chromium() as chromium:
        visitor = Visitor(chromium, site)
        try:
            yield visitor
        finally:
            visitor.end()
