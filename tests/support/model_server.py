"""A model vendor on loopback that speaks OpenAI's wire format: chat completions, streams, embeddings, errors."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def _chat(model):
    message = {"role": "assistant", "content": "Hello"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "usage": USAGE,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


def _chunks(model, *, usage):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    for delta, end in (({"role": "assistant", "content": "Hel"}, None), ({"content": "lo"}, None), ({}, "stop")):
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
    if usage:
        yield {**head, "choices": [], "usage": USAGE}


@contextmanager
def model_server():
    """Serve until the block ends; gives the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if body["model"] == "broken":
                self.answer(500, {"error": {"message": "broken", "type": "server_error"}})
            elif self.path.endswith("/embeddings"):
                vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
                usage = {"prompt_tokens": 3, "total_tokens": 3}
                self.answer(200, {"object": "list", "model": body["model"], "usage": usage, "data": [vector]})
            elif body.get("stream"):
                usage = (body.get("stream_options") or {}).get("include_usage")
                events = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(body["model"], usage=usage)]
                self.send("text/event-stream", 200, "".join([*events, "data: [DONE]\n\n"]).encode())
            else:
                self.answer(200, _chat(body["model"]))

        def answer(self, status, value):
            self.send("application/json", status, json.dumps(value).encode())

        def send(self, kind, status, data):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
