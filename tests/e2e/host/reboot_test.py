"""The host comes up again: servers that should run are started in turn, nothing else, with or without the manager."""
import os
import subprocess
import unittest
import uuid

from agent_alone_test import FRAGILE, at
from world import ENGINE_DIR, KEEPER, ROOT, WorldCase, wait_for

# The kernel's id of a boot, which a process in its own mount namespace can see replaced.
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Reboot(WorldCase):
    templates = {"keeper": KEEPER, "fragile": FRAGILE}

    def setUp(self):
        if os.environ.get("ZEDOPS_TEST_DOCKER_HOST"):
            self.skipTest("the Engine is not ours to kill")

    def boot(self):
        """Everything on the host dies at once; Engine and agent come up again, and the kernel shows another boot id."""
        w = self.world
        w.kill_agent()
        subprocess.run([ROOT / "tools/engine", "kill", "--dir", ENGINE_DIR], check=True, capture_output=True)
        subprocess.run([ROOT / "tools/engine", "up", "--dir", ENGINE_DIR], check=True, capture_output=True)
        other = w.dir / "boot-id"
        other.write_text(f"{uuid.uuid4()}\n")
        w.within["zedops-agent"] = ("unshare", "-m", "sh", "-c", f'mount --bind {other} {BOOT_ID} && exec "$@"', "sh")
        w.start_agent(wait=False, flags=("--boot-starts", "1"))

    def server(self, name, priority, *flags):
        self.world.create(name, "--template", "fragile", "--priority", priority, *flags)
        wait_for("it has started", (self.world.data(name) / "started").exists)
        return self.world.server(name)["container_id"]

    def runs(self, container):
        return self.world.inspect(container)["State"]["Running"]

    def test_what_should_run_is_started_in_turn_and_reported(self):
        """[fc-61]"""
        w = self.world
        late = self.server("late", -1)
        first = self.server("first", 5)
        rests = self.server("rests", 9)
        plain = self.server("plain", 0)
        never = self.server("never", 7, "--crash-policy", "never")
        w.ctl("server", "stop", "rests")
        w.status("rests", "stopped")
        w.kill_manager()
        self.boot()
        for container in (first, plain, late):
            wait_for("it runs again, without any manager", lambda: self.runs(container), 40)
        started = [at(w.inspect(c)["State"]["StartedAt"][:26] + "Z") for c in (first, plain, late)]
        self.assertEqual(started, sorted(started), "by priority")
        self.assertFalse(self.runs(rests), "a user had stopped it")
        w.start_manager()
        w.agent_is("online")
        for name, number in (("first", 1), ("plain", 2), ("late", 3)):
            acts = wait_for("it is reported", lambda: [e["data"]["what"] for e in w.history(name)
                                                   if e["type"] == "server.agent_acted"])
            told = [a for a in acts if a["kind"] == "boot_started"]
            self.assertEqual(len(told), 1, acts)
            self.assertIn("after the host came up", told[0]["detail"])
            w.status(name, "running")
        w.status("rests", "stopped")
        self.assertEqual(self.runs(never), w.server("never")["status"] == "running", "the record is true")


if __name__ == "__main__":
    unittest.main()
