"""Show the rendered book in a browser: a small web server for this machine alone."""

from __future__ import annotations

import errno
import functools
import http.server
import os
from pathlib import Path

from tools.files import Refused


class Server(http.server.ThreadingHTTPServer):
    """One that does not share its port: Windows would let two servers have the same."""

    allow_reuse_address = os.name == "posix"


def serve(html: Path, port: int) -> int:
    """Serve the folder ``html`` at ``port`` until Ctrl-C. Raises Refused if there is no book or the port is taken."""
    if not (html / "index.html").is_file():
        raise Refused("There is no book yet. Run: make book")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(html))
    try:
        server = Server(("127.0.0.1", port), handler)
    except PermissionError:
        raise Refused(
            f"Port {port} is reserved on this machine. Take another one: make serve PORT=8001"
        ) from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        free = port + 1 if port < 65535 else 8000
        raise Refused(
            f"Port {port} is taken by another program. Take another one: make serve PORT={free}"
        ) from None
    print(f"The book: http://localhost:{port} (end with Ctrl-C)", flush=True)
    with server:
        server.serve_forever()
    return 0
