"""Whether the other end is still there."""

from __future__ import annotations

import select
import socket


def is_open(connection: socket.socket) -> bool:
    """False once the peer has closed or was killed. Takes nothing off the connection."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return True
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except ConnectionError:
        return False
