"""The web door as integrations use it: REST, live events, monitoring."""
import json
import shutil
import signal
import socket
import subprocess
import time
import unittest
import uuid

from web import Client, Stream, WebCase
from world import wait_for


class Rest(WebCase):
    def test_the_life_of_a_server(self):
        """[acc-3] [acc-4] [acc-5] [acc-6]"""
        w, a = self.world, self.admin
        made = a.post("/api/servers", {"name": "life", "agent": "host1", "template": "keeper"})
        self.assertEqual(made.status, 202)
        place = made.headers["Location"]
        self.assertEqual(self.ok(a.get(f"{place}/wait"))["status"], "succeeded")
        s = self.ok(a.get("/api/servers/life"))
        self.assertEqual((s["status"], s["name"]), ("running", "life"))
        self.assertEqual(s, w.server("life") | {k: s[k] for k in ("observed_at",)})  # the same as zedctl shows
        self.assertEqual(self.ok(a.get("/api/servers/host1%2Flife"))["id"], s["id"])
        self.assertEqual(self.ok(a.post("/api/servers/life/stop?wait=1"))["server"]["status"], "stopped")
        refused = self.no(a.post("/api/servers/life/stop"), 409, "wrong_state")
        self.assertIn("running", refused["message"] + refused["hint"])
        plan = self.ok(a.post("/api/servers/life/start?dry_run=1"))
        self.assertTrue(plan["plan"])
        self.assertEqual(w.server("life")["status"], "stopped")
        self.assertEqual(self.ok(a.post("/api/servers/life/start?wait=1"))["operation"]["status"], "succeeded")
        self.ok(a.ask("DELETE", "/api/servers/life?wait=1"))
        self.assertEqual(w.server("life")["status"], "deleted")
        self.assertNotIn("life", [x["name"] for x in self.ok(a.get("/api/servers"))["servers"]])
        self.assertIn("life", [x["name"] for x in self.ok(a.get("/api/servers?all=1"))["servers"]])
        self.ok(a.post("/api/servers/life/restore?wait=1"))
        self.assertEqual(w.server("life")["status"], "running")
        self.no(a.ask("DELETE", "/api/servers/life/purge"), 400, "bad_request")
        self.ok(a.ask("DELETE", "/api/servers/life/purge?confirm=1&remove_data=1&wait=1"))
        self.no(a.get("/api/servers/life"), 404, "not_found")

    def test_what_has_not_changed_is_not_sent_again_and_old_copies_change_nothing(self):
        """[acc-7]"""
        a = self.admin
        self.world.create("tagged")
        r = a.get("/api/servers/tagged")
        tag = r.headers["ETag"]
        again = a.get("/api/servers/tagged", If_None_Match=tag)
        if again.status != 304:  # a sync happened in between
            again = a.get("/api/servers/tagged", If_None_Match=again.headers["ETag"])
        self.assertEqual((again.status, again.body), (304, b""))
        self.ok(a.ask("PATCH", "/api/servers/tagged", {"config": {"A": "1"}}, {"If-Match": tag}))
        stale = a.ask("PATCH", "/api/servers/tagged", {"config": {"A": "2"}}, {"If-Match": tag})
        self.assertEqual(stale.status, 409, stale.body)
        self.assertEqual(self.world.server("tagged")["config"]["A"], "1")

    def test_the_same_key_is_done_once(self):
        """[acc-8]"""
        a, key = self.admin, str(uuid.uuid4())
        self.world.create("once")
        first, second = (self.ok(a.post("/api/servers/once/stop?wait=1", headers={"Idempotency-Key": key})) for _ in range(2))
        self.assertEqual(first["operation"]["id"], second["operation"]["id"])
        other = a.post("/api/servers/once/start", headers={"Idempotency-Key": key})
        self.assertGreaterEqual(other.status, 400)

    def test_pages_filters_and_names(self):
        a = self.admin
        for n in range(3):
            self.world.create(f"page{n}")
        seen, after = [], ""
        while True:
            page = self.ok(a.get(f"/api/servers?limit=1&after={after}"))
            seen += [s["name"] for s in page["servers"]]
            after = page["next"]
            if not after:
                break
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual({"page0", "page1", "page2"}, set(seen))
        self.assertTrue(all(s["status"] == "running" for s in self.ok(a.get("/api/servers?status=running"))["servers"]))
        self.no(a.get("/api/servers?status=runing"), 400, "bad_request")
        self.assertIn("status", self.no(a.get("/api/servers?statsu=running"), 400, "bad_request")["hint"])

    def test_lists_come_in_the_order_that_is_asked_for(self):
        w, a = self.world, self.admin
        for name in ("sort-b", "sort-c", "sort-a"):
            w.create(name)
        self.ok(a.post("/api/servers/sort-c/stop?wait=1"))
        names = lambda query: [s["name"] for s in self.ok(a.get(f"/api/servers?{query}"))["servers"] if s["name"].startswith("sort-")]
        self.assertEqual(names("sort=name"), ["sort-a", "sort-b", "sort-c"])
        self.assertEqual(names("sort=-name"), ["sort-c", "sort-b", "sort-a"])
        self.assertEqual(names("sort=created"), ["sort-b", "sort-c", "sort-a"])
        self.assertEqual(names("sort=-updated")[0], "sort-c")
        self.assertEqual(names("sort=status")[-1], "sort-c")
        self.no(a.get("/api/servers?sort=size"), 400, "bad_request")
        seen, after = [], ""
        while page := self.ok(a.get(f"/api/servers?sort=-name&limit=2&after={after}")):
            seen += [s["name"] for s in page["servers"]]
            after = page["next"]
            if not after:
                break
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual(len(seen), len(set(seen)))

    def test_what_is_used_can_be_asked_for(self):
        """[acc-98]"""
        w, a = self.world, self.admin
        w.create("busy")
        container = w.server("busy")["container_id"]
        w.docker("exec", "-d", container, "sh", "-c", "while :; do :; done")
        used = lambda: self.ok(a.get("/api/servers/busy/usage?live=1"))["points"]
        newest = wait_for("its load", lambda: next((p for p in used() if p["used"]["cpu_millis"] > 300), None), 60)
        self.assertGreater(newest["used"]["memory_bytes"], 0)
        self.assertGreater(newest["used"]["memory_max"], 0)
        before = len(used())
        wait_for("usage is reported more often to a watcher", lambda: len(used()) >= before + 2, 12)
        host = self.ok(a.get("/api/agents/host1/usage"))
        self.assertEqual(host["name"], "host1")
        self.assertGreater(host["points"][-1]["used"]["disk_max"], 0)
        self.assertGreater(host["points"][-1]["used"]["cpu_max"], 999)
        self.assertIn("CPU", w.ctl_raw("server", "usage", "busy").stdout)
        self.assertIn("LOAD", w.ctl_raw("agent", "usage", "host1").stdout)
        w.kill_manager()  # reported usage survives a crash, except for the last seconds
        w.start_manager()
        wait_for("the door is open", lambda: self.tries(lambda: a.get("/api/servers/busy/usage")))
        wait_for("its past usage is there", lambda: len(used()) >= before - 8, 20)
        self.no(a.get("/api/servers/nothing/usage"), 404, "not_found")

    def test_many_at_once_each_with_its_own_answer(self):
        w, a = self.world, self.admin
        for n in range(3):
            w.create(f"bulk{n}")
        r = a.post("/api/servers/bulk", {"verb": "stop", "servers": ["bulk0", "bulk1", "nothing"]})
        rows = self.ok(r, 207)["results"]
        self.assertEqual([x["server"] for x in rows], ["bulk0", "bulk1", "nothing"])
        self.assertEqual(rows[2]["error"]["code"], "not_found")
        for x in rows[:2]:
            self.assertEqual(self.ok(a.get(f"/api/operations/{x['operation']['id']}/wait"))["status"], "succeeded")
        self.assertEqual([w.server(f"bulk{n}")["status"] for n in range(3)], ["stopped", "stopped", "running"])
        for wrong in ({}, {"verb": "ls", "servers": ["x"]}, {"verb": "create", "servers": ["x"]}, {"verb": "stop", "servers": []},
                      {"verb": "stop", "servers": ["x"] * 201}):
            self.no(a.post("/api/servers/bulk", wrong), 400, "bad_request")
        rows = self.ok(a.post("/api/servers/bulk", {"verb": "purge", "servers": ["bulk0"], "body": {"confirm": False}}), 207)["results"]
        self.assertEqual(rows[0]["error"]["code"], "bad_request")

    def test_who_hangs_up_waits_no_more(self):
        w, a = self.world, self.admin
        w.create("waits")
        w.kill_agent()
        held = []
        try:
            w.agent_is("unreachable")
            made = a.post("/api/servers/waits/stop")  # kept until its agent is back
            self.assertEqual(made.status, 202, made.body)
            place = made.headers["Location"]
            waiting = lambda: self.ok(a.get("/api/status"))["counters"]["clients_waiting"]
            for _ in range(50):
                s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
                s.sendall(f"GET {place}/wait HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {a.token}\r\n\r\n".encode())
                held.append(s)
            wait_for("all of them wait", lambda: waiting() >= 50)
            for s in held[1:]:
                s.close()
            wait_for("one waits", lambda: waiting() == 1, 15)
        finally:
            w.start_agent()
        self.assertIn(b"HTTP/1.1 200", held[0].recv(100))
        held[0].close()

    def test_every_change_is_on_record(self):
        """[acc-9]"""
        a = self.with_token("operator")
        self.world.create("audited")
        self.ok(a.post("/api/servers/audited/stop?wait=1"))
        self.no(a.ask("DELETE", "/api/servers/audited/purge?confirm=1&keep_data=1"), 403, "forbidden")
        rows = self.ok(self.admin.get(f"/api/audit?who=token:{a.name}"))["records"]
        self.assertEqual([(r["verb"], r["result"]) for r in rows], [("server.purge", "forbidden"), ("server.stop", "ok")])
        self.assertEqual(rows[0]["from"], "127.0.0.1")


class Live(WebCase):
    def test_events_come_once_each_over_a_crash_of_the_manager(self):
        w = self.world
        stream = Stream(self.admin, "/api/events?record=1")
        stream.wait("welcome")
        w.create("lively")
        stream.wait("server.status_changed", where=lambda e: e["data"]["to"] == "running")
        # Of several events that arrive at once the last one shows the current state.
        told = [e["server"]["name"] for type, _, data in stream.events for e in [json.loads(data)] if e.get("server")]
        self.assertEqual(set(told), {"lively"})
        first = stream
        w.kill_manager()
        wait_for("the stream ends", lambda: first.ended)
        last = first.last_id
        w.docker("rm", "-f", w.docker("ps", "-q", "--filter", "name=lively"))
        w.start_manager()
        w.status("lively", "missing")
        again = wait_for("the door is open", lambda: self.open(last))
        again.wait("server.status_changed", where=lambda e: e["data"]["to"] == "missing")
        self.addCleanup(again.close)
        every = [int(i.split(":")[1]) for s in (first, again) for t, i, _ in s.events if t not in ("welcome", "beat")]
        self.assertEqual(every, list(range(every[0], every[0] + len(every))))  # without a hole or a repeat

    def test_who_has_received_nothing_yet_misses_nothing_either(self):
        w = self.world
        w.create("quiet")
        stream = Stream(self.admin, "/api/events")
        stream.wait("welcome")
        place = stream.last_id
        self.assertTrue(place)
        stream.close()
        self.ok(self.admin.post("/api/servers/quiet/stop?wait=1"))
        again = Stream(self.admin, "/api/events", last_id=place)
        self.addCleanup(again.close)
        again.wait("server.status_changed", where=lambda e: e["data"]["to"] == "stopped")

    def open(self, last):
        try:
            s = Stream(self.admin, "/api/events", last_id=last)
            return s if s.status == 200 else None
        except OSError:
            return None

    def test_trimmed_history_is_reported_and_filters_apply(self):
        foreign = Stream(self.admin, "/api/events", last_id="12345:7")
        self.addCleanup(foreign.close)
        self.assertTrue(foreign.wait("gap"))
        self.assertEqual(Stream(self.admin, "/api/events", last_id="forged'><script>").status, 400)
        server = self.world.create("filtered")
        only = Stream(self.admin, f"/api/events?subject=server.{self.world.server(server)['id']}&type=server.status")
        self.addCleanup(only.close)
        only.wait("welcome")
        self.ok(self.admin.post("/api/servers/filtered/stop?wait=1"))
        only.wait("server.status_changed")
        self.assertEqual({t for t, _, _ in only.events} - {"welcome", "beat"}, {"server.status_changed"})

    def test_logs_are_followed_without_a_hole_or_a_repeat(self):
        w = self.world
        w.create("writer")
        container = w.server("writer")["container_id"]
        say = lambda n: w.docker("exec", container, "sh", "-c", f"echo line {n} > /proc/1/fd/1")
        for n in range(5):
            say(n)
        first = Stream(self.admin, "/api/servers/writer/logs?follow=1")
        lines = lambda *streams: [l["text"].strip() for s in streams for part in s.of("lines") for l in part if "line" in l["text"]]
        wait_for("the first lines", lambda: len(lines(first)) == 5)
        first.close()
        for n in range(5, 9):
            say(n)
        second = Stream(self.admin, "/api/servers/writer/logs?follow=1", last_id=first.last_id)
        self.addCleanup(second.close)
        say(9)
        wait_for("the rest", lambda: "line 9" in lines(second))
        self.assertEqual(lines(first, second), [f"line {n}" for n in range(10)])
        say(10)
        begun = time.monotonic()  # the line is sent when it is written, not at the next poll
        wait_for("one more", lambda: "line 10" in lines(second))
        self.assertLess(time.monotonic() - begun, 0.9)

    def test_many_readers_and_one_that_does_not_read(self):
        import socket
        stalled = socket.create_connection(("127.0.0.1", self.port))
        stalled.sendall(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.admin.token}\r\n\r\n".encode())
        readers = [Stream(self.admin, "/api/events?type=server.status") for _ in range(50)]
        for r in readers:
            r.wait("welcome")
        self.world.create("seen-by-all")
        for r in readers:
            r.wait("server.status_changed", where=lambda e: e["data"]["to"] == "running")
            r.close()
        stalled.close()


class Monitoring(WebCase):
    def test_what_monitoring_systems_ask_for(self):
        """[acc-97] [acc-98]"""
        w, a, viewer = self.world, self.admin, self.with_token("viewer")
        w.create("watched")
        h = self.ok(viewer.get("/api/monitoring/health"))
        self.assertEqual(set(h), {"containers", "zombies", "isLeader", "timestamp"})
        self.assertGreaterEqual(h["containers"]["total"], 1)
        self.assertTrue(h["isLeader"])
        self.assertTrue(self.ok(viewer.get("/api/monitoring/stats"))["isActive"])
        self.assertEqual(self.ok(viewer.get("/api/monitoring/deployments/stuck")), [])
        self.assertTrue(self.ok(a.post("/api/monitoring/reconcile/trigger"))["success"])
        w.docker("rm", "-f", w.server("watched")["container_id"])
        w.status("watched", "missing")
        text = viewer.get("/metrics").body.decode()
        self.assertIn('zedops_servers{status="missing"} 1', text)
        self.assertIn('zedops_server_transitions_total{from="running",to="missing"} 1', text)
        self.assertRegex(text, r"zedops_detection_seconds_count [1-9]")
        self.assertEqual(w.ctl_raw("metrics").stdout.splitlines()[0], text.splitlines()[0])
        wait_for("host figures", lambda: 'zedops_host_disk_bytes_max{agent="host1"}' in a.get("/metrics").body.decode())
        self.assertIn('zedops_agent_unclaimed_containers{agent="host1"} 0', text)
        if promtool := shutil.which("promtool"):
            r = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((r.returncode, r.stderr), (0, ""))

    def test_the_log_level_changes_at_run_time(self):
        a = self.admin
        self.ok(a.post("/api/manager/log-level", {"level": "error"}))
        self.no(a.post("/api/manager/log-level", {"level": "loud"}), 400, "bad_request")
        self.ok(a.post("/api/manager/log-level", {"level": "info"}))

    def test_the_description_is_whole(self):
        d = self.ok(Client(self.port).get("/api/openapi.json"))
        self.assertEqual(d["openapi"], "3.1.0")
        for path, methods in d["paths"].items():
            for method, row in methods.items():
                self.assertTrue(row["summary"], (path, method))
                if "{id}" in path or path == "/api/events":
                    continue
                # Every path answers, nothing breaks, and every refusal says why.
                r = self.admin.ask(method.upper(), path, {"zzz": 1} if method in ("post", "patch") else None)
                self.assertIn(r.status, (200, 400, 404), (method, path, r.body))
        for path, methods in d["paths"].items():
            for method in methods:
                r = Client(self.port).ask(method.upper(), path.replace("{id}", "x"), {} if method in ("post", "patch") else None)
                self.assertEqual(r.status, 401, (method, path))
                if "{id}" in path:
                    r = self.admin.ask(method.upper(), path.replace("{id}", "no-such-thing"), {} if method in ("post", "patch") else None)
                    self.assertIn(r.status, (400, 404, 409, 200), (method, path, r.body))
                    self.assertTrue(json.loads(r.body))

    def test_it_stops_in_order_with_streams_open(self):
        self.world.create("talks")
        for _ in range(5):
            wait_for("logs can be read", lambda: self.admin.get("/api/servers/talks/logs").status == 200)
            streams = [Stream(self.admin, f"/api/events?record={n % 2}") for n in range(20)]
            streams += [Stream(self.admin, "/api/servers/talks/logs?follow=1") for _ in range(5)]
            for s in streams:
                self.assertEqual(s.status, 200)
                wait_for("it has begun", lambda: s.events)
            self.assertEqual(self.world.kill_manager(signal.SIGTERM), 0)
            for s in streams:
                wait_for("the stream ends", lambda: s.ended)
            self.world.start_manager()
            self.world.agent_is("online")
            wait_for("the door is open", lambda: self.tries(lambda: self.admin.get("/healthz")))


if __name__ == "__main__":
    unittest.main()
