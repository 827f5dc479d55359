"""The Docker Engine without the docker program: plain HTTP on its socket, and its events with the daemon's own times."""
import collections
import http.client
import json
import socket
import threading
import time
import urllib.parse

WAIT_SECONDS_MAX = 30
EVENTS_KEPT_MAX = 10_000

Seen = collections.namedtuple("Seen", "action attributes container emitted arrived")


class Engine:
    """No client program to pay for: one request is one round trip."""

    def __init__(self, host):
        self.path = host.removeprefix("unix://")

    def connect(self):
        c = http.client.HTTPConnection("engine", timeout=WAIT_SECONDS_MAX)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.settimeout(WAIT_SECONDS_MAX)
        c.sock.connect(self.path)
        return c

    def call(self, method, path, body=None):
        """The answer; None when there is no such item, or no content."""
        c = self.connect()
        try:
            c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        if r.status >= 400 and r.status != 404:
            raise RuntimeError(f"{method} {path}: {r.status} {data[:200]}")
        return json.loads(data) if data and r.status < 300 else None

    def containers_of(self, server_id):
        """As inspect shows them."""
        filters = urllib.parse.quote(json.dumps({"label": [f"zedops.server.id={server_id}"]}))
        listed = self.call("GET", f"/containers/json?all=1&filters={filters}")
        return [c for c in (self.call("GET", f"/containers/{x['Id']}/json") for x in listed) if c]

    def running(self):
        return self.call("GET", "/containers/json")

    def take_away(self, container):
        """A manual stop with time to save."""
        self.call("POST", f"/containers/{container}/stop?t=5")
        self.call("DELETE", f"/containers/{container}?v=1")


class Watch:
    """A plain reader of the Engine's events: when each was emitted by the daemon's clock, and when it was read here."""

    def __init__(self, engine):
        self.seen, self.changed = collections.deque(maxlen=EVENTS_KEPT_MAX), threading.Condition()
        c = engine.connect()
        c.sock.settimeout(None)
        c.request("GET", '/events?filters={"type":{"container":true}}')
        self.stream = c.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while line := self.stream.readline():
            arrived = time.time()
            e = json.loads(line)
            with self.changed:
                self.seen.append(Seen(e["Action"], e["Actor"]["Attributes"], e["Actor"]["ID"], e["timeNano"] / 1e9,
                                      arrived))
                self.changed.notify_all()

    def first(self, action, begun, matches, seconds=WAIT_SECONDS_MAX):
        """The first such event emitted since `begun`; None when there is none within the time."""

        def found():
            return next((s for s in self.seen if s.action == action and s.emitted >= begun and matches(s)), None)

        with self.changed:
            return self.changed.wait_for(found, seconds)

    def must(self, action, begun, matches):
        seen = self.first(action, begun, matches)
        if seen is None:
            raise RuntimeError(f"no {action} within {WAIT_SECONDS_MAX} s")
        return seen


def labelled(key, value):
    return lambda seen: seen.attributes.get(key) == value
