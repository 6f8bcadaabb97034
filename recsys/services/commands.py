"""What the commands of the server processes share."""

from __future__ import annotations

import argparse
import errno
import socket
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def add_listening_arguments(parser: Any, *, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s; 0.0.0.0 for all)")
    parser.add_argument("--port", type=port_number, help=f"TCP port to listen on ({port})")
    parser.add_argument("--fd", type=int, help="inherited listening socket, instead of --host and --port")
    parser.add_argument(
        "--handover", type=Path, help="Unix socket through which `web` passes realtime connections to `sockets`"
    )
    parser.set_defaults(default_port=port)


def open_listeners(options: dict[str, Any]) -> list[socket.socket]:
    """The listening socket that the options name; CommandError where it cannot be had."""
    if options["fd"] is not None:
        try:
            return [socket.socket(fileno=options["fd"])]
        except OSError as error:
            raise CommandError(f"--fd {options['fd']} is no open socket: {error}") from error
    port = options["default_port"] if options["port"] is None else options["port"]
    return [open_listener(options["host"], port)]


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; CommandError that says what to do where the address cannot be had."""
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is taken by another program. Stop it, or choose another --port."
        elif error.errno == errno.EACCES:
            reason = f"Port {port} needs more rights than this user has. Choose a --port from 1024 up."
        else:
            reason = f"Cannot listen on {host} port {port}: {error}. Check --host and --port."
        raise CommandError(reason) from error


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; OSError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def port_number(text: str) -> int:
    """A TCP port for argparse."""
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 1 to 65535")
    return int(text)


def positive(text: str) -> int:
    """A number from 1 up, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)
