"""A model on 127.0.0.1 that says `ok`, and keeps what tools send it: the tools of each request above all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JsonObject = dict[str, Any]
Answer = Callable[[JsonObject], Sequence[JsonObject]]
"""The blocks with which a request for a message is answered; none for a plain `ok`."""

_OK = {"type": "text", "text": "ok"}
_USAGE = {"input_tokens": 1, "output_tokens": 1}


@dataclass(slots=True)
class ModelApi:
    """A running model.

    Attributes:
        url: its address.
        requests: the requests for a message or a completion, in order.
    """

    url: str
    requests: list[JsonObject] = field(default_factory=list)


@contextmanager
def model_api(answer: Answer = lambda _request: ()) -> Iterator[ModelApi]:
    """Run a model that Anthropic's and OpenAI's clients can talk to."""
    api = ModelApi("")
    lock = threading.Lock()

    class Handler(_Handler):
        def reply(self, request: JsonObject) -> Sequence[JsonObject]:
            with lock:
                api.requests.append(request)
                return answer(request) or (_OK,)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Both protocols, with and without a stream of events."""

    protocol_version = "HTTP/1.1"

    def reply(self, request: JsonObject) -> Sequence[JsonObject]:
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._send(b"")

    def do_GET(self) -> None:
        self._send(_json({"data": []}))

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if self.path.partition("?")[0].endswith("/messages"):
            self._message(request)
        elif self.path.endswith("/completions"):
            self._completion(request)
        else:
            self._send(_json({"input_tokens": 1}))

    def _message(self, request: JsonObject) -> None:
        blocks = self.reply(request)
        calls = any(block["type"] == "tool_use" for block in blocks)
        end = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
        message = {"id": "m", "type": "message", "role": "assistant", "model": request.get("model"), "usage": _USAGE}
        if not request.get("stream"):
            self._send(_json({**message, "content": blocks, **end}))
            return
        start: JsonObject = {"message": {**message, "content": [], "stop_reason": None, "stop_sequence": None}}
        events: list[tuple[str, JsonObject]] = [("message_start", start)]
        for index, block in enumerate(blocks):
            begun, delta = _begun(block)
            events += [
                ("content_block_start", {"index": index, "content_block": begun}),
                ("content_block_delta", {"index": index, "delta": delta}),
                ("content_block_stop", {"index": index}),
            ]
        events += [("message_delta", {"delta": end, "usage": {"output_tokens": 1}}), ("message_stop", {})]
        lines = (f"event: {name}\ndata: {json.dumps({'type': name, **event})}\n\n" for name, event in events)
        self._send("".join(lines).encode(), "text/event-stream")

    def _completion(self, request: JsonObject) -> None:
        self.reply(request)
        said = {"role": "assistant", "content": "ok"}
        common = {"id": "c", "created": 1, "model": request.get("model")}
        if not request.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": "stop"}
            self._send(_json({**common, "object": "chat.completion", "choices": [choice]}))
            return
        choices = ({"index": 0, "delta": said}, {"index": 0, "delta": {}, "finish_reason": "stop"})
        chunks = ({**common, "object": "chat.completion.chunk", "choices": [choice]} for choice in choices)
        lines = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
        self._send("".join(f"data: {line}\n\n" for line in lines).encode(), "text/event-stream")

    def _send(self, body: bytes, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _begun(block: JsonObject) -> tuple[JsonObject, JsonObject]:
    """A block as it begins in a stream, and all that follows."""
    if block["type"] == "text":
        return {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
