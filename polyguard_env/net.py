"""Listening sockets, with one clear error when an address cannot be had."""

from __future__ import annotations

import errno
import socket

from polyguard_env.errors import PolyGuardError


def checked_port(text: str) -> int:
    """A port number, 0 for a free one."""
    if not str(text).isdecimal() or int(text) > 65535:
        raise PolyGuardError("port", text, "use a number from 0 to 65535")
    return int(text)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        PolyGuardError: the port is taken or the address is not this machine's.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            fix = "it is in use: stop what listens there or choose another port"
            raise PolyGuardError("port", port, fix) from error
        raise PolyGuardError("host", host, f"use an address of this machine such as 127.0.0.1 ({error})") from error
    return listener
