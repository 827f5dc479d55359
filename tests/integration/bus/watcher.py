"""A client written from docs/protocol.md alone: pyzmq and msgpack, nothing of zedops.

usage: watcher.py CLIENTS_URI EVENTS_URI
Asks twice, subscribes, has the manager publish, and prints "ok" when everything came as described.
"""
import sys

import msgpack
import zmq

VERSION = b"zedops/1"
PATIENCE_MS = 10_000


def ask(socket, request_id, verb, body, key=b"", deadline=b"5000"):
    socket.send_multipart([VERSION, b"req", request_id, verb, key, deadline, msgpack.packb({}), msgpack.packb(body)])
    replies = []
    while True:
        version, kind, answered, payload = socket.recv_multipart()
        assert version == VERSION and answered == request_id, (version, answered)
        replies.append((kind, payload))
        if kind in (b"result", b"error"):
            return replies


def main(clients_uri, events_uri):
    context = zmq.Context()
    requests = context.socket(zmq.DEALER)
    events = context.socket(zmq.SUB)
    for socket, uri in ((requests, clients_uri), (events, events_uri)):
        socket.linger = 0
        socket.rcvtimeo = PATIENCE_MS
        socket.connect(uri)

    body = {"name": "alpha", "ports": [16261, 16262], "data": b"\x00\xff"}
    [(kind, payload)] = ask(requests, b"py-1", b"echo", body, key=b"once")
    assert kind == b"result" and msgpack.unpackb(payload) == body

    kinds = [kind for kind, _ in ask(requests, b"py-2", b"steps", None)]
    assert kinds == [b"accepted", b"progress", b"chunk", b"error"], kinds

    events.subscribe(b"server.")
    events.subscribe(b"~sync.python")
    topic, version, cursor, _ = events.recv_multipart()
    assert (topic, version, cursor) == (b"~sync.python", VERSION, b"1:0"), (topic, version, cursor)

    ask(requests, b"py-3", b"publish", {"type": "server.created"})
    topic, version, cursor, payload = events.recv_multipart()
    assert (topic, version, cursor) == (b"server.a", VERSION, b"1:1"), (topic, version, cursor)
    assert msgpack.unpackb(payload) == {"type": "server.created"}
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
