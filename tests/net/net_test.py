"""Several hosts and what networks do to them: partitions in both directions and in one, loss, other addresses, kills. Each
agent has its own Engine and dials the manager over tcp with keys."""
import os
import pathlib
import subprocess
import tempfile
import unittest

from hosts import Switch, possible
from world import BIN, KEEPER, ROOT, Failed, World, wait_for

ENDED = ("succeeded", "failed", "cancelled")


class NetWorld(World):
    def __init__(self):
        super().__init__(engine=False)
        self.switch = Switch()
        self.at = self.switch.add()
        self.within = {"zedops-manager": self.at.inside}
        self.hosts = {f"host{n}": self.switch.add() for n in (1, 2, 3)}
        self.engines = {}
        for door, port in (("clients", 7700), ("agents", 7701), ("events", 7702)):
            self.settings[door] = f"ipc://{self.run}/{door}.ipc,tcp://[::]:{port}"
        self.settings["advertise"] = self.at.v4
        templates = self.dir / "templates"
        templates.mkdir()
        (templates / "keeper.toml").write_text(KEEPER)
        self.settings["templates-dir"] = templates

    def engine_of(self, name):
        dir = pathlib.Path(tempfile.gettempdir()) / f"zn-{self.switch.name}-{name}"
        out = subprocess.run([*self.hosts[name].inside, ROOT / "tools/engine", "up", "--dir", dir], check=True, capture_output=True,
                             text=True).stdout
        line = next(x for x in out.splitlines() if "DOCKER_HOST=" in x)
        self.engines[name] = dir, line.split("DOCKER_HOST=", 1)[1].strip().strip("'\"")
        subprocess.run([ROOT / "tools/images", "busybox"], check=True, capture_output=True,
                       env={**os.environ, "DOCKER_HOST": self.engines[name][1]})

    def join(self, name, address=None):
        line = self.ctl("agent", "token", "--name", name)["line"]
        if address:
            line = line.replace(self.at.v4, address)
        subprocess.run([*self.hosts[name].inside, BIN / "zedops-agent", "join", line, "--state-dir", self.dir / f"state-{name}"],
                       check=True, capture_output=True, text=True, env=self.env)

    def start_agent(self, name, **_):
        flags = {"docker-host": self.engines[name][1], "data-path": self.dir / f"data-{name}", "state-dir": self.dir / f"state-{name}"}
        with open(self.dir / f"{name}.log", "ab") as log:
            self.agents[name] = subprocess.Popen([*self.hosts[name].inside, BIN / "zedops-agent",
                                                  *(f"--{k}={v}" for k, v in flags.items())],
                                                 stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env)
        self.agent_is("online", name)

    def on(self, host, *args):
        r = subprocess.run(["docker", *map(str, args)], capture_output=True, text=True,
                           env={**os.environ, "DOCKER_HOST": self.engines[host][1]})
        return r.stdout.strip()

    def close(self):
        for p in [*self.agents.values(), self.manager]:
            if p and p.poll() is None:
                p.kill()
                p.wait()
        for name, (dir, _) in self.engines.items():
            subprocess.run([*self.hosts[name].inside, ROOT / "tools/engine", "down", "--purge", "--dir", dir], capture_output=True)
        self.switch.close()
        super().close()


@unittest.skipUnless(possible(), "network namespaces need root and iproute2")
class Net(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        w = cls.world = NetWorld()
        cls.addClassCleanup(w.close)
        for name in w.hosts:
            w.engine_of(name)
        w.start_manager()
        w.join("host1")
        w.join("host2")
        w.join("host3", f"[{w.at.v6}]")  # over IPv6
        for name in w.hosts:
            w.start_agent(name)

    def tearDown(self):
        for name, host in self.world.hosts.items():
            host.heal()
            self.world.agent_is("online", name, 30)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and self.world.dir.exists():
            for log in ("zedops-manager", *self.world.hosts):
                file = self.world.dir / f"{log}.log"
                print(f"--- {log} ---\n" + "\n".join(file.read_text(errors="replace").splitlines()[-30:]))

    def end_of(self, op):
        def ended():
            o = self.world._one(self.world.ctl("op", "get", op))
            return o if o["status"] in ENDED else None
        return wait_for(f"operation {op} ends", ended, 90)

    def begin(self, *args):
        """The operation, as soon as it is accepted."""
        return self.world._one(self.world.ctl("--yes", "--no-wait", *args))["operation"]["id"]

    def test_a_partition_hides_one_host_and_no_other(self):
        """[acc-34] [acc-35]"""
        w = self.world
        far, near = w.create(agent="host1"), w.create(agent="host2")
        w.hosts["host1"].cut_off()
        w.agent_is("unreachable", "host1")
        self.assertIn("stale", w.server(far)["condition"])
        self.assertNotIn("stale", w.server(near)["condition"])
        w.ctl("--yes", "server", "restart", near)
        with self.assertRaises(Failed) as caught:
            w.ctl("--yes", "server", "restart", far)
        self.assertEqual(caught.exception.error["code"], "agent_unreachable")
        w.on("host1", "rm", "-f", w.server(far)["container_id"])  # while the host is cut off
        w.hosts["host1"].heal()
        w.agent_is("online", "host1", 30)
        w.status(far, "missing", stale=False)
        w.ctl("--yes", "server", "start", far)
        self.assertEqual(w.server(far)["status"], "running")

    def test_one_direction_is_enough_to_be_away_and_not_enough_to_be_there(self):
        w = self.world
        for way in ({"outgoing": False}, {"incoming": False}):
            w.hosts["host2"].cut_off(**way)
            w.agent_is("unreachable", "host2")
            w.hosts["host2"].heal()
            w.agent_is("online", "host2", 30)

    def test_what_is_requested_while_a_host_is_away_is_done_when_it_is_back(self):
        """[acc-51] [acc-55] [acc-60]"""
        w = self.world
        gone, back, forgotten = (w.create(agent="host1") for _ in range(3))
        w.ctl("--yes", "server", "rm", back)
        w.hosts["host1"].cut_off()
        w.agent_is("unreachable", "host1")
        ops = [self.begin("server", "rm", gone), self.begin("server", "restore", back),
               self.begin("server", "purge", forgotten, "--remove-data")]
        self.assertTrue(w.tree(forgotten, "host1").exists())
        w.hosts["host1"].heal()
        for op in ops:
            self.assertEqual(self.end_of(op)["status"], "succeeded")
        self.assertEqual(w.server(gone)["status"], "deleted")
        w.status(back, "running")
        self.assertFalse(w.tree(forgotten, "host1").exists())
        names = w.on("host1", "ps", "-a", "--format", "{{.Names}}")
        self.assertNotIn(gone, names)
        self.assertIn(back, names)

    def test_a_host_that_is_cut_off_during_an_operation_ends_it_truly(self):
        w = self.world
        name = w.create(agent="host3")
        for verb in (("restart",), ("rebuild",), ("stop",), ("start",), ("rm",), ("restore",), ("recreate",)):
            op = self.begin("server", verb[0], name)
            w.hosts["host3"].cut_off()
            w.agent_is("unreachable", "host3")
            w.hosts["host3"].heal()
            end = self.end_of(op)
            w.agent_is("online", "host3", 30)
            s = wait_for("the record is fresh", lambda: (lambda s: s if not s["stale"] and not s["operation"] else None)(w.server(name)))
            runs = bool(w.on("host3", "ps", "-q", "--filter", f"name={name}"))
            self.assertEqual(s["status"] == "running", runs, (verb, end["status"], s["status"]))
            if end["status"] != "succeeded" and s["status"] != "running":
                w.ctl("--yes", "server", "restore" if s["status"] == "deleted" else "start", name)

    def test_loss_and_delay_make_it_slow_and_nothing_else(self):
        w = self.world
        if not w.hosts["host2"].lose(10):
            self.skipTest("this kernel has no netem")
        w.agent_is("online", "host2", 30)
        name = w.create(agent="host2")
        w.ctl("--yes", "server", "rebuild", name)
        w.ctl("--yes", "server", "stop", name)
        self.assertEqual(w.server(name)["status"], "stopped")

    def test_a_host_with_another_address_and_a_manager_that_was_killed_find_each_other(self):
        w = self.world
        name = w.create(agent="host2")
        w.hosts["host2"].move_to(77)
        w.agent_is("online", "host2", 40)
        w.ctl("--yes", "server", "restart", name)
        seen = w.ctl("audit", "ls", "--verb", "agent.enrol", "--target", "host3")["records"]
        self.assertEqual(seen[0]["from"], w.hosts["host3"].v6)
        w.kill_manager()
        w.on("host1", "ps")
        w.start_manager()
        for host in w.hosts:
            w.agent_is("online", host, 30)
        w.status(name, "running", stale=False)
        self.assertTrue(w.ctl("audit", "verify")["sound"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
