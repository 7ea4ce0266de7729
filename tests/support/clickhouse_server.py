"""What a ClickHouse server says to clickhouse-connect over HTTP, in front of the embedded engine, whose SQL it is.

Run as a program, because the engine allows one a process: `python clickhouse_server.py DIRECTORY`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# Behind the name of the format one line ends, no more: data may begin with another end of a line.
_INSERT = re.compile(rb"(INSERT INTO .*?)\s+FORMAT\s+(\w+)[ \t]*\n?", re.DOTALL | re.IGNORECASE)
_FORMAT = re.compile(rb"\s+FORMAT\s+(\w+)\s*$", re.IGNORECASE)
# What a client says of how it speaks, and no settings of the engine.
_TRANSPORT = {
    "query", "database", "default_format", "client_protocol_version", "compress", "decompress", "enable_http_compression",
    "query_id", "session_id", "session_timeout", "wait_end_of_query", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close", "role",
}  # fmt: skip


@contextmanager
def clickhouse_server(directory):
    """A server on the engine's files in `directory`; gives its DSN."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise AssertionError(process.communicate()[1])
        # What it does not speak: compressed bodies.
        yield f"http://127.0.0.1:{port}/default?compress=0"
    finally:
        process.terminate()
        process.communicate(timeout=30)


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_of_engine = ""
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = {
            name: values[0] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()
        }
        try:
            answer, status, headers = self._answer(asked, self._body()), 200, {}
        except Exception as error:
            code = re.search(r"Code: (\d+)", str(error))
            headers = {"X-ClickHouse-Exception-Code": code[1]} if code else {}
            answer, status = str(error).encode(), 500
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), "X-ClickHouse-Timezone": "UTC", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815 - the name that the base class calls

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, asked, body):
        # A statement stands in the URL, in the body, or begins in the URL and goes on in the body.
        statement = asked.get("query", "").encode()
        whole = statement + (b"\n" if statement and body else b"") + body
        if found := _INSERT.match(whole if not statement else statement + b"\n"):
            block = body if statement else whole[found.end() :]
            return self._insert(asked, found, block)
        shape = asked.get("default_format", "TabSeparated")
        if found := _FORMAT.search(whole):
            whole, shape = whole[: found.start()], found[1].decode()
        return self._run(asked, whole.decode(), shape)

    def _insert(self, asked, found, block):
        with tempfile.NamedTemporaryFile() as file:
            file.write(block)
            file.flush()
            return self._run(asked, f"{found[1].decode()} FROM INFILE '{file.name}' FORMAT {found[2].decode()}", "Null")

    def _run(self, asked, sql, shape):
        import chdb

        # One statement at a time: what is set for one must not hold for another.
        with self.lock:
            connection = chdb.connect(self.path_of_engine)
            try:
                for name, value in asked.items():
                    if name not in _TRANSPORT and not name.startswith("param_"):
                        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                        connection.query(f"SET {name} = '{quoted}'")
                bound = {
                    name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")
                }
                result = connection.query(sql, shape, params=bound)
                return bytes(result.bytes() or b"")
            finally:
                connection.close()


def _serve(directory):
    import chdb

    os.chdir(directory)
    _Server.path_of_engine = os.path.join(directory, "engine")  # noqa: PTH118 - the engine takes a string
    keeps_it_open = chdb.connect(_Server.path_of_engine)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        keeps_it_open.close()


if __name__ == "__main__":
    import signal

    # So that the engine is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _serve(os.path.abspath(sys.argv[1]))  # noqa: PTH100 - as above
