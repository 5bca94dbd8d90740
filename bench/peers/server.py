"""A server of a peer: a subset of cpc.v1, s16le at 16 kHz in, context frames in binary out.

usage: server.py PEER WEIGHTS. It prints `listening on http://HOST:PORT`. After `finish` it sends no
tail: a frame comes once all its samples are in.
"""

import asyncio
import gc
import json
import struct
import sys

import numpy as np
import torch
import uvloop
from network import Network
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

WINDOW_SECONDS = 0.5


def peer_of(name, network):
    if name == "incremental":
        from incremental import Incremental

        return Incremental(network)
    if name == "window":
        from window import Window

        return Window(network, WINDOW_SECONDS)
    if name == "sessions":
        from sessions import Sessions

        return Sessions(network)
    if name == "maai":
        from maai_loop import MaaiLoop

        return MaaiLoop(network)
    raise SystemExit(f"no such peer: {name}")


class Connection:
    def __init__(self, socket, stream):
        self.socket = socket
        self.stream = stream
        self.frames = 0
        self.finishing = False

    async def send(self, rows):
        head = struct.pack("<4sIIBBH", b"CPC1", self.frames, len(rows), 1, 0, 0)
        self.frames += len(rows)
        await self.socket.send(head + np.ascontiguousarray(rows, "<f4").tobytes())


class Server:
    def __init__(self, name, folder):
        self.network = Network(folder)
        self.peer = peer_of(name, self.network)
        self.connections = {}
        self.wake = asyncio.Event()

    async def accept(self, socket):
        connection = Connection(socket, self.peer.open())
        self.connections[connection.stream] = connection
        network = self.network
        ready = {"type": "ready", "hop": network.hop, "lookahead": network.lookahead}
        try:
            await socket.send(json.dumps(ready))
            async for message in socket:
                if isinstance(message, str):
                    connection.finishing = json.loads(message)["type"] == "finish"
                else:
                    audio = np.frombuffer(message, "<i2").astype(np.float32) / 32768
                    connection.stream.push(audio)
                self.wake.set()
        except ConnectionClosed:
            pass
        finally:
            del self.connections[connection.stream]
            connection.stream.close()

    async def run(self):
        """Takes steps of all streams that have new audio, as long as there are some."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            while ready := [one for one in self.connections if one.ready()]:
                for stream, rows in self.peer.step(ready):
                    if len(rows):
                        await self.told(self.connections.get(stream), rows)
                await asyncio.sleep(0)  # messages come in
            for connection in list(self.connections.values()):
                if connection.finishing:
                    await self.finished(connection)

    async def told(self, connection, rows):
        try:
            if connection:
                await connection.send(rows)
        except ConnectionClosed:
            pass

    async def finished(self, connection):
        connection.finishing = False
        try:
            await connection.socket.send(json.dumps({"type": "done", "frames": connection.frames}))
            await connection.socket.close()
        except ConnectionClosed:
            pass


def subprotocol(_, offered):
    return "cpc.v1" if "cpc.v1" in offered else None


async def main(name, folder):
    server = Server(name, folder)
    gc.collect()
    gc.freeze()
    options = {"compression": None, "select_subprotocol": subprotocol}
    async with serve(server.accept, "127.0.0.1", 0, **options) as listener:
        port = listener.sockets[0].getsockname()[1]
        print(f"listening on http://127.0.0.1:{port}", flush=True)
        await server.run()


torch.set_num_threads(1)
torch.set_grad_enabled(False)
uvloop.run(main(*sys.argv[1:]))
