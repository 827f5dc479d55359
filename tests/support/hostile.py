"""Hostile or broken peers: what they send to the manager's sockets, and what they never do."""
import random
import socket
import struct

import msgpack
import zmq

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def ready(kind):
    name = b"Socket-Type"
    body = b"\x05READY" + bytes([len(name)]) + name + struct.pack(">I", len(kind)) + kind
    return b"\x04" + bytes([len(body)]) + body


def frame(body, more=False):
    if len(body) < 256:
        return bytes([1 if more else 0, len(body)]) + body
    return bytes([3 if more else 2]) + struct.pack(">Q", len(body)) + body


class Raw:
    """Bytes on a unix socket, below ZeroMQ: what no library would send."""

    def __init__(self, path, kind=b"DEALER"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))  # waits while too many wait to be accepted
        self.socket.settimeout(5)
        if kind:
            self.send(GREETING + ready(kind))

    def send(self, data):
        """False: the other end has closed the connection."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def was_cut_off(self):
        try:
            while self.socket.recv(65536):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self):
        self.socket.close()


class Peers:
    """ZeroMQ sockets of one world; closed together."""

    def __init__(self, run):
        self.run, self.context, self.sockets = run, zmq.Context(), []

    def connect(self, kind, door, **options):
        s = self.context.socket(kind)
        s.linger = 0
        for name, value in {"reconnect_ivl": -1, **options}.items():
            setattr(s, name, value)
        s.connect(f"ipc://{self.run}/{door}.ipc")
        self.sockets.append(s)
        return s

    def close(self):
        for s in self.sockets:
            s.close()
        self.context.term()


def nested(depth):
    return b"\x91" * depth


def garbage(luck):
    """One multipart message that is wrong in some way."""
    body = luck.choice([b"", luck.randbytes(40), nested(20_000), b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
                        msgpack.packb({"server": "x" * 2_000, "config": {str(i): "y" for i in range(50)}})])
    verb = luck.choice([b"server.edit", b"server.create", b"status", b"no.such.verb", b"\xff\xfe", b"v" * 5_000, b""])
    version = luck.choice([b"zedops/1", b"zedops/1", b"zedops/2", b"HTTP/1.1", b"", b"z" * 1_000])
    request = [version, b"req", str(luck.randrange(10**6)).encode(), verb, b"", b"", b"", body]
    agent = [version, luck.choice([b"0", b"1", b"3", b"99", b"tag" * 40]), b"1", body]
    noise = [luck.randbytes(luck.randrange(60)) for _ in range(luck.randrange(1, 12))]
    return luck.choice([request, request, agent, noise, request[:luck.randrange(1, 8)], request + [b"more"] * 20])


def flood(socket_, count, seed):
    """Sends garbage without reading an answer; what is not accepted is dropped. Returns how many were accepted."""
    luck, taken = random.Random(seed), 0
    for _ in range(count):
        try:
            socket_.send_multipart(garbage(luck), zmq.DONTWAIT)
            taken += 1
        except zmq.Again:
            pass
    return taken


def below_zeromq(run, door, rounds):
    """Half greetings, declared lengths of exabytes, messages without an end, plain text: connections that must fail."""
    path = f"{run}/{door}.ipc"
    for i in range(rounds):
        kind = i % 6
        peer = Raw(path, None if kind < 3 else b"DEALER")
        if kind == 1:
            peer.send(GREETING[:20])
        elif kind == 2:
            peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        elif kind == 3:
            peer.send(b"\x02" + struct.pack(">Q", 2**62) + b"x" * 100)
        elif kind == 4:  # frames that announce another one, which is never sent
            peer.send(frame(b"zedops/1", more=True) + frame(b"y" * 10_000, more=True) * 10)
        elif kind == 5:
            peer.send(b"\x04\xff" + b"\xff" * 300)
        peer.close()
