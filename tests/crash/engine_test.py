"""The Engine dies during operations; and everything dies at once: manager, agent and Engine.

ZEDOPS_CRASH_ROUNDS   rounds of each test (default 2)
ZEDOPS_CRASH_SEED     the seed of the first round; each round has its own
"""
import json
import os
import pathlib
import random
import signal
import subprocess
import unittest
import uuid

from foreign import Refused, Request
from history import promise
from operations import OPERATIONS
from points import PROGRAMS
from rig import ENDED, ROOT, CrashWorld, wait_for, world

world.ENGINE_DIR = ROOT / "build/engine-broken"  # a private one: it is killed

PORTS = range(24_000, 25_000)
PASSED_MAX = 60  # points that the two programs pass before the kill, at most
SETTLE_SECONDS = 30.0

# The statuses that a record may have: (containers, running ones) -> statuses.
TRUTHS = {(1, 1): ("running",), (1, 0): ("stopped", "failed"), (0, 0): ("missing", "failed", "deleted", "purged")}


def engine(verb):
    subprocess.run([ROOT / "tools/engine", verb, "--dir", world.ENGINE_DIR], check=True, capture_output=True)


def leaked_ports(w):
    """Ports that the Engine holds for containers that do not run: Engine 20.10 does this when killed during a start."""
    used = {p.get("PublicPort") for c in w.engine.running() for p in c["Ports"]}
    held = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            args = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue  # it has ended
        if args[0].endswith("docker-proxy") and "-host-port" in args:
            held.add(int(args[args.index("-host-port") + 1]))
    return {p for p in held if p in PORTS} - used


class InFlight:
    """One operation that is in progress when the kill strikes."""

    def __init__(self, w, operation):
        self.w, self.operation = w, operation
        self.name, self.before, self.body = w.begin(operation)
        self.key, self.op, self.request = uuid.uuid4().hex, None, None

    def send(self):
        self.request = Request(self.w.endpoint, self.operation.verb, self.body, self.key)

    def listen(self, seconds=0.0):
        if self.op is None and (reply := self.request.hear(seconds)):
            self.op = reply["operation"]["id"]
            self.w.acknowledged.setdefault(self.op, None)

    def ended(self):
        return self.op is not None and self.w.operation(self.op)["status"] in ENDED

    def repeat(self):
        """Repeats the request as a client in doubt does; returns its end, which has to be a true one."""
        self.request.close()
        try:
            op = self.w.send(self.operation.verb, self.body, self.key)
        except Refused as e:  # not begun, and now there is nothing to stop: this is a valid answer
            promise(self.op is None and self.before and e.code == "wrong_state", "an accepted operation is known", e)
            return {"status": "refused", "target": self.before["id"]}
        promise(self.op in (None, op), "the same key is the same operation", self.op, op)
        end = self.w.end_of(op)
        promise(end["status"] in ("succeeded", "failed"), "it ends", end)
        promise(end["status"] == "succeeded" or end["error"]["message"], "a failure has a reason", end)
        return end

    def is_true(self, end):
        """Record and host agree, and the data is there unless it was to be removed."""
        w = self.w
        if self.operation.end == "purged" and end["status"] == "succeeded":
            promise(not w.engine.containers_of(end["target"]), "a purged server has no container")
            promise(w.tree(self.name).exists() == self.operation.data_after, "data is kept or gone as asked")
            w.check_gone(self.name, end["target"])
            return False

        if self.operation.title == "adopt" and end["status"] == "failed" and w.server(end["target"])["status"] == "purged":
            container, _ = w.strangers[self.name]
            found = json.loads(w.docker("inspect", container))[0]
            promise(found["Name"] == f"/{container}", "the original has its name", found["Name"])
            # An original that was not touched yet died with its Engine: starting it is not our task.
            touched = "the original container runs" in end["error"]["message"]
            promise(found["State"]["Running"] or not touched, "the stopped original runs again", found["State"])
            promise(not w.engine.containers_of(end["target"]) and not w.tree(self.name).exists(), "nothing of ours is left")
            return False

        def agree():
            s = w.server(end["target"])
            found = w.engine.containers_of(end["target"])
            alive = sum(c["State"]["Running"] for c in found)
            named = s["container_id"] == (found[0]["Id"] if found else "")
            return s["operation"] is None and named and s["status"] in TRUTHS.get((len(found), alive), ()) and s

        s = wait_for(f"{self.name}: record and host agree after {self.operation.title} {end['status']}", agree,
                     SETTLE_SECONDS)
        w.roots[self.name] = s["server_data_path"]  # after a failed move it is where it was
        ports = (s["game_port"], s["udp_port"])
        promise(self.before is None or ports == (self.before["game_port"], self.before["udp_port"]), "ports stay", ports)
        promise(self.before is None or w.tree(self.name).exists(), "data stays")
        return True

    def lives_on(self):
        """Whatever has happened to it: it can be started, in one container under its name, and be purged."""
        w = self.w
        s = w.server(self.name)
        if self.name in w.strangers:  # one that could not be restored may still have the ports
            w.docker("rm", "-f", w.strangers[self.name][0], check=False)
        if s["status"] in ("deleted", "deleting"):
            w.do("server.restore", {"server": self.name})
        elif s["status"] != "running":
            fresh = not w.data(self.name).exists()
            o = w.end_of(w.send("server.start", {"server": self.name, "fresh": fresh}, uuid.uuid4().hex))
            if o["status"] != "succeeded":  # the Engine has broken it ("task already exists"): make another one
                promise(o["error"]["code"] == "engine_error", "only an error of the Engine is a reason", o)
                print(f"  {self.name} is recreated: {o['error']['message']}", flush=True)
                w.do("server.recreate", {"server": self.name, "fresh": fresh})
        names = [c["Name"] for c in w.engine.containers_of(s["id"])]
        promise(len(names) == 1 and "old" not in names[0], "one container under its name", names)
        w.do("server.purge", {"server": self.name, "confirm": True, "remove_data": True})
        promise(not w.engine.containers_of(s["id"]) and not w.tree(self.name).exists(), "it is gone")


@unittest.skipIf(os.environ.get("ZEDOPS_TEST_DOCKER_HOST"), "the Engine is not ours to kill")
class EngineDeath(unittest.TestCase):
    def setUp(self):
        self.world = CrashWorld(PORTS)
        self.addCleanup(self.world.close)
        self.addCleanup(engine, "up")  # the clean-up needs it
        self.world.start()

    def rounds(self, one):
        first = int(os.environ.get("ZEDOPS_CRASH_SEED", "1"))
        for seed in range(first, first + int(os.environ.get("ZEDOPS_CRASH_ROUNDS", "2"))):
            print(f"seed {seed}", flush=True)
            one(random.Random(seed))

    def blow(self, dice, operations, strike):
        """Several operations at once; after some of their points `strike` breaks the world and repairs it."""
        w = self.world
        flying = [InFlight(w, o) for o in operations]
        for p in PROGRAMS:
            w.arm(p, "count")
        for f in flying:
            f.send()
        enough = dice.randint(1, PASSED_MAX)

        def in_the_middle():
            for f in flying:
                f.listen()
            return sum(len(w.passed(p)) for p in PROGRAMS) >= enough or all(f.ended() for f in flying)

        wait_for(f"{enough} points are passed", in_the_middle)
        strike()
        for p in PROGRAMS:
            w.disarm(p)
        for f in flying:
            f.listen()
        self.recovered()
        ends = [f.repeat() for f in flying]
        for f, e in zip(flying, ends):
            print(f"  after {enough} points, {f.operation.title}: {e['status']}"
                  + (f" ({e['error']['message']})" if e.get("error") else ""), flush=True)
        living = [f for f, e in zip(flying, ends) if f.is_true(e)]
        if leaked := leaked_ports(w):  # these ports could not be used: restart the Engine, as an administrator would
            print(f"  the Engine holds {leaked} for nobody: it is restarted", flush=True)
            engine("restart")
            self.recovered()
            living = [f for f, e in zip(flying, ends) if f.is_true(e)]
        for f in living:
            f.lives_on()
        w.check_history()
        w.check_ports()
        self.assertEqual(w.lost_operations(), [])

    def recovered(self):
        def whole():
            a = self.world.agent()
            return a["status"] == "online" and a["engine_ok"]

        wait_for("the agent is online, with an Engine", whole, SETTLE_SECONDS)

    def test_a_killed_engine_leaves_true_ends(self):
        """[acc-48] [acc-27] [acc-31] [fc-10] [fc-14]"""
        def strike():
            engine("kill")
            engine("up")

        self.rounds(lambda dice: self.blow(dice, dice.sample(OPERATIONS, 3), strike))

    def test_everything_at_once(self):
        """[acc-48] [acc-27] [acc-31] [fc-10] [fc-11] [fc-15]"""
        w = self.world

        def strike():
            for process in (w.manager, w.agents["host1"]):
                process.send_signal(signal.SIGKILL)
            engine("kill")
            for process in (w.manager, w.agents["host1"]):
                process.wait(20)
            engine("up")
            w.start()

        self.rounds(lambda dice: self.blow(dice, dice.sample(OPERATIONS, 5), strike))
        w.check_store()


if __name__ == "__main__":
    unittest.main()
