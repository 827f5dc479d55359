"""With the manager away an agent keeps its servers alive by their crash policies, and reports this afterwards."""
import datetime
import os
import subprocess
import unittest
import uuid

import msgpack
import zmq
from world import ENGINE_DIR, KEEPER, ROOT, WorldCase, wait_for

# Ends with status 7 when it finds the file `crash` in its data.
FRAGILE = KEEPER.replace("keeper", "fragile").replace("21000", "24000").replace("21999", "24999").replace(
    "while :; do sleep 0.1; done", "while :; do [ -e /data/crash ] && rm /data/crash && exit 7; sleep 0.1; done") + """
[crash]
policy = "on-failure"
restarts_max = 3
backoff_min = "200ms"
backoff_max = "1s"
"""


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class AgentAlone(WorldCase):
    templates = {"keeper": KEEPER, "fragile": FRAGILE}

    def fragile(self):
        name = f"srv-{uuid.uuid4().hex[:8]}"
        self.world.create(name, "--template", "fragile")
        wait_for("it has started", lambda: self.starts(name) == 1)
        return name, self.world.server(name)["container_id"]

    def starts(self, name):
        file = self.world.data(name) / "started"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def crash(self, name):
        (self.world.data(name) / "crash").touch()

    def state(self, container):
        return self.world.inspect(container)["State"]["Status"]

    def acted(self, name):
        events = [e for e in self.world.history(name) if e["type"] == "server.agent_acted"]
        return sorted(events, key=lambda e: e["seq"])

    def back(self):
        self.world.start_manager()
        self.world.agent_is("online")

    def edit(self, name, **change):
        context = zmq.Context()
        door = context.socket(zmq.DEALER)
        door.linger = 0
        door.connect(self.world.endpoint)
        door.send_multipart([b"zedops/1", b"req", b"1", b"server.edit", uuid.uuid4().hex.encode(), b"",
                             msgpack.packb({"actor": "me"}), msgpack.packb({"server": name, **change})])
        self.assertTrue(door.poll(10_000))
        frames = door.recv_multipart()
        door.close()
        context.term()
        self.assertEqual(frames[1], b"result", frames)

    def test_crashes_while_the_manager_is_dead_are_undone_and_reported_in_order_with_the_hosts_times(self):
        """[fc-38] [acc-49]"""
        w = self.world
        name, container = self.fragile()
        self.assertEqual(w.inspect(container)["HostConfig"]["RestartPolicy"]["Name"], "no")
        w.kill_manager()
        away = datetime.datetime.now(datetime.timezone.utc)
        for n in (2, 3):
            self.crash(name)
            wait_for("its agent starts it again", lambda: self.starts(name) == n)
        back = datetime.datetime.now(datetime.timezone.utc)
        self.back()
        events = wait_for("everything is reported", lambda: (lambda e: len(e) >= 4 and e)(self.acted(name)))
        told = [e["data"]["what"] for e in events]
        self.assertEqual([t["kind"] for t in told], ["exited", "restarted"] * 2)
        self.assertEqual({t["container_id"] for t in told}, {container})
        self.assertEqual(told[0]["exit_code"], 7)
        self.assertEqual([t["seq"] for t in told], sorted({t["seq"] for t in told}))
        times = [at(t["at"]) for t in told]
        self.assertEqual(times, sorted(times))
        # The last note is written a moment after the start that the game itself records.
        told_at = min(at(e["time"]) for e in events)
        self.assertTrue(away - datetime.timedelta(milliseconds=2) <= times[0] <= times[-1] <= told_at, (away, times, told_at))
        self.assertGreaterEqual(told_at, back, "the manager's time is a different one")
        w.status(name, "running", container_id=container)
        w.kill_manager()
        self.back()
        self.assertEqual(len(self.acted(name)), 4, "reported once")

    def test_what_was_stopped_by_hand_stays_stopped(self):
        """[fc-59]"""
        w = self.world
        name, container = self.fragile()
        w.kill_manager()
        w.docker("stop", "-t", "1", container)
        self.back()
        events = wait_for("it is reported", lambda: self.acted(name))
        self.assertIn("by hand", events[0]["data"]["what"]["detail"])
        self.assertEqual(self.state(container), "exited")
        w.status(name, "stopped", desired_state="running")

    def test_an_agent_that_is_killed_too_goes_on_without_a_manager(self):
        """[fc-56]"""
        w = self.world
        name, _ = self.fragile()
        w.kill_manager()
        w.kill_agent()
        self.crash(name)
        wait_for("it has crashed", lambda: not (w.data(name) / "crash").exists())
        w.start_agent(wait=False)
        wait_for("its agent starts it again", lambda: self.starts(name) == 2)
        self.back()
        wait_for("reported", lambda: [e["data"]["what"]["kind"] for e in self.acted(name)] == ["exited", "restarted"])

    def test_too_many_crashes_are_given_up_with_a_remedy_and_a_start_clears_them(self):
        """[fc-9] [fc-56]"""
        w = self.world
        name, _ = self.fragile()
        w.kill_manager()
        for n in (2, 3, 4):
            self.crash(name)
            wait_for("its agent starts it again", lambda: self.starts(name) == n)
        self.crash(name)
        wait_for("it has crashed", lambda: not (w.data(name) / "crash").exists())
        self.back()
        s = wait_for("it is given up", lambda: (lambda s: s["last_error"] and "gave up" in s["last_error"]["message"]
                                                and s)(w.server(name)))
        self.assertEqual((s["status"], s["desired_state"]), ("stopped", "running"))
        self.assertIn(f"zedctl server start {name}", s["last_error"]["hint"])
        w.ctl("server", "start", name)
        self.crash(name)
        wait_for("its agent starts it again", lambda: self.starts(name) == 6)

    def test_an_edited_policy_holds_at_once(self):
        w = self.world
        name, container = self.fragile()
        self.edit(name, crash="never")
        self.assertFalse(w.server(name)["pending_rebuild"])
        self.crash(name)
        events = wait_for("it is reported", lambda: self.acted(name))
        self.assertEqual(events[0]["data"]["what"]["next_in"], 0)
        w.status(name, "stopped")
        self.edit(name, crash="engine")
        self.assertTrue(w.server(name)["pending_rebuild"], "the Engine's restart rule is part of the container")
        w.ctl("server", "start", name)
        w.ctl("server", "rebuild", name)
        policy = w.inspect(w.server(name)["container_id"])["HostConfig"]["RestartPolicy"]["Name"]
        self.assertEqual(policy, "unless-stopped")
        self.assertNotEqual(w.server(name)["container_id"], container)

    def test_what_died_with_a_killed_engine_runs_again_when_it_is_back(self):
        """[fc-61]"""
        if os.environ.get("ZEDOPS_TEST_DOCKER_HOST"):
            self.skipTest("the Engine is not ours to kill")
        w = self.world
        name, container = self.fragile()
        tool = [ROOT / "tools/engine"]
        subprocess.run([*tool, "kill", "--dir", ENGINE_DIR], check=True, capture_output=True)
        wait_for("the loss of the Engine is reported", lambda: not w.agent()["engine_ok"], 15)
        subprocess.run([*tool, "up", "--dir", ENGINE_DIR], check=True, capture_output=True)
        acts = wait_for("its agent has acted", lambda: self.acted(name), 30)
        self.assertEqual([e["data"]["what"]["kind"] for e in acts], ["boot_started"])
        w.status(name, "running", container_id=container)
        self.assertEqual(self.starts(name), 2)


if __name__ == "__main__":
    unittest.main()
