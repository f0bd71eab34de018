"""Servers on this machine."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Quiet(http.server.BaseHTTPRequestHandler):
    """A request handler that does not talk."""

    def get(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.get()

    def do_HEAD(self) -> None:
        self.get()

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, code: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Silent(http.server.ThreadingHTTPServer):
    """A server that does not report clients that hang up."""

    request_queue_size = 128  # Zarr asks for many chunks at once; what finds no place is tried again after a second

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serve(handler: type[Quiet]) -> Iterator[str]:
    """The address of a running server."""
    server = Silent(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
