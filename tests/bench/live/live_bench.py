#!/usr/bin/env python3
"""The whole chain on its own real Engine: Engine event -> agent -> durable -> subscriber; recovery compared with the
Engine alone; and what a hundred containers cost the agent. Prints rows of the table of tests/bench/run."""
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(sys.argv[1]).resolve()
ENGINE_DIR = BUILD / "engine-bench"
os.environ["ZEDOPS_BIN"] = str(BUILD / "bin")
sys.path.insert(0, str(ROOT / "tests/support"))

from engine_api import Engine, Watch, labelled  # noqa: E402
from rows import SLEEPER, percentile, row  # noqa: E402

EVENTS = int(os.environ.get("ZEDOPS_BENCH_EVENTS", "400"))
WARM_UP = 20
ROUNDS = int(os.environ.get("ZEDOPS_BENCH_ROUNDS", "15"))
CONTAINERS = int(os.environ.get("ZEDOPS_BENCH_CONTAINERS", "100"))
IDLE_SECONDS = 10  # the window in which idle CPU is counted
QUIET_SECONDS = 1
QUIET_SECONDS_MAX = 30


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024


def renames(w, engine, watch, count):
    """docker rename by hand, the cheapest change that a server's record shows: milliseconds from the daemon's own time
    stamp to a subscriber, and to a bare reader of the Engine's events."""
    import msgpack
    import zmq
    server = w.server(w.create(None, "--template", "sleeper"))
    container, given = server["container_id"], engine.call("GET", f"/containers/{server['container_id']}/json")["Name"]
    sub = zmq.Context().socket(zmq.SUB)
    sub.setsockopt(zmq.RCVTIMEO, 10_000)
    sub.connect(f"ipc://{w.run}/events.ipc")
    sub.setsockopt(zmq.SUBSCRIBE, f"server.{server['id']}".encode())
    sub.setsockopt(zmq.SUBSCRIBE, b"~sync.live")
    while not sub.recv_multipart()[0].startswith(b"~sync"):
        pass  # from here on nothing is missed
    ours, floor = [], []
    for i in range(WARM_UP + count):
        name = given.strip("/") + ("-by-hand" if i % 2 == 0 else "")
        begun = time.time()
        engine.call("POST", f"/containers/{container}/rename?name={name}")
        while True:
            frames = sub.recv_multipart()
            arrived = time.time()
            if not frames[0].startswith(b"~") and msgpack.unpackb(frames[3])["type"] == "server.drift":
                break
        event = watch.must("rename", begun, lambda seen: seen.container == container)
        if i >= WARM_UP:
            ours.append((arrived - event.emitted) * 1e3)
            floor.append((event.arrived - event.emitted) * 1e3)
    return ours, floor


def event_latency(w, engine, watch):
    ours, floor = renames(w, engine, watch, EVENTS)
    row(f"Engine event -> durable -> subscriber, p50 of {len(ours)}; bare reader", statistics.median(ours), "ms",
        statistics.median(floor), ours_max=2)
    row("Engine event -> durable -> subscriber, p99; bare reader", percentile(ours, 99), "ms", percentile(floor, 99),
        ours_max=20)


def make_alone(engine, spec):
    """The same container, but unmanaged: only the Engine acts on it."""
    ports = {k: [{"HostPort": str(int(v[0]["HostPort"]) + 5000)}]
             for k, v in (spec["HostConfig"]["PortBindings"] or {}).items()}
    body = {**spec["Config"], "Labels": {"bench": "alone"}, "HostConfig": {**spec["HostConfig"], "PortBindings": ports}}
    return body, engine.call("POST", "/containers/create?name=bench-alone", body)["Id"]


def recovery(w, engine, watch):
    """Alternating, ours first in every other round, so that drift affects both."""
    name = w.create(None, "--template", "sleeper", "--recovery", "auto")
    s = w.status(name, "running", 30)
    body, made = make_alone(engine, engine.call("GET", f"/containers/{s['container_id']}/json"))
    engine.call("POST", f"/containers/{made}/start")
    ours, alone = [], []

    def by_us():
        s = w.status(name, "running", 30, operation=None)
        begun = time.time()
        engine.call("DELETE", f"/containers/{s['container_id']}?force=1")
        ours.append((watch.must("start", begun, labelled("zedops.server.id", s["id"])).emitted - begun) * 1e3)

    def by_the_engine():
        nonlocal made
        begun = time.time()
        engine.call("DELETE", f"/containers/{made}?force=1")
        watch.must("destroy", begun, labelled("bench", "alone"))
        made = engine.call("POST", "/containers/create?name=bench-alone", body)["Id"]
        engine.call("POST", f"/containers/{made}/start")
        alone.append((watch.must("start", begun, labelled("bench", "alone")).emitted - begun) * 1e3)

    for i in range(ROUNDS):
        for turn in (by_us, by_the_engine) if i % 2 == 0 else (by_the_engine, by_us):
            turn()
    engine.call("DELETE", f"/containers/{made}?force=1")
    row(f"recovery auto: rm -f by hand -> running again, p50 of {len(ours)}", statistics.median(ours), "ms",
        statistics.median(alone), ratio_max=1.15)


def quiet(pids):
    """Waits until these processes have used no CPU for a while."""
    end = time.monotonic() + QUIET_SECONDS_MAX
    while time.monotonic() < end:
        before = [cpu_seconds(p) for p in pids]
        time.sleep(QUIET_SECONDS)
        if sum(cpu_seconds(p) for p in pids) - sum(before) <= 0.02:
            return
    print(f"note: not quiet within {QUIET_SECONDS_MAX} s", file=sys.stderr)


def hundred(w):
    for _ in range(CONTAINERS - 2):
        w.create(None, "--template", "sleeper")
    agent, manager = w.agents["host1"].pid, w.manager.pid
    quiet((agent, manager))
    before = cpu_seconds(agent), cpu_seconds(manager)
    time.sleep(IDLE_SECONDS)
    row(f"agent with {CONTAINERS} containers, memory", rss_mb(agent), "MB", ours_max=20)
    row(f"agent with {CONTAINERS} containers, idle, share of a core", (cpu_seconds(agent) - before[0]) / IDLE_SECONDS * 100,
        "%", ours_max=1)
    row("manager meanwhile, share of a core", (cpu_seconds(manager) - before[1]) / IDLE_SECONDS * 100, "%", ours_max=1)


def main():
    engine_tool = ROOT / "tools/engine"
    subprocess.run([engine_tool, "up", "--dir", ENGINE_DIR], check=True, stdout=subprocess.DEVNULL)
    os.environ["ZEDOPS_TEST_DOCKER_HOST"] = f"unix://{ENGINE_DIR}/docker.sock"
    import world
    w = world.World(**{"sync-interval": "30s"})
    try:
        (w.dir / "templates").mkdir()
        (w.dir / "templates/sleeper.toml").write_text(SLEEPER)
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
