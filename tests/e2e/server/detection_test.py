"""Manual changes outside zedops are detected without any command, and shown as they are."""
import subprocess
import time
import unittest

from world import KEEPER, ROOT, WorldCase, docker_host, wait_for


# The Engine restarts it whenever it ends.
CRASHER = KEEPER.replace('name = "keeper"', 'name = "crasher"').replace('pull =', 'restart = "unless-stopped"\npull =').replace(
    "while :; do sleep 0.1; done", "while [ ! -e /data/crash ]; do sleep 0.1; done; exit 3")


class Detection(WorldCase):
    templates = {"keeper": KEEPER, "crasher": CRASHER}

    def test_a_removed_container_is_missing_within_a_second(self):
        """[acc-23] [acc-25]"""
        w = self.world
        name = w.create()
        w.docker("rm", "-f", w.server(name)["container_id"])
        begun = time.monotonic()
        s = w.status(name, "missing", 5)
        self.assertLess(time.monotonic() - begun, 1.0)
        self.assertEqual((s["data_state"], s["container_id"]), ("present", ""))

    def test_stop_start_and_kill_by_hand_are_seen(self):
        """[acc-24] [acc-25]"""
        w = self.world
        name = w.create()
        container = w.server(name)["container_id"]
        w.docker("stop", "-t", "1", container)
        w.status(name, "stopped", 5)
        self.assertEqual(w.server(name)["desired_state"], "running", "an observation does not change the desired state")
        w.docker("start", container)
        w.status(name, "running", 5)
        w.docker("kill", container)
        s = w.status(name, "stopped", 5)
        self.assertEqual(s["exit_code"], 137)
        self.assertIn("137", s["last_error"]["message"])

    def condition(self, name, wanted, seconds=20):
        def reached():
            s = self.world.server(name)
            return s if wanted in s["condition"] else None

        return wait_for(f"{name} is {wanted}", reached, seconds)

    def test_a_container_that_crashes_in_a_loop_is_not_shown_as_running_well(self):
        """[fc-9]"""
        w = self.world
        name = w.create(None, "--template", "crasher")
        self.assertEqual(w.server(name)["condition"], ["ok"])
        (w.data(name) / "crash").touch()
        s = self.condition(name, "restarting")
        wait_for("they are counted", lambda: w.server(name)["restarts"] >= 3)
        s = w.server(name)
        self.assertEqual(s["status"], "running")
        self.assertIsNotNone(s["restarting_since"])
        self.assertRegex(w.ctl_raw("server", "ls").stdout, rf"{name} .*restarting: \d+ times in \d+s")
        self.assertIn(name, [x["name"] for x in w.ctl("server", "ls", "--condition", "restarting")["servers"]])
        self.assertNotIn(name, [x["name"] for x in w.ctl("server", "ls", "--condition", "ok")["servers"]])
        told = [e["data"] for e in w.history(name) if e["type"] == "server.condition_changed"]
        self.assertIn(["restarting"], [t["condition"] for t in told])
        w.ctl("server", "stop", name)
        self.assertEqual(w.server(name)["condition"], ["ok"], "a user's request clears the condition")

    def test_a_paused_container_is_running_but_paused(self):
        w = self.world
        name = w.create()
        w.docker("pause", w.server(name)["container_id"])
        self.condition(name, "paused", 5)
        self.assertIn("running (paused)", w.ctl_raw("server", "ls").stdout)
        w.docker("unpause", w.server(name)["container_id"])
        self.condition(name, "ok", 5)
        self.refused("bad_request", 2, "server", "ls", "--condition", "odd")

    def test_a_renamed_container_is_still_ours_and_reported(self):
        """[acc-32] [fc-6]"""
        w = self.world
        name = w.create()
        container = w.server(name)["container_id"]
        w.docker("rename", container, f"{name}-elsewhere")
        s = wait_for("drift is reported", lambda: (lambda s: s["drift"] and s)(w.server(name)), 5)
        self.assertEqual((s["status"], s["container_id"]), ("running", container))

    def test_two_containers_for_one_server_are_a_notice_and_nothing_is_removed(self):
        """[acc-33] [fc-7]"""
        w = self.world
        name = w.create()
        c = w.inspect(w.server(name)["container_id"])
        labels = [x for k, v in c["Config"]["Labels"].items() for x in ("--label", f"{k}={v}")]
        rival = w.docker("create", *labels, "zedops/busybox:test", "true")
        s = wait_for("it is reported", lambda: (lambda s: "more than one" in s["drift"] and s)(w.server(name)), 10)
        self.assertEqual(s["container_id"], c["Id"])
        self.assertEqual(len(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").split()), 2)
        w.docker("rm", "-f", rival)
        wait_for("the conflict is over", lambda: not w.server(name)["drift"], 10)

    def test_a_container_made_again_by_hand_is_adopted_by_its_label(self):
        """[acc-31] [fc-15]"""
        w = self.world
        name = w.create()
        c = w.inspect(w.server(name)["container_id"])
        labels = [x for k, v in c["Config"]["Labels"].items() for x in ("--label", f"{k}={v}")]
        w.docker("rm", "-f", c["Id"])
        w.status(name, "missing")
        new = w.docker("run", "-d", "--name", c["Name"].strip("/"), *labels, "zedops/busybox:test", "sh", "-c",
                       "while :; do sleep 0.1; done")
        self.assertEqual(w.status(name, "running", 5)["container_id"], new)

    def test_sync_on_demand_answers_with_counts(self):
        """[acc-22]"""
        w = self.world
        w.create()
        rows = w.ctl("server", "sync")["agents"]
        self.assertEqual(rows[0]["agent"], "host1")
        self.assertGreaterEqual(rows[0]["servers"], 1)
        self.assertGreaterEqual(rows[0]["containers"], 1)

    def test_recovery_auto_brings_a_removed_container_back_by_itself(self):
        """[acc-35]"""
        w = self.world
        name = w.create(None, "--recovery", "auto")
        old = w.server(name)["container_id"]
        w.docker("rm", "-f", old)
        wait_for("it runs again", lambda: (lambda s: s["status"] == "running" and s["container_id"] not in ("", old))(
            w.server(name)), 10)
        actors = [o["actor"] for o in w.ctl("op", "ls", "--server", name)["operations"]]
        self.assertIn("system:recovery", actors)

    def test_foreign_containers_are_never_touched(self):
        """[acc-21] [fc-64]"""
        w = self.world
        foreign = w.docker("run", "-d", "--name", "zedops-foreign", "zedops/busybox:test", "sh", "-c",
                           "while :; do sleep 0.1; done")
        try:
            with self.assertRaises(Exception) as caught:
                w.create("foreign")
            self.assertIn("zedops-foreign", str(caught.exception))
            s = w.server("foreign")
            self.assertEqual(s["status"], "failed")
            self.assertTrue(w.inspect(foreign)["State"]["Running"])
        finally:
            w.docker("rm", "-f", foreign)
        w.ctl("server", "start", "foreign")
        again = w.status("foreign", "running")
        self.assertEqual((again["id"], again["game_port"]), (s["id"], s["game_port"]), "[acc-46] [fc-47]")

    def test_a_port_taken_by_a_process_is_named(self):
        """[acc-47] [acc-67]"""
        import socket
        w = self.world
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("0.0.0.0", 0))
        port = sock.getsockname()[1]
        reserved = w.server(w.create())["game_port"]
        rows = w.ctl("port", "check", "--agent", "host1", f"{port}/udp", f"{reserved}/udp")["ports"]
        self.assertEqual([r["taken_by"] for r in rows], ["process", "server"])
        with self.assertRaises(Exception) as caught:
            w.create("clash", "--game-port", port)
        self.assertIn(str(port), str(caught.exception))
        sock.close()
        w.ctl("server", "start", "clash")

    def test_suggested_ports_are_free(self):
        """[acc-68]"""
        w = self.world
        got = w.ctl("port", "suggest", "--agent", "host1")["suggestions"][0]
        self.assertEqual(got["udp_port"], got["game_port"] + 1)


class EngineAway(WorldCase):
    """Each of these takes the Engine or the agent away; the state shown stays true or is marked as unknown."""

    def test_an_agent_restart_leaves_the_state_true(self):
        """[acc-34] [acc-76]"""
        w = self.world
        up, gone = w.create(), w.create()
        gone_id = w.server(gone)["container_id"]
        w.kill_agent()
        w.agent_is("unreachable", seconds=6)
        s = w.server(up)
        self.assertEqual((s["status"], s["agent_status"]), ("running", "unreachable"))
        self.refused("agent_unreachable", 6, "server", "restart", up)
        w.docker("rm", "-f", gone_id)
        w.start_agent()
        w.status(gone, "missing", 10)
        self.assertEqual(w.status(up, "running")["agent_status"], "online")

    def test_an_engine_restart_leaves_the_state_true(self):
        """[acc-30] [fc-1]"""
        import os
        if os.environ.get("ZEDOPS_TEST_DOCKER_HOST"):
            self.skipTest("the Engine is not ours to restart")
        w = self.world
        name = w.create()
        from world import ENGINE_DIR
        subprocess.run([ROOT / "tools/engine", "kill", "--dir", ENGINE_DIR], check=True, capture_output=True)
        wait_for("the loss of the Engine is reported", lambda: not w.agent()["engine_ok"], 15)
        self.assertIn(w.server(name)["status"], ("running", "stopped"))
        self.assertNotEqual(w.server(name)["status"], "missing", "an error is never an observation")
        subprocess.run([ROOT / "tools/engine", "up", "--dir", ENGINE_DIR], check=True, capture_output=True)
        self.assertTrue(docker_host())
        wait_for("the Engine is back", lambda: w.agent()["engine_ok"], 20)
        state = w.inspect(w.server(name)["container_id"])["State"]
        w.status(name, "running" if state["Running"] else "stopped", 10)
        if not state["Running"]:
            w.ctl("server", "start", name)
        w.status(name, "running")


if __name__ == "__main__":
    unittest.main()
