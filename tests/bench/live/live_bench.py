#!/usr/bin/env python3
"""The whole chain on a real Engine of its own: Engine event -> agent -> durable -> subscriber; recovery beside the
Engine alone; and what a hundred containers cost the agent. Prints rows of the table of tests/bench/run."""
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(sys.argv[1]).resolve()
ENGINE_DIR = BUILD / "engine-bench"
os.environ["ZEDOPS_BIN"] = str(BUILD / "bin")
sys.path.insert(0, str(ROOT / "tests/e2e"))

ROUNDS = 15
CONTAINERS = 100
IDLE_SECONDS = 10

TEMPLATE = """
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


def row(what, ours, unit, floor=None, goal=None):
    ratio = ours / floor if floor else None
    judged = ratio if floor else ours
    verdict = "" if goal is None else "met" if judged <= goal else "MISSED"
    shown = "" if goal is None else f"<={goal}" + ("x" if floor else "")
    print(f"{what:<62} {ours:>{13 - len(unit)}.2f} {unit} {f'{floor:.2f} {unit}' if floor else '':>14} "
          f"{f'{ratio:.2f}' if floor else '':>7} {shown:>9}  {verdict}", flush=True)


class Engine:
    """Plain HTTP on the Engine's socket: no client program to pay for."""

    def __init__(self, host):
        self.path = host.removeprefix("unix://")

    def connect(self):
        c = http.client.HTTPConnection("engine")
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.connect(self.path)
        return c

    def call(self, method, path, body=None):
        c = self.connect()
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        if r.status >= 400:
            raise RuntimeError(f"{method} {path}: {r.status} {data[:200]}")
        return json.loads(data) if data else None

    def events(self, seen):
        """Calls seen(event) for every container event, in a thread, for ever."""
        c = self.connect()
        c.request("GET", "/events?filters=" + '{"type":{"container":true}}')
        r = c.getresponse()

        def read():
            while line := r.readline():
                seen(json.loads(line))

        threading.Thread(target=read, daemon=True).start()


class Watch:
    """Notes the daemon's time of each (action, server id), and lets one wait for it."""

    def __init__(self, engine):
        self.at, self.changed = {}, threading.Condition()
        engine.events(self._seen)

    def _seen(self, e):
        with self.changed:
            server = e["Actor"]["Attributes"].get("zedops.server.id", "")
            self.at[(e["Action"], server)] = e["timeNano"] / 1e9
            self.changed.notify_all()

    def since(self, action, server, begun, seconds=30):
        with self.changed:
            ok = self.changed.wait_for(lambda: self.at.get((action, server), 0) >= begun, seconds)
            if not ok:
                raise RuntimeError(f"no {action} of {server} within {seconds} s")
            return self.at[(action, server)]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024


def event_latency(w, engine, watch):
    """docker kill and start by hand: from the daemon's own time stamp to a subscriber."""
    import zmq
    sub = zmq.Context().socket(zmq.SUB)
    sub.setsockopt(zmq.SUBSCRIBE, b"server.")
    sub.setsockopt(zmq.RCVTIMEO, 10_000)
    sub.connect(f"ipc://{w.run}/events.ipc")
    name = w.create(None, "--template", "sleeper")
    s = w.server(name)
    took = []
    for i in range(2 * ROUNDS):
        action = "die" if i % 2 == 0 else "start"
        while sub.poll(300):
            sub.recv_multipart()
        begun = time.time()
        engine.call("POST", f"/containers/{s['container_id']}/{'kill' if action == 'die' else 'start'}")
        while True:  # the first event that the observation caused
            sub.recv_multipart()
            seen = time.time()
            if action == "die" or seen > begun:
                break
        took.append((seen - watch.since(action, s["id"], begun)) * 1e3)
    took = took[2:]  # the first pair warms up
    row("docker kill/start by hand -> durable -> subscriber, p50", statistics.median(took), "ms", goal=2)
    row(f"  the slowest of {len(took)}; the goal is p99", max(took), "ms", goal=20)


def recreate_alone(engine, watch, container, server):
    c = engine.call("GET", f"/containers/{container}/json")
    begun = time.time()
    engine.call("DELETE", f"/containers/{container}?force=1")
    watch.since("destroy", server, begun)
    made = engine.call("POST", f"/containers/create?name={c['Name'].strip('/')}", {**c["Config"], "HostConfig": c["HostConfig"]})
    engine.call("POST", f"/containers/{made['Id']}/start")
    return made["Id"], (watch.since("start", server, begun) - begun) * 1e3


def recovery(w, engine, watch):
    name = w.create(None, "--template", "sleeper", "--recovery", "auto")
    ours, alone = [], []
    for _ in range(ROUNDS):
        s = w.status(name, "running", 30)
        begun = time.time()
        engine.call("DELETE", f"/containers/{s['container_id']}?force=1")
        ours.append((watch.since("start", s["id"], begun) - begun) * 1e3)
        time.sleep(0.3)
    w.ctl("server", "edit", name, "--recovery", "manual")
    container = w.status(name, "running", 30)["container_id"]
    # The same container, but with no owner: nobody else acts on it.
    spec = engine.call("GET", f"/containers/{container}/json")
    labels = {"zedops.server.id": "alone"}
    made = engine.call("POST", "/containers/create?name=bench-alone",
                       {**spec["Config"], "Labels": labels,
                        "HostConfig": {**spec["HostConfig"], "PortBindings": {
                            k: [{"HostPort": str(int(v[0]["HostPort"]) + 5000)}] for k, v in
                            (spec["HostConfig"]["PortBindings"] or {}).items()}}})["Id"]
    engine.call("POST", f"/containers/{made}/start")
    for _ in range(ROUNDS):
        made, took = recreate_alone(engine, watch, made, "alone")
        alone.append(took)
        time.sleep(0.3)
    engine.call("DELETE", f"/containers/{made}?force=1")
    row("recovery auto: rm -f by hand -> running again", statistics.median(ours), "ms", statistics.median(alone), 1.15)


def hundred(w):
    for _ in range(CONTAINERS - 2):
        w.create(None, "--template", "sleeper")
    agent, manager = w.agents["host1"].pid, w.manager.pid
    time.sleep(2)
    before = cpu_seconds(agent), cpu_seconds(manager)
    time.sleep(IDLE_SECONDS)
    row(f"agent with {CONTAINERS} containers, memory", rss_mb(agent), "MB", goal=20)
    row(f"agent with {CONTAINERS} containers, idle, share of a core", (cpu_seconds(agent) - before[0]) / IDLE_SECONDS * 100,
        "%", goal=1)
    row("manager meanwhile, share of a core", (cpu_seconds(manager) - before[1]) / IDLE_SECONDS * 100, "%", goal=1)


def main():
    engine_tool = ROOT / "tools/engine"
    subprocess.run([engine_tool, "up", "--dir", ENGINE_DIR], check=True, stdout=subprocess.DEVNULL)
    os.environ["ZEDOPS_TEST_DOCKER_HOST"] = f"unix://{ENGINE_DIR}/docker.sock"
    import world
    w = world.World(**{"sync-interval": "30s"})
    try:
        (w.dir / "templates").mkdir()
        (w.dir / "templates/sleeper.toml").write_text(TEMPLATE)
        w.settings["templates-dir"] = w.dir / "templates"
        w.start_manager().start_agent()
        engine = Engine(world.docker_host())
        watch = Watch(engine)
        event_latency(w, engine, watch)
        recovery(w, engine, watch)
        hundred(w)
    except BaseException:
        print("\n".join(w.log().splitlines()[-15:]), "\n".join(w.log("zedops-agent").splitlines()[-15:]), file=sys.stderr)
        raise
    finally:
        w.close()
        subprocess.run([engine_tool, "down", "--purge", "--dir", ENGINE_DIR], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
