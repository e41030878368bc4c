"""A model that says what a test dictates, and when: OpenAI chat completions over real HTTP, one script a cell.

What the simulator says, it says in its own time. A test that must know what has been said, and that no more will come before it has
looked, dictates.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

PROVIDER: Final = "dictated"
MODEL: Final = f"{PROVIDER}/words"
LOOK_S: Final = 0.2
"""How often a waiting call looks whether the test is over."""


class Script:
    """What one cell's calls say: from the beginning, whichever try it is."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.is_over = False
        self.refusals_s: list[int] = []


class DictatedModel:
    """Scripts by cell id; `says` adds words, `ends` ends the answer. What was not begun is waited for."""

    def __init__(self) -> None:
        self._scripts: defaultdict[str, Script] = defaultdict(Script)
        self._changed = threading.Condition()
        self._closed = False
        self.address = ""

    def says(self, cell: str, *chunks: str) -> None:
        """Each chunk leaves as one event."""
        with self._changed:
            self._scripts[cell].chunks += chunks
            self._changed.notify_all()

    def ends(self, *cells: str) -> None:
        """The answer is whole."""
        with self._changed:
            for cell in cells:
                self._scripts[cell].is_over = True
            self._changed.notify_all()

    def answers(self, cell: str, *chunks: str) -> None:
        """All of it at once."""
        self.says(cell, *chunks)
        self.ends(cell)

    def refuses(self, cell: str, retry_after_s: int) -> None:
        """One call of it is answered with 429, and asked to come back after so long."""
        with self._changed:
            self._scripts[cell].refusals_s.append(retry_after_s)

    def refusal_s(self, cell: str) -> int | None:
        """Whether this call is refused, and for how long."""
        with self._changed:
            refusals_s = self._scripts[cell].refusals_s
            return refusals_s.pop(0) if refusals_s else None

    def forget(self) -> None:
        """Nothing was said."""
        with self._changed:
            self._scripts.clear()

    def close(self) -> None:
        """Let go of every call that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def telling(self, cell: str) -> Iterator[str]:
        """The chunks as they are dictated. None of them twice, and no end before its time."""
        told = 0
        while True:
            with self._changed:
                script = self._scripts[cell]
                self._changed.wait_for(
                    lambda script=script, told=told: self._closed or script.is_over or len(script.chunks) > told
                )
                new, is_over = script.chunks[told:], script.is_over
            if self._closed:
                return
            yield from new
            told += len(new)
            if is_over:
                return

    def settings(self) -> str:
        """What `scriptorium.toml` says of it; documents name it as their policy's model."""
        return f'[providers.{PROVIDER}]\nbase_url = "{self.address}/v1"\nsend_ids = true\n'

    def config(self, folder: Path, more: str = "") -> Path:
        """A file for `--config`. Nobody's patience ends before the test's."""
        file = folder / "dictated.toml"
        limits = "[limits]\nfirst_token_ms = 600000\nbetween_tokens_ms = 600000\n"
        file.write_text(f"{limits}\n{self.settings()}\n{more}", encoding="utf-8")
        return file


@contextlib.contextmanager
def dictated_model() -> Generator[DictatedModel]:
    """One on a free port of this machine."""
    model = DictatedModel()

    class Handler(_Handler):
        dictated = model

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        model.address = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_S}, daemon=True)
        serving.start()
        try:
            yield model
        finally:
            model.close()
            server.shutdown()
            serving.join()


class _Handler(BaseHTTPRequestHandler):
    dictated: DictatedModel
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The list of models."""
        self._head("application/json")
        self._chunk(json.dumps({"object": "list", "data": [{"id": "words", "object": "model"}]}).encode())
        self._chunk(b"")

    def do_POST(self) -> None:
        """One answer, streamed."""
        self.rfile.read(int(self.headers["Content-Length"]))
        cell = self.headers["X-Scriptorium-Cell"]
        if (retry_after_s := self.dictated.refusal_s(cell)) is not None:
            self.send_response(429)
            self.send_header("Retry-After", str(retry_after_s))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with contextlib.suppress(ConnectionError):
            self._head("text/event-stream")
            said = 0
            for text in self.dictated.telling(cell):
                said += 1
                self._event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self._event({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": said}})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its name in the library
        """Nothing."""

    def _head(self, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps({"id": "d", "object": "chat.completion.chunk", **data}).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
