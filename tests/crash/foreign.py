"""A client without zedctl: starting a program would take longer than a crash point allows."""
import uuid

import msgpack
import zmq

VERSION = b"zedops/1"


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class Lost(Exception):
    """No answer came: whether the request was executed is unknown."""


class Request:
    """One request on its own socket, with everything that was received for it."""

    def __init__(self, endpoint, verb, body, key=""):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.socket.send_multipart([VERSION, b"req", uuid.uuid4().hex.encode(), verb.encode(), key.encode(), b"",
                                    msgpack.packb({"actor": "crash"}), msgpack.packb(body)])

    def hear(self, seconds):
        """The last reply, or None when it has not come yet; Refused when it is an error."""
        while self.socket.poll(int(seconds * 1000)):
            _, kind, _, body = self.socket.recv_multipart()
            if kind == b"error":
                raise Refused(msgpack.unpackb(body))
            if kind == b"result":
                return msgpack.unpackb(body)
        return None

    def close(self):
        self.socket.close()


def ask(endpoint, verb, body=None, key="", seconds=10.0):
    request = Request(endpoint, verb, body or {}, key)
    try:
        reply = request.hear(seconds)
        if reply is None:
            raise Lost()
        return reply
    finally:
        request.close()


class Listener:
    """All published events, for as long as it lives, across restarts of the manager."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = 0
        self.socket.subscribe(b"")
        self.socket.connect(endpoint)

    def heard(self):
        out = []
        while self.socket.poll(0):
            topic, _, _, body = self.socket.recv_multipart()
            if not topic.startswith(b"~"):
                out.append(msgpack.unpackb(body))
        return out

    def close(self):
        self.socket.close()
