"""Engines that end, come back, or are another one: what happens to the servers, and what is reported."""
import json
import os
import shutil
import signal
import subprocess
import unittest
import uuid

import world
from world import ROOT, WorldCase, wait_for

world.ENGINE_DIR = ROOT / "build/engine-cases"  # a private one: it is killed


def engine(verb, *more):
    subprocess.run([ROOT / "tools/engine", verb, "--dir", world.ENGINE_DIR, *more], check=True, capture_output=True)


def engine_pid():
    return int((world.ENGINE_DIR / "dockerd.pid").read_text())


class Policies(WorldCase):
    def setUp(self):
        self.addCleanup(first_engine)

    def create(self, policy, *flags):
        return self.world.create(None, "--crash-policy", policy, *flags)

    def crashes(self, name):
        return [e for e in self.world.history(name) if e["type"] == "crashed"]

    def test_an_end_of_the_engine_is_no_crash(self):
        """An upgrade of Docker stops the daemon in order, with everything that runs on it."""
        w = self.world
        names = {p: self.create(p) for p in ("never", "on-failure", "always", "engine")}
        asked = self.create("always")
        w.ctl("server", "stop", asked)
        engine("restart")
        for policy, name in names.items():
            if policy == "never":
                w.status(name, "stopped", 30)
                self.assertIn("while the Docker Engine was away", w.ctl_raw("server", "explain", name).stdout)
            else:
                w.status(name, "running", 30, operation=None)
            self.assertEqual(self.crashes(name), [], policy)
            self.assertEqual(w.server(name)["last_error"], None, policy)
        self.assertEqual(w.server(asked)["status"], "stopped")

    def test_a_process_that_ends_while_the_engine_is_away(self):
        w = self.world
        engine("down")
        engine("up", "--", "--live-restore")
        w.agent_is("online")
        dead, alive = (self.create("on-failure") for _ in range(2))
        pid = w.inspect(w.server(dead)["container_id"])["State"]["Pid"]
        last = w.server(alive)["container_id"]
        os.kill(engine_pid(), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        wait_for("the server is shown as stale", lambda: w.server(alive)["stale"])
        self.assertEqual(w.server(alive)["status"], "running")
        self.assertIn("stale", w.server(alive)["condition"])
        self.assertTrue(w.server(alive)["observed_at"])
        engine("up", "--", "--live-restore")
        w.status(dead, "running", 30, stale=False)
        self.assertNotEqual(w.inspect(w.server(dead)["container_id"])["State"]["Pid"], pid)
        s = w.status(alive, "running", 30, stale=False)
        self.assertEqual(s["container_id"], last, "it ran on")
        self.assertNotIn("memory", w.ctl_raw("server", "explain", dead).stdout)


def first_engine():
    engine("down")
    engine("up")


class AnotherEngine(WorldCase):
    def test_the_engine_behind_the_socket_is_another_one(self):
        w = self.world
        self.addCleanup(first_engine)
        names = [w.create(None, "--recovery", "auto", "--crash-policy", "on-failure") for _ in range(3)]
        before = {n: w.server(n)["container_id"] for n in names}
        other = world.ENGINE_DIR / "data-other"
        engine("down")
        engine("up", "--", f"--data-root={other}")
        subprocess.run([ROOT / "tools/images", "busybox"], check=True, capture_output=True, env=w.env)
        wait_for("the agent reports it", lambda: "another Docker Engine" in w.agent()["engine_problem"], 30)
        for n in names:
            s = w.server(n)
            self.assertEqual((s["status"], s["stale"]), ("running", True), "nothing is concluded from what it shows")
            self.assertEqual(w.docker("ps", "-aq", "--filter", f"label=zedops.server.name={n}"), "")
            self.assertEqual(s["operation"], None)
        self.assertIn("another Docker Engine", w.ctl_raw("doctor").stdout)
        self.assertIn("another Docker Engine", w.ctl_raw("agent", "describe", "host1").stdout)
        engine("down")
        shutil.rmtree(other)
        engine("up")
        for n in names:
            s = w.status(n, "running", 30)
            self.assertEqual(s["container_id"], before[n])
            self.assertEqual(len(w.docker("ps", "-aq", "--filter", f"label=zedops.server.name={n}").split()), 1)


def load_as(w, source, target, architecture):
    """The image once more, marked as made for another processor."""
    folder = w.dir / "image"
    folder.mkdir()
    saved = subprocess.run(["docker", "save", source], capture_output=True, check=True, env=w.env).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=saved, check=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    config = folder / manifest[0]["Config"]
    told = json.loads(config.read_text())
    told["architecture"] = architecture
    config.unlink()
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "manifest.json").write_text(json.dumps([{**manifest[0], "Config": "config.json", "RepoTags": [target]}]))
    files = ["manifest.json", "config.json", *manifest[0]["Layers"]]
    packed = subprocess.run(["tar", "-c", "-C", folder, *files], capture_output=True, check=True).stdout
    subprocess.run(["docker", "load"], input=packed, check=True, capture_output=True, env=w.env)
    shutil.rmtree(folder)


class Kills(WorldCase):
    def test_137_is_explained_from_what_is_known(self):
        w = self.world
        name = w.create()
        container = w.server(name)["container_id"]
        w.docker("update", "--memory", "32m", "--memory-swap", "32m", container)
        w.docker("exec", container, "sh", "-c", "tail /dev/zero", check=False)
        killed_for_memory = w.inspect(container)["State"]["OOMKilled"]
        self.assertEqual(w.server(name)["status"], "running")
        w.ctl("server", "stop", name)
        self.assertNotIn("memory", w.ctl_raw("server", "explain", name).stdout.split("History")[0])
        w.ctl("server", "start", name)
        w.docker("kill", "-s", "KILL", container)
        w.status(name, "stopped")
        self.assertIn("137", w.ctl_raw("server", "explain", name).stdout)
        self.assertNotIn("memory", w.ctl_raw("server", "explain", name).stdout)
        print(f"OOMKilled after a child's kill: {killed_for_memory}")

    def test_an_image_for_another_machine(self):
        w = self.world
        image = f"zedops.test/arm-{uuid.uuid4().hex[:8]}"
        load_as(w, "zedops/busybox:test", f"{image}:v1", "arm64")
        self.addCleanup(w.docker, "rmi", "-f", f"{image}:v1", check=False)
        name = f"arm-{uuid.uuid4().hex[:6]}"
        w.ctl("server", "create", name, "--agent", "host1", "--template", "keeper", "--image", image, "--tag", "v1")
        self.assertIn("built for arm64", w.ctl_raw("server", "explain", name).stdout)

    def test_an_environment_that_is_too_long_is_refused_where_it_is_given(self):
        w = self.world
        name = w.create()
        long = "x" * 32 * 1024
        error = self.refused("too_large", 2, "server", "edit", name, "--env", f"A={long}y")
        self.assertIn("'A' is 32769 bytes, the limit is 32768", error["message"])
        last = None
        for i in range(40):
            r = w.ctl_raw("server", "edit", name, "--env", f"K{i}={long}")
            if r.returncode:
                last = r
                break
        self.assertEqual(last.returncode, 2, last.stderr)
        w.ctl("server", "recreate", name)
        w.status(name, "running")
        self.assertEqual(len(w.server(name)["config"]), i)
        for wish in (["server", "describe", name], ["event", "watch", "--since", "0:0", "--until-idle"], ["store", "verify"]):
            r = w.ctl_raw(*wish)
            self.assertEqual(r.returncode, 0, (wish, r.stderr[-300:]))


if __name__ == "__main__":
    unittest.main()
