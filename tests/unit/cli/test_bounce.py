"""``kikkake bounce`` hands a mail on, and lets the mail server try again whatever goes wrong."""

from __future__ import annotations

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from cli.bounce import TEMPORARY, bounce
from shared.errors import ConfigurationError

MAIL = b"From: MAILER-DAEMON\r\n\r\nuser unknown \xff\r\n"


class Ingest:
    """A server that answers ``status`` and keeps what was posted."""

    def __init__(self, status: int = 200) -> None:
        posted = self.posted = []  # type: list[tuple[str, str | None, bytes]]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                posted.append((self.path, self.headers["authorization"], body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1/webhooks/bounces"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def run(url: str, secret: str | None = "hush") -> tuple[int, str]:
    done = CliRunner(env={"KIKKAKE_BOUNCE_SECRET": secret}).invoke(bounce, [url], input=io.BytesIO(MAIL))
    if isinstance(done.exception, ConfigurationError):
        raise done.exception
    return done.exit_code, done.output


def test_a_mail_is_handed_on_as_it_is() -> None:
    ingest = Ingest()
    assert (0, "") == run(ingest.url)
    ingest.close()
    assert [("/v1/webhooks/bounces", "Bearer hush", MAIL)] == ingest.posted


@pytest.mark.parametrize("status", [401, 404, 503])
def test_what_is_not_taken_is_tried_again_by_the_mail_server(status: int) -> None:
    ingest = Ingest(status)
    code, said = run(ingest.url)
    ingest.close()
    assert (TEMPORARY, f"kikkake: {ingest.url} answers {status}\n") == (code, said)


def test_so_is_what_nobody_answers() -> None:
    ingest = Ingest()
    ingest.close()
    code, said = run(ingest.url)
    assert TEMPORARY == code
    assert "does not answer" in said


def test_without_a_secret_it_says_which() -> None:
    with pytest.raises(ConfigurationError, match="KIKKAKE_BOUNCE_SECRET"):
        run("http://127.0.0.1:1/", None)
