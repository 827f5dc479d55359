"""HTTP as services and browsers speak it, for tests."""
import contextlib
import http.client
import itertools
import json
import os
import socket
import threading
import uuid

from world import WorldCase, wait_for

# Outside the range that the kernel takes for outgoing connections, because one of those would have the port before the
# caller; programs that run in parallel start at different numbers.
PORTS = itertools.cycle(range(12000, 21000))
for _ in range(os.getpid() * 37 % 9000):
    next(PORTS)


def free_port():
    """A port where nobody listens."""
    for port in itertools.islice(PORTS, 2000):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 12000 and 20999")


class Reply:
    def __init__(self, r):
        self.status, self.headers = r.status, r.headers
        self.body = r.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Client:
    """A client: with a token, with a cookie, or without either."""

    def __init__(self, port, token=None, cookie=None):
        self.port, self.token, self.cookie = port, token, cookie

    def headers(self, more=None):
        h = {}
        if self.token:
            h["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            h.update({"Cookie": self.cookie, "X-Zedops": "test"})
        return {**h, **(more or {})}

    def ask(self, method, path, body=None, headers=None, timeout=60):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        h = self.headers(headers)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            h.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, {k: v for k, v in h.items() if v is not None})
            return Reply(c.getresponse())
        finally:
            c.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path, body=None, **more):
        return self.ask("POST", path, {} if body is None else body, **more)

    def raw(self, data, timeout=10):
        """The response to these bytes, until the other side closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as s:
            s.sendall(data)
            s.settimeout(2)
            out = b""
            try:
                while chunk := s.recv(65536):
                    out += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return out


class Stream(threading.Thread):
    """Reads a stream of events until it is closed."""

    def __init__(self, client, path, last_id=None):
        super().__init__(daemon=True)
        self.events, self.last_id, self.ended, self.status = [], last_id, False, None
        self.c = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
        self.c.connect()
        self.socket = self.c.sock  # http.client hands the socket over with the response
        self.c.request("GET", path, headers=client.headers({"Last-Event-ID": last_id} if last_id else None))
        self.r = self.c.getresponse()
        self.status = self.r.status
        self.lines = self.r.fp
        if self.status == 200:
            self.start()

    def run(self):
        one = {}
        try:
            for line in self.lines:
                line = line.decode().rstrip("\n")
                if not line:
                    if "data" in one:
                        self.events.append((one.get("event", "message"), one.get("id"), one["data"]))
                        self.last_id = one.get("id") or self.last_id
                    one = {}
                elif not line.startswith(":"):
                    key, _, value = line.partition(": ")
                    one[key] = one[key] + "\n" + value if key == "data" and key in one else value
        except (OSError, ValueError, AttributeError):
            pass
        self.ended = True

    def of(self, type):
        return [json.loads(data) for t, _, data in list(self.events) if t == type]

    def ids(self):
        return [i for _, i, _ in list(self.events) if i]

    def wait(self, type, seconds=20, where=lambda e: True):
        return wait_for(f"a {type} in the stream", lambda: next((e for e in self.of(type) if where(e)), None), seconds)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self.ident:
            self.join(10)
        self.r.close()


def sign_in(port, **who):
    """The cookie, or the reply that refused it."""
    r = Client(port).post("/api/session", who, headers={"X-Zedops": "test"})
    return r.headers["Set-Cookie"].split(";")[0] if r.status == 200 else r


PASSWORD = "some words of a sentence"


class WebCase(WorldCase):
    """A world whose manager is asked over HTTP."""

    @classmethod
    def prepare(cls, w):
        cls.port = free_port()
        w.settings["http"] = f"127.0.0.1:{cls.port}"
        w.env.pop("ZEDOPS_HTTP", None)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.with_token("admin")

    @classmethod
    def with_token(cls, role, *flags):
        name = f"{role}-{uuid.uuid4().hex[:6]}"
        made = cls.world._one(cls.world.ctl("token", "add", name, "--role", role, *flags))
        c = Client(cls.port, token=made["secret"])
        c.name = name
        return c

    @classmethod
    def with_session(cls, role):
        name = f"u{uuid.uuid4().hex[:6]}"
        link = cls.world._one(cls.world.ctl("user", "add", name, "--role", role))["link"]
        c = Client(cls.port, cookie=sign_in(cls.port, link=link.split("#")[1], password=PASSWORD))
        c.name = name
        return c

    @staticmethod
    def tries(f):
        try:
            return f()
        except OSError:
            return None

    def ok(self, r, status=200):
        self.assertEqual(r.status, status, r.body)
        return r.json

    def no(self, r, status, code):
        self.assertEqual(r.status, status, r.body)
        self.assertEqual(r.error["code"], code, r.body)
        return r.error
