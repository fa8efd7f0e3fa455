"""ClickHouse's engine in one process, behind as much of its HTTP interface as clickhouse-go's HTTP protocol uses.

For tests, where there is no ClickHouse server: chdb (PyPI) is the same engine, and tables, merges, codecs, TTLs,
insert tokens and lightweight deletes are the real ones. Users, replication and the native protocol are not there.
One statement runs at a time.

    python engine.py DIRECTORY [PORT]        prints "listening 127.0.0.1:PORT" once it answers
"""

import gzip
import http.server
import os
import re
import sys
import tempfile
import threading
import urllib.parse

import chdb

# Parameters of the HTTP interface that are not settings of a statement.
CONTROL = {
    "query", "database", "default_format", "user", "password", "query_id", "session_id", "session_timeout", "session_check",
    "compress", "decompress", "enable_http_compression", "wait_end_of_query", "buffer_size", "client_protocol_version", "role",
    "stacktrace", "http_response_buffer_size", "send_progress_in_http_headers",
}
FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)
INSERT = re.compile(r"\s*(insert\s+into\s+(?:table\s+)?[^\s(]+\s*(?:\([^)]*\))?)(.*)$", re.I | re.S)


class Engine:
    """One connection to the engine."""

    def __init__(self, path: str) -> None:
        self.connection = chdb.connect(path)
        self.lock = threading.Lock()
        self.version = self.run("SELECT version()", "TSV").decode().strip()

    def run(self, query: str, fmt: str) -> bytes:
        with self.lock:
            answer = self.connection.query(query, fmt)
        return b"" if fmt == "Null" or answer is None else answer.bytes() or b""

    def insert(self, query: str, body: bytes, settings: dict[str, str], fmt: str) -> bytes:
        """Inserts a body of rows: the engine reads it from a file."""
        if found := FORMAT.search(query):
            fmt, query = found.group(1), query[: found.start()]
        match = INSERT.match(re.sub(r"\bVALUES\s*$", "", query.strip(), flags=re.I))
        if match is None:
            raise ValueError(f"Code: 62. not an INSERT that the shim knows: {query[:200]}")
        head, tail = match.group(1), re.sub(r"^\s*settings\s", "", match.group(2), flags=re.I).strip()
        given = ([tail] if tail else []) + [f"{key} = '{value}'" for key, value in settings.items()]
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            clause = "SETTINGS " + ", ".join(given) if given else ""
            return self.run(f"{head} {clause} SELECT * FROM file('{file.name}', {fmt})", "Null")

    def handshake(self) -> bytes:
        """The driver's first question, in the framing of a server that it does not know yet. Revision 0: all later blocks are plain Native."""

        def text(value: str) -> bytes:
            return bytes([len(value)]) + value.encode()

        def column(name: str, kind: str, value: bytes) -> bytes:
            return text(name) + text(kind) + b"\0" + value

        return (
            b"\x01\0\x02\xff\xff\xff\xff\0" + bytes([4, 1]) + column("displayName()", "String", text("chdb")) + column("version()", "String", text(self.version))
            + column("revision()", "UInt32", b"\0\0\0\0") + column("timezone()", "String", text("UTC"))
        )


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Engine

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            whole = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(whole) if self.headers.get("Content-Encoding") == "gzip" else whole

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.body())

    def answer(self, body: bytes) -> None:
        url = urllib.parse.urlparse(self.path)
        if url.path == "/ping":
            self.reply(200, b"Ok.\n", {})
            return
        given = {key: values[-1] for key, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        query = given.get("query", "")
        if not query:
            query, body = body.decode(), b""
        fmt = self.headers.get("X-ClickHouse-Format") or given.get("default_format", "TabSeparated")
        settings = {key: value for key, value in given.items() if key not in CONTROL and not key.startswith("param_")}
        try:
            if "displayName()" in query and "revision()" in query:
                fmt, out = "Native", self.engine.handshake()
            elif body and re.match(r"\s*insert\s", query, re.I):
                out = self.engine.insert(query, body, settings, fmt)
            else:
                found = FORMAT.search(query)
                if found and not re.match(r"\s*(create|insert|alter)\b", query, re.I):
                    fmt, query = found.group(1), query[: found.start()]
                out = self.engine.run(query, fmt)
        except Exception as error:  # whatever the engine says is the client's to know
            code = re.search(r"Code: (\d+)", str(error))
            self.reply(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code.group(1) if code else "1002"})
            return
        self.reply(200, out, {"X-ClickHouse-Format": fmt, "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Server-Display-Name": "chdb", "X-ClickHouse-Summary": "{}"})


def main() -> None:
    path, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    os.makedirs(path, exist_ok=True)
    Handler.engine = Engine(path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
