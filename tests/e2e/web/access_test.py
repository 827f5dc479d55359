"""Who may use HTTP, and what scanners and browsers send."""
import http.client
import re
import signal
import time
import socket
import unittest

from web import PASSWORD, Client, Reply, Stream, WebCase, sign_in
from world import wait_for


class Hostile(WebCase):
    def test_what_is_not_a_valid_request(self):
        a = self.admin
        self.no(a.get("/api/nothing"), 404, "not_found")
        r = a.ask("PUT", "/api/servers")
        self.assertEqual((r.status, r.headers["Allow"]), (405, "POST, GET, HEAD, OPTIONS"))
        self.assertEqual(a.ask("OPTIONS", "/api/servers").headers["Allow"], r.headers["Allow"])
        head = a.ask("HEAD", "/api/servers")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertGreater(int(head.headers["Content-Length"]), 0)
        for path in ("/api/../etc/passwd", "/api/%2e%2e/x", "/api//servers", "/api/servers/%00", "/api/servers/%zz",
                     "/api/servers/" + "x" * 600, "/api/" + "a/" * 40, "/api/%c3%28"):
            self.assertIn(a.get(path).status, (400, 404), path)
        self.no(a.get("/api/servers/..%2f..%2fetc"), 404, "not_found")

    def test_bodies_that_are_invalid(self):
        a = self.admin
        json_type = {"Content-Type": "application/json"}
        for body in (b"{", b"[]", b"nul", b'{"name":1}', b'{"name":"x","name":"y"}', b'{"nmae":"x"}', b"\xff\xfe",
                     b'{"name":"\xff"}', b"[" * 100_000, b'{"config":' * 40 + b"1" + b"}" * 40, b'{"game_port":-1}',
                     b'{"game_port":99999999999999999999}', b'{"game_port":1.5}'):
            r = a.ask("POST", "/api/servers", body, json_type)
            self.assertIn(r.status, (400, 404), (body[:40], r.body))
            self.assertTrue(r.error["message"])
        self.assertEqual(a.ask("POST", "/api/servers", b"name=x", {"Content-Type": None}).status, 415)
        self.assertEqual(a.ask("POST", "/api/servers", b"x" * (3 << 20), json_type).status, 413)
        self.assertEqual(a.get("/api/servers", X_Large="x" * 20_000).status, 431)
        self.assertIn("name", self.no(a.post("/api/servers", {"nmae": "x"}), 400, "bad_request")["hint"])
        self.assertEqual(a.ask("POST", "/api/servers", b"{}", {"Content-Type": "text/plain"}).status, 415)
        # A field of another type than its parameter.
        self.no(a.ask("GET", "/api/servers?limit=5", b'{"where":1}', json_type), 400, "bad_request")
        self.no(a.post("/api/servers/x/check-data?servers=y", {"servers": 1}), 400, "bad_request")

    def test_no_depth_of_nesting_ends_the_manager(self):
        a = self.admin
        deep = b"[" * 900_000 + b"]" * 900_000
        for path, body in (("/api/servers/bulk", b'{"verb":"stop","servers":["x"],"body":' + deep + b"}"),
                           ("/api/servers/bulk", deep), ("/api/servers", b'{"config":' + deep + b"}"),
                           ("/api/session", b'{"user":' + deep + b"}")):
            r = a.ask("POST", path, body, {"Content-Type": "application/json", "X-Zedops": "test"})
            self.assertEqual(r.status, 400, (path, r.body[:200]))
        self.assertEqual(a.get("/api/status").status, 200)

    def test_many_fields_delay_no_other(self):
        body = b"{" + b",".join(b'"%d":1' % n for n in range(200_000)) + b"}"
        begun = time.monotonic()
        self.no(self.admin.ask("POST", "/api/servers", body, {"Content-Type": "application/json"}), 400, "bad_request")
        self.assertLess(time.monotonic() - begun, 20)  # a quadratic search would take four minutes

    def test_smuggling_and_rebinding(self):
        a = self.admin
        host = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {a.token}\r\n"
        two = a.raw(f"POST /api/servers HTTP/1.1\r\n{host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}x".encode())
        self.assertTrue(two.startswith(b"HTTP/1.1 400"), two[:80])
        both = a.raw(f"POST /api/servers HTTP/1.1\r\n{host}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode())
        self.assertTrue(both.startswith(b"HTTP/1.1 400"), both[:80])
        for wrong in ("Host: evil.example\r\n", "Host: 127.evil.example\r\n", "Host: 127.0.0.1.evil.example\r\n", "", "Host: a\r\nHost: b\r\n"):
            r = a.raw(f"GET /api/servers HTTP/1.1\r\n{wrong}Authorization: Bearer {a.token}\r\n\r\n".encode())
            self.assertRegex(r[:20], rb"HTTP/1.1 4(21|00)")
        piped = a.raw(f"GET /healthz HTTP/1.1\r\n{host}\r\nGET /healthz HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode())
        self.assertEqual(piped.count(b"HTTP/1.1 200"), 2)
        self.assertIn(a.raw(b"\x16\x03\x01\x02\x00")[:12], (b"", b"HTTP/1.1 400"))
        self.assertEqual(a.get("/healthz").body, b"ok\n")

    def test_who_sends_slowly_delays_no_other(self):
        held = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(300)]
        try:
            for s in held:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            self.assertEqual(self.admin.get("/api/status").status, 200)
            held[0].settimeout(25)
            self.assertEqual(held[0].recv(10), b"")  # closed after its time limit
        finally:
            for s in held:
                s.close()

    def test_answers_are_safe_for_browsers(self):
        for path in ("/", "/servers/x", "/api/servers", "/api/nothing", "/assets/none.js"):
            h = self.admin.get(path).headers
            self.assertEqual(h["X-Content-Type-Options"], "nosniff", path)
            self.assertIn("frame-ancestors 'none'", h["Content-Security-Policy"])
            self.assertNotIn("Access-Control-Allow-Origin", h)
        self.assertEqual(self.admin.get("/").headers["Cache-Control"], "no-store")
        page = self.admin.get("/").body.decode()
        script = re.search(r'src="(/assets/[^"]+\.js)"', page).group(1)
        self.assertIn("immutable", self.admin.get(script).headers["Cache-Control"])
        self.assertEqual(self.admin.get(script, Accept_Encoding="gzip").headers["Content-Encoding"], "gzip")


class Access(WebCase):
    def test_no_secret_and_wrong_secrets(self):
        """[fc-44]"""
        nobody = Client(self.port)
        for path in ("/api/servers", "/api/events", "/metrics", "/api/monitoring/health", "/api/verbs", "/api/session"):
            self.assertEqual(nobody.get(path).status, 401, path)
        self.no(Client(self.port, token="zt_wrong").get("/api/servers"), 401, "unauthorised")
        self.assertEqual(nobody.get("/healthz").status, 200)
        self.assertEqual(nobody.get("/readyz").json["ready"], True)

    def test_roles_apply_at_the_next_request(self):
        """[acc-51] [fc-42]"""
        w = self.world
        w.create("roles")
        viewer, operator = self.with_token("viewer"), self.with_token("operator")
        self.ok(viewer.get("/api/servers/roles"))
        for method, path, body in (("POST", "/api/servers/roles/stop", {}), ("DELETE", "/api/servers/roles", None),
                                   ("PATCH", "/api/servers/roles", {"config": {}}), ("POST", "/api/servers", {"name": "x"}),
                                   ("POST", "/api/monitoring/reconcile/trigger", None), ("POST", "/api/tokens", {"name": "x"})):
            self.no(viewer.ask(method, path, body), 403, "forbidden")
        self.no(viewer.get("/api/servers/roles/logs"), 403, "forbidden")
        self.ok(operator.get("/api/servers/roles/logs"))
        self.no(operator.ask("DELETE", "/api/servers/roles/purge?confirm=1&keep_data=1"), 403, "forbidden")
        w.ctl("token", "rm", operator.name)
        self.no(operator.get("/api/servers/roles"), 401, "unauthorised")
        u = self.with_session("operator")
        self.ok(u.post("/api/servers/roles/restart?wait=1"))
        w.ctl("user", "add", u.name, "--role", "viewer")
        self.no(u.post("/api/servers/roles/restart"), 403, "forbidden")

    def test_a_role_in_one_place_sees_that_place(self):
        w = self.world
        w.create("mine"), w.create("other")
        c = self.with_token("operator", "--server", "mine")
        self.assertEqual([s["name"] for s in self.ok(c.get("/api/servers"))["servers"]], ["mine"])
        self.no(c.get("/api/servers/other"), 403, "forbidden")
        stream = Stream(c, "/api/events")
        self.addCleanup(stream.close)
        stream.wait("welcome")
        for name in ("other", "mine"):
            self.ok(self.admin.post(f"/api/servers/{name}/restart?wait=1"))
        mine = w.server("mine")["id"]
        stream.wait("operation.ended")
        for type, _, data in list(stream.events):
            if type not in ("welcome", "beat"):
                self.assertNotIn(w.server("other")["id"], data)
        self.assertIn(mine, "".join(d for _, _, d in stream.events))

    def test_a_role_on_what_is_gone_sees_nothing(self):
        w = self.world
        w.create("gone")
        c = self.with_token("viewer", "--server", "gone")
        self.assertEqual(Stream(c, "/api/events").status, 200)
        w.ctl("--yes", "server", "purge", "gone", "--remove-data")
        for path in ("/api/events", "/api/servers", "/api/servers/gone", "/metrics", "/api/monitoring/health",
                     "/api/monitoring/deployments/stuck", "/api/servers/gone/logs?follow=1"):
            self.assertEqual(c.get(path).status, 403, path)

    def test_passwords_links_and_sessions(self):
        w = self.world
        name = "ann"
        secret = w._one(w.ctl("user", "add", name, "--role", "admin"))["link"].split("#")[1]
        self.assertEqual(sign_in(self.port, link=secret, password="short").status, 400)
        cookie = sign_in(self.port, link=secret, password=PASSWORD)
        self.assertEqual(sign_in(self.port, link=secret, password=PASSWORD).status, 401)  # it was used already
        self.assertEqual(sign_in(self.port, user=name, password="wrong words entirely").status, 401)
        self.assertEqual(sign_in(self.port, user="nobody", password=PASSWORD).status, 401)
        u = Client(self.port, cookie=cookie)
        self.assertEqual(self.ok(u.get("/api/session"))["id"], "user:ann")
        files = (w.db / "accounts").read_text()
        self.assertNotIn(PASSWORD, files), self.assertNotIn(cookie.split("=")[1], files)
        self.assertEqual((w.db / "accounts").stat().st_mode & 0o077, 0)
        # A page of another site can send the cookie, but neither the header nor our origin.
        self.no(u.post("/api/manager/log-level", {"level": "info"}, headers={"X-Zedops": None}), 403, "forbidden")
        self.no(u.post("/api/manager/log-level", {"level": "info"}, headers={"Origin": "https://evil.example"}), 403, "forbidden")
        self.ok(u.post("/api/manager/log-level", {"level": "info"}, headers={"Origin": f"http://127.0.0.1:{self.port}"}))
        # The session survives a restart; after signing out it is gone.
        w.kill_manager()
        w.start_manager()
        self.ok(wait_for("the web door answers", lambda: self.tries(lambda: u.get("/api/session"))))
        self.assertEqual(u.ask("DELETE", "/api/session").status, 204)
        self.no(u.get("/api/session"), 401, "unauthorised")
        again = Client(self.port, cookie=sign_in(self.port, user=name, password=PASSWORD))
        self.ok(again.get("/api/session"))
        w.ctl("user", "passwd", name)  # someone else has read the user's password
        self.no(again.get("/api/session"), 401, "unauthorised")
        w.ctl("user", "rm", name)
        rows = self.ok(self.admin.get("/api/audit?verb=session.&target=ann"))["records"][::-1]
        self.assertEqual([(r["verb"], r["who"], r["result"]) for r in rows],
                         [("session.begin", "user:ann", "ok"), ("session.begin", "", "unauthorised"),
                          ("session.end", "user:ann", "ok"), ("session.begin", "user:ann", "ok")])
        self.assertEqual({r["from"] for r in rows}, {"127.0.0.1"})

    def test_a_token_says_when_it_was_used(self):
        c = self.with_token("viewer")
        mine = lambda: next(t for t in self.ok(self.admin.get("/api/tokens"))["tokens"] if t["name"] == c.name)
        self.assertIsNone(mine()["used_at"])
        self.ok(c.get("/api/servers"))
        used = mine()["used_at"]
        self.assertTrue(used)
        self.world.kill_manager(signal.SIGTERM)  # an orderly end stores it
        self.world.start_manager()
        wait_for("the web door answers", lambda: self.tries(mine))
        self.assertEqual(mine()["used_at"], used)

    def test_guessing_is_slowed_down(self):
        replies = [sign_in(self.port, user="victim", password=f"guess number {n}").status for n in range(14)]
        self.assertEqual(replies[-1], 429, replies)

    def test_a_stream_ends_with_the_right_to_it(self):
        c = self.with_token("viewer")
        stream = Stream(c, "/api/events")
        stream.wait("welcome")
        self.world.ctl("token", "rm", c.name)
        wait_for("the stream ends", lambda: stream.ended, 15)


class SocketFile(WebCase):
    """A local process that may open it may do everything; a visitor forwarded by a proxy is not local."""

    @classmethod
    def prepare(cls, w):
        super().prepare(w)
        cls.file = w.dir / "http.sock"
        w.settings["http"] += f", unix:{cls.file}"
        w.settings["http-url"] = "https://zedops.test"

    def ask(self, method, path, body=None, **headers):
        c = http.client.HTTPConnection("anything", timeout=20)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.connect(str(self.file))
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            return Reply(c.getresponse())
        finally:
            c.close()

    def test_a_visitor_of_the_proxy_is_not_the_proxy(self):
        self.assertTrue(self.ok(self.ask("GET", "/api/session"))["id"].startswith("uid:"))
        by_proxy = {"Host": "zedops.test", "X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "https"}
        for said in (by_proxy, {"Host": "zedops.test", "X_Forwarded_Proto": "https"}, {"Host": "zedops.test", "Forwarded": "for=192.0.2.7"},
                     {"Host": "zedops.test", "X_Forwarded_For": "unix:0"}, {"Host": "zedops.test", "X_Forwarded_For": ""}):
            self.no(self.ask("GET", "/api/servers", **said), 401, "unauthorised")
            self.no(self.ask("POST", "/api/manager/log-level", b'{"level":"info"}', Content_Type="application/json", **said),
                    401, "unauthorised")
        self.assertEqual(self.ask("GET", "/api/servers", **{**by_proxy, "Host": "evil.example"}).status, 421)
        u = self.with_session("admin")
        self.assertEqual(self.ok(self.ask("GET", "/api/session", Cookie=u.cookie, **by_proxy))["id"], f"user:{u.name}")
        change = lambda **more: self.ask("POST", "/api/manager/log-level", b'{"level":"info"}', Cookie=u.cookie,
                                         Content_Type="application/json", **by_proxy, **more)
        self.no(change(), 403, "forbidden")
        self.ok(change(X_Zedops="test"))
        row = self.ok(self.admin.get(f"/api/audit?verb=manager.log-level&who=user:{u.name}"))["records"][0]
        self.assertEqual(row["from"], "192.0.2.7")
        self.ok(self.ask("GET", "/api/servers", Authorization=f"Bearer {self.admin.token}", **by_proxy))


if __name__ == "__main__":
    unittest.main()
