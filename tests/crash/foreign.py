"""The manager and the Engine without zedctl and docker: a crash point is too short for the start of either."""
import http.client
import json
import socket
import urllib.parse
import uuid

import msgpack
import zmq

VERSION = b"zedops/1"


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class Lost(Exception):
    """No answer came: whether the request was carried out is not known."""


class Request:
    """One request on a socket of its own, which tells all that was heard of it."""

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
    """All events that are published, for as long as it lives and whoever publishes them."""

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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self, host):
        self.path = host.removeprefix("unix://")

    def _call(self, method, path):
        c = _UnixConnection(self.path)
        try:
            c.request(method, path)
            r = c.getresponse()
            body = r.read()
            if r.status >= 400 and r.status != 404:
                raise AssertionError(f"{method} {path}: {r.status} {body!r}")
            return json.loads(body) if body and r.status == 200 else None
        finally:
            c.close()

    def containers_of(self, server_id):
        """As inspect shows them."""
        filters = urllib.parse.quote(json.dumps({"label": [f"zedops.server.id={server_id}"]}))
        listed = self._call("GET", f"/containers/json?all=1&filters={filters}")
        return [c for c in (self._call("GET", f"/containers/{x['Id']}/json") for x in listed) if c]

    def running(self):
        return self._call("GET", "/containers/json")

    def take_away(self, container):
        """By hand, gently: it saves first."""
        self._call("POST", f"/containers/{container}/stop?t=5")
        self._call("DELETE", f"/containers/{container}?v=1")
