"""A headless Chromium with a visitor in it, and the site that is visited."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.sdks.installed import FOLDER
from tests.servers.process import HOST, ProcessServer

PAGES = ("segment", "rudder", "posthog", "jitsu")
_HTML = "<!doctype html><title>Shop</title><script src={name}.js></script><h1>Shop</h1>"


class Chromium(ProcessServer):
    """Debian's Chromium without a window, with a profile of its own, driven through its port."""

    name = "Chromium"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _command(self) -> Sequence[str]:
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        # No sandbox: in a container root has no user namespaces to build it from, and the pages are our own.
        bare = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        own = [f"--remote-debugging-port={self.port}", f"--user-data-dir={self.data / 'profile'}"]
        return ["chromium", *bare, *quiet, *own, "about:blank"]

    def _ready(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/json/version", timeout=2) as answer:
            return bool(answer.status == 200)


class Visitor:
    """Somebody with a browser. Each ``open`` is a new person: no cookie and no storage of the one before."""

    def __init__(self, chromium: Chromium, site: str) -> None:
        self._site = site
        self._driver = subprocess.Popen(
            ["node", "browse.mjs", chromium.url], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def open(self, page: str, *, url: str, key: str, ahead: int = 0, batching: bool = False) -> None:
        """Open a page whose SDK sends to ``url``; the visitor's clock is ``ahead`` ms wrong."""
        job = {"url": url, "key": key, "batching": batching}
        self._do("open", at=f"{self._site}/{page}.html?utm_source=mail", ahead=ahead, job=job)

    def play(self, calls: Sequence[Sequence[object]]) -> None:
        """Make ``calls``: each the method's name and its arguments."""
        self._do("play", calls=calls)

    def leave(self, calls: Sequence[Sequence[object]]) -> None:
        """Make ``calls`` and go to another page in the same moment."""
        self._do("leave", calls=calls, to=f"{self._site}/gone.html")

    def close(self, calls: Sequence[Sequence[object]]) -> None:
        """Make ``calls`` and close the tab."""
        self._do("close", calls=calls)

    def end(self) -> None:
        """Let the driver end."""
        self._driver.communicate(timeout=30)

    def _do(self, command: str, **given: object) -> None:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._driver.stdin.flush()
        answer = json.loads(self._driver.stdout.readline() or '{"ok": false, "error": "the driver ended"}')
        assert answer["ok"], f"{command}: {answer['error']}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


@contextlib.contextmanager
def shop(folder: Path) -> Iterator[str]:
    """Serve a page for each SDK, bundled as a site bundles it, from ``folder``; gives the site's origin."""
    entries = [f"pages/{name}.js" for name in PAGES]
    build = ["node_modules/.bin/esbuild", *entries, "--bundle", "--log-level=warning", f"--outdir={folder}"]
    subprocess.run(build, cwd=FOLDER, check=True, timeout=60)
    for name in PAGES:
        (folder / f"{name}.html").write_text(_HTML.format(name=name))
    (folder / "gone.html").write_text("<!doctype html><title>Gone</title>")
    server = ThreadingHTTPServer((HOST, 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        # By name and not by number, and on another port: an origin that is not the ingest's.
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
