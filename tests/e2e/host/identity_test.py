"""A host's agent lost its state folder: the documented recovery, and what is refused during it."""
import re
import shutil
import signal
import subprocess
import unittest

from world import BIN, WorldCase, wait_for


class LostState(WorldCase):
    """One story for the class; its steps are those of docs/operations.md."""

    def agent_flags(self):
        w = self.world
        return ["--name", "host1", "--manager", f"ipc://{w.run}/agents.ipc", "--docker-host", w.env["DOCKER_HOST"],
                "--data-path", w.dir / "data-host1", "--state-dir", w.dir / "state-host1"]

    def refused_start(self, *more):
        r = subprocess.run([BIN / "zedops-agent", *map(str, self.agent_flags()), *more], capture_output=True, text=True,
                           env=self.world.env, timeout=30)
        self.assertEqual(r.returncode, 78, r.stderr)
        return r.stderr

    def test_the_documented_steps_bring_every_server_back(self):
        """[acc-18] [fc-2]"""
        w = self.world
        running, missing, stopped = (w.create() for _ in range(3))
        w.ctl("server", "stop", stopped)
        known_id = w.agent()["id"]
        w.kill_agent(signal.SIGTERM)
        w.docker("rm", "-f", w.server(missing)["container_id"])
        shutil.rmtree(w.dir / "state-host1")
        w.start_agent()

        # It is admitted by its name, keeps what runs, and touches no data: the error says why, with the recovery.
        self.assertEqual(w.agent()["id"], known_id)
        wait_for("the loss is logged", lambda: "identity.lost" in w.log("zedops-agent"))
        hint = self.refused("data_unknown", 4, "server", "start", missing)["hint"]
        self.assertIn(f"zedctl server check-data {missing}", hint)
        problem = w.ctl("server", "check-data", missing)["servers"][0]["problem"]
        self.assertEqual(re.search(r"--identity (a\w+)", problem)[1], known_id)
        described = w.ctl_raw("agent", "describe", "host1").stdout
        self.assertRegex(described, rf"Data: +unknown: .*--identity {known_id}")

        # The documented step: stop it, start it once with the id that the manager shows.
        w.kill_agent(signal.SIGTERM)
        self.assertIn("belongs to", self.refused_start("--identity", "a" * len(known_id)))
        w.start_agent(flags=("--identity", known_id))
        looks = w.ctl("server", "check-data", running, missing, stopped)["servers"]
        self.assertEqual([look["state"] for look in looks], ["present"] * 3, looks)
        self.assertNotIn("--identity", w.ctl_raw("agent", "describe", "host1").stdout)
        w.ctl("server", "start", missing)
        w.ctl("server", "start", stopped)
        w.ctl("server", "restart", running)
        for name in (running, missing, stopped):
            w.status(name, "running")
            w.ctl("server", "purge", name, "--remove-data", "--yes")
            self.assertFalse(w.tree(name).exists())

        # The flag is needed only once.
        w.kill_agent(signal.SIGTERM)
        w.start_agent()
        again = w.create()
        self.assertEqual(w.server(again)["data_state"], "present")

    def test_an_id_that_a_live_agent_has_is_refused_under_another_name(self):
        """[acc-18]"""
        w = self.world
        w.agent_is("online")
        other = w.dir / "other"
        shutil.copytree(w.dir / "data-host1", other, ignore=lambda _, names: [n for n in names if n != ".zedops-data-root"])
        r = subprocess.run([BIN / "zedops-agent", "--name", "host2", "--manager", f"ipc://{w.run}/agents.ipc",
                            "--docker-host", w.env["DOCKER_HOST"], "--data-path", other, "--state-dir", w.dir / "state-2",
                            "--identity", w.agent()["id"]], capture_output=True, text=True, env=w.env, timeout=30)
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn("host1", r.stderr)
        self.assertEqual(w.agent()["status"], "online")


if __name__ == "__main__":
    unittest.main()
