"""Starts the stand-in for AWS: `python tests/standin/serve.py --port 0`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    """Serves until a signal comes or, with --until-stdin-closes, until whoever started it is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started this")
    arguments = parser.parse_args()

    # As a script this directory is on the path; the modules here are a package's.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    # moto reads the caller's AWS configuration where it looks up regions; no profile of theirs may reach it.
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    from standin.server import Server

    server = Server(arguments.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if arguments.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    print(f"listening on {server.url}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
