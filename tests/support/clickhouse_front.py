"""What a ClickHouse server says over HTTP, in front of the embedded engine: as much of it as the Collector's exporter uses.

Run as a program it opens a store of its own, because the engine allows one a process:
`python clickhouse_front.py DIRECTORY [PORT]`. The exporter's statements and blocks reach the engine as they came.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

_INSERT = re.compile(r'INSERT INTO\s+["`]?\w+["`]?\.["`]?(\w+)["`]?\s*\(([^)]*)\)\s*FORMAT Native\s*', re.DOTALL)
# What the client says of how it speaks, and no settings of the engine.
_TRANSPORT = {
    "query", "database", "default_format", "client_protocol_version", "client_info_product", "compress", "decompress",
    "enable_http_compression", "query_id", "session_id", "tests_lose_the_answers",
}  # fmt: skip


@contextmanager
def clickhouse_front(directory, port=0):
    """A front for the store in `directory`; answers its URL."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(directory), str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise AssertionError(process.communicate()[1])
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def ask(url, sql):
    """The rows of a query."""
    query = urlencode({"query": sql, "default_format": "JSONEachRow"})
    with urllib.request.urlopen(f"{url}/?{query}", data=b"", timeout=30) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = None
    lost = False

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = self._body()
        settings = {name: value for name, value in asked.items() if name not in _TRANSPORT}
        try:
            answer = (
                self._insert(asked["query"], body, settings) if "query" in asked and body else self._ask(asked, body)
            )
            status = 200
        except Exception as error:
            answer, status = str(error).encode(), 500
        if status == 200 and asked.get("tests_lose_the_answers") and "query" in asked and not _Front.lost:
            # The first INSERT is done, and nobody hears of it.
            _Front.lost, status = True, 503
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _insert(self, statement, block, settings):
        found = _INSERT.fullmatch(statement)
        assert found, statement
        columns = [name.strip().strip('`"') for name in found[2].split(",")]
        with self.store._writers.one() as writer:
            writer.client.raw_insert(
                found[1], column_names=columns, insert_block=block, fmt="Native", settings=settings
            )
        return b""

    def _ask(self, asked, body):
        sql = asked.get("query") or body.decode()
        with self.store._writers.one() as writer:
            if asked["default_format"] != "Native":
                return writer.client.raw_query(sql, fmt=asked["default_format"])
            return _native(json.loads(writer.client.raw_query(sql, fmt="JSONCompact")))


def _native(answer):
    """A block as clickhouse-go reads it: https://clickhouse.com/docs/interfaces/formats/Native."""
    # Its info: no overflow, no bucket.
    block = [b"\x01\x00\x02", struct.pack("<i", -1), b"\x00", _varint(len(answer["meta"])), _varint(answer["rows"])]
    for number, column in enumerate(answer["meta"]):
        is_number = column["type"] == "UInt32"
        block += [_text(column["name"]), _text("UInt32" if is_number else "String"), b"\x00"]
        for row in answer["data"]:
            block.append(struct.pack("<I", row[number]) if is_number else _text(str(row[number])))
    return b"".join(block)


def _text(value):
    encoded = value.encode()
    return _varint(len(encoded)) + encoded


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _serve(directory, port):
    from tracium.server.location import Directory
    from tracium.server.store import Store

    with Store(Directory(directory)) as _Front.store:
        server = ThreadingHTTPServer(("127.0.0.1", port), _Front)
        server.daemon_threads = True
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    import signal

    # So that the engine is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
