"""Why is a server in its state? Tested on the real programs, with the state before."""
import re
import unittest

from world import WorldCase


class Explain(WorldCase):
    def test_a_container_removed_by_hand_is_explained_and_the_state_before_it_is_shown(self):
        w = self.world
        name = w.create()
        before = w.history(name)[0]
        container = w.server(name)["container_id"]
        w.docker("rm", "-f", container)
        w.status(name, "missing")
        e = w._one(w.ctl("server", "explain", name))
        self.assertRegex(e["summary"], rf"^{name} is missing because its container was removed by hand \(destroy event\)")
        self.assertIn(f"zedctl server start {name}", e["summary"])
        kinds = [x["kind"] for x in e["past"]]
        for kind in ("desire", "command", "engine_call", "event", "transition"):
            self.assertIn(kind, kinds)
        self.assertEqual(kinds[0], "desire")
        calls = [x["text"] for x in e["past"] if x["kind"] == "engine_call"]
        self.assertTrue(any(re.match(r"create .*: HTTP 201, ", x) for x in calls), calls)
        self.assertTrue(any(x.startswith(f"start {container[:12]}: HTTP 204, ") for x in calls), calls)
        self.assertTrue(any("container event destroy" in x["text"] for x in e["past"]))
        at = f"{before['epoch']}:{before['seq']}"
        then = w._one(w.ctl("server", "get", name, "--at", at))
        self.assertEqual((then["status"], then["container_id"], then["agent_status"]), ("running", container, "online"))
        upto = w.ctl("server", "history", name, "--at", at)["events"]
        self.assertEqual(upto[0]["seq"], before["seq"])
        text = w.ctl_raw("server", "explain", name)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("What led here", text.stdout)

    def test_a_failed_start_names_the_call_that_failed(self):
        w = self.world
        name = w.create()
        w.ctl("server", "stop", name)
        holder = f"{name}-holder"
        port = w.server(name)["game_port"]
        w.docker("run", "-d", "--name", holder, "-p", f"{port}:{port}/udp", "zedops/busybox:test", "sh", "-c",
                 "while :; do sleep 0.1; done")
        try:
            r = w.ctl_raw("server", "start", name)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn("next:", r.stderr)
            e = w._one(w.ctl("server", "explain", name))
            self.assertTrue(any("start failed" in x["text"] for x in e["past"]), e["past"])
        finally:
            w.docker("rm", "-f", holder)

    def test_a_secret_of_the_template_is_in_the_container_and_nowhere_else(self):
        w = self.world
        name = w.create(None, "--template", "keeper", "--env", "TOKEN=open-sesame", "--env", "MOTD=hello")
        s = w.server(name)
        self.assertEqual(s["config"], {"TOKEN": "***", "MOTD": "hello"})
        self.assertIn("TOKEN=open-sesame", w.inspect(s["container_id"])["Config"]["Env"])
        for verb in (("server", "get", name), ("server", "history", name), ("server", "explain", name),
                     ("event", "replay", "--server", name), ("server", "ls"), ("server", "get", name, "--at", "1ms")):
            for form in ("json", "yaml", "table"):
                r = w.ctl_raw("-o", form, *verb)
                self.assertEqual(r.returncode, 0, r.stderr)
                self.assertNotIn("open-sesame", r.stdout + r.stderr)
        error = self.refused("bad_request", 2, "server", "edit", name, "--env", "TOKEN=***")
        self.assertIn("TOKEN", error["message"])
        for log in ("zedops-manager", "zedops-agent"):
            self.assertNotIn("open-sesame", w.log(log))


if __name__ == "__main__":
    unittest.main()
