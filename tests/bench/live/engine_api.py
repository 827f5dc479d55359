"""The Docker Engine as the benchmarks see it: plain HTTP on its socket, its events with the daemon's own times, and the
rows of the table of tests/bench/run."""
import collections
import http.client
import json
import socket
import threading
import time

WAIT_SECONDS_MAX = 30
EVENTS_KEPT_MAX = 10_000

Seen = collections.namedtuple("Seen", "action attributes container emitted arrived")


def row(what, ours, unit, floor=None, ratio_max=None, ours_max=None):
    """One line of the table; the goal is a ratio to the floor, or a number by itself."""
    ratio = ours / floor if floor else None
    judged, goal = (ratio, ratio_max) if ratio_max is not None else (ours, ours_max)
    verdict = "" if goal is None else "met" if judged <= goal else "MISSED"
    shown = "" if goal is None else f"<={goal}" + ("x" if ratio_max is not None else "")
    print(f"{what:<62} {ours:>{13 - len(unit)}.2f} {unit} {f'{floor:.2f} {unit}' if floor else '':>14} "
          f"{f'{ratio:.2f}' if floor else '':>7} {shown:>9}  {verdict}", flush=True)


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


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
        c = self.connect()
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        c.close()
        if r.status >= 400:
            raise RuntimeError(f"{method} {path}: {r.status} {data[:200]}")
        return json.loads(data) if data else None


class Watch:
    """A bare reader of the Engine's events: when each was emitted, by the daemon's clock, and when it was read here."""

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


# Of a server that does nothing but live: what is measured is the Engine and us.
SLEEPER = """
name = "sleeper"
description = "Does nothing, for benchmarks"
image = "zedops/busybox"
image_tag = "test"
pull = "if-missing"
command = ["sh", "-c", "echo 1 > /data/started; exec sleep 1000000"]

[game_port]
first = 21000
last = 21999

[[port]]
name = "game"
proto = "udp"

[[dir]]
name = "data"
target = "/data"

[stop]
grace = "1s"
"""
