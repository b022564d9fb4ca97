"""A TCP relay between the dashboard and a store, so that the store can go down for the dashboard alone."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Forwards connections to a port of this machine; while it is down, it refuses them.

    ``port`` stays its own, up or down.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        # The bytes that went either way so far.
        self.forwarded = 0
        self.port = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._bind()
        self.port = self._listener.getsockname()[1]
        self.up()

    def up(self) -> None:
        """Accept connections."""
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def down(self) -> None:
        """Break every connection and refuse new ones."""
        _close(self._listener)
        # A port that is bound and not listened on refuses connections, and nobody else can take it.
        self._listener = self._bind()
        with self._lock:
            for each in self._open:
                _close(each)
            self._open.clear()

    def close(self) -> None:
        """Go down for good, and free the port."""
        self.down()
        self._listener.close()

    def _bind(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        return bound

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:  # The relay went down.
                return
            server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            server.settimeout(None)
            with self._lock:
                if listener is not self._listener:
                    _close(client)
                    _close(server)
                    return
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=[source, sink], daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # Either side may end the connection at any time.
            while part := source.recv(65536):
                self.forwarded += len(part)
                sink.sendall(part)
        with self._lock:
            self._open -= {source, sink}
        _close(source)
        _close(sink)


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # It may be closed, or never have been connected.
        each.shutdown(socket.SHUT_RDWR)  # Wakes the thread that waits for it.
    each.close()
