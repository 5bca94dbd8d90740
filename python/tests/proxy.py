"""A TCP proxy whose connections a test cuts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class CutProxy:
    """Listens on a free port and forwards to `target`, in threads."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        #: Bytes, in both directions, after which each new connection is cut.
        self.budget: Callable[[], float] = lambda: float("inf")
        self._left_from_server = float("inf")
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CutProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cuts every connection, without a close of WebSockets."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
                side.close()

    def cut_after(self, bytes_from_server: int) -> None:
        """Cuts every connection after so many more bytes of the server."""
        self._left_from_server = bytes_from_server

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.connections += 1
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add((near, far))
            left = [self.budget()]
            for pair in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._forward, args=(*pair, left), daemon=True).start()

    def _forward(
        self, source: socket.socket, to: socket.socket, is_server: bool, left: list[float]
    ) -> None:
        try:
            while data := source.recv(65536):
                allowed = left[0]
                if is_server:
                    allowed = min(allowed, self._left_from_server)
                    self._left_from_server -= len(data)
                left[0] -= len(data)
                to.sendall(data[: int(min(allowed, len(data)))])
                if len(data) >= allowed:
                    self._left_from_server = float("inf")
                    break
        except OSError:
            pass
        self.cut()
