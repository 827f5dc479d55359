"""The web door with its own certificate: for users on other machines, without a proxy."""
import http.client
import signal
import socket
import ssl
import subprocess
import unittest

from web import PASSWORD, WebCase, free_port
from world import BIN, wait_for


def certificate(folder, name="zedops.test"):
    """A self-signed certificate, and its key."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", cert, "-keyout", key],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class Tls(WebCase):
    @classmethod
    def prepare(cls, w):
        super().prepare(w)
        cls.tls = free_port()
        cls.cert, cls.key = certificate(w.dir)
        w.settings["http"] += f", tls:0.0.0.0:{cls.tls}"
        w.settings["http-certificate"], w.settings["http-key"] = str(cls.cert), str(cls.key)
        w.settings["http-url"] = f"https://zedops.test:{cls.tls}"

    def connect(self, cert=None, name="zedops.test", **more):
        context = ssl.create_default_context(cafile=cert or self.cert)
        for key, value in more.items():
            setattr(context, key, value)
        raw = socket.create_connection(("127.0.0.1", self.tls), timeout=20)
        return context.wrap_socket(raw, server_hostname=name)

    def ask(self, method, path, body=None, headers=None, on=None):
        c = http.client.HTTPConnection("zedops.test", self.tls)
        c.sock = on or self.connect()
        c.request(method, path, body, {"Authorization": f"Bearer {self.admin.token}", "Host": f"zedops.test:{self.tls}", **(headers or {})})
        r = c.getresponse()
        return r, r.read()

    def test_it_serves_as_without_tls(self):
        """[acc-63]"""
        s = self.connect()
        for _ in range(3):  # one connection
            r, body = self.ask("GET", "/api/status", on=s)
            self.assertEqual(r.status, 200)
        r, page = self.ask("GET", "/")
        self.assertIn(b"<script", page)
        r, body = self.ask("GET", "/api/openapi.json")
        self.assertGreater(len(body), 100_000)
        r, body = self.ask("POST", "/api/servers", b"x" * (3 << 20), {"Content-Type": "application/json"})
        self.assertEqual(r.status, 413)
        self.assertEqual(self.ask("GET", "/api/status", headers={"Host": "evil.example"})[0].status, 421)
        for own in subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split():
            if ":" not in own:  # as if from another machine
                context = ssl.create_default_context(cafile=self.cert)
                with context.wrap_socket(socket.create_connection((own, self.tls)), server_hostname="zedops.test") as s:
                    self.assertEqual(self.ask("GET", "/healthz", on=s)[1], b"ok\n")

    def test_a_cookie_is_for_tls_only(self):
        link = self.world._one(self.world.ctl("user", "add", "tess", "--role", "viewer"))["link"]
        self.assertTrue(link.startswith(f"https://zedops.test:{self.tls}/"), link)
        r, _ = self.ask("POST", "/api/session", f'{{"link":"{link.split("#")[1]}","password":"{PASSWORD}"}}',
                        {"Content-Type": "application/json", "X-Zedops": "test"})
        self.assertEqual(r.status, 200)
        self.assertIn("; Secure", r.headers["Set-Cookie"])

    def test_events_are_followed(self):
        s = self.connect()
        s.sendall(f"GET /api/events HTTP/1.1\r\nHost: zedops.test\r\nAuthorization: Bearer {self.admin.token}\r\n\r\n".encode())
        self.world.create("over-tls")
        heard = b""
        while b"server.status_changed" not in heard or b"over-tls" not in heard:
            piece = s.recv(65_536)
            self.assertTrue(piece, "the stream has ended")
            heard += piece
        s.close()

    def test_what_is_not_tls_affects_no_other(self):
        held = [socket.create_connection(("127.0.0.1", self.tls)) for _ in range(100)]
        for n, s in enumerate(held):
            s.sendall(b"GET / HTTP/1.1\r\n\r\n" if n % 2 else b"\x16\x03\x01\x02\x00\x01")
        self.assertEqual(self.ask("GET", "/healthz")[1], b"ok\n")
        for s in held:
            s.close()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)

    def test_a_new_certificate_is_taken_without_a_restart(self):
        served = lambda: ssl.get_server_certificate(("127.0.0.1", self.tls)).strip()
        before = served()
        stream = self.connect()
        fresh, key = certificate(self.world.dir, "again.test")
        fresh.replace(self.cert), key.replace(self.key)
        self.world.manager.send_signal(signal.SIGHUP)
        wait_for("the new one is served", lambda: served() != before)
        self.assertEqual(self.ask("GET", "/healthz", on=stream)[1], b"ok\n")  # open connections stay
        now = served()
        self.cert.write_text("nonsense")
        self.world.manager.send_signal(signal.SIGHUP)
        wait_for("it is logged", lambda: "web.certificate-refused" in self.world.log())
        self.assertEqual(served(), now)
        fresh, key = certificate(self.world.dir)
        fresh.replace(self.cert) if fresh != self.cert else None
        self.world.manager.send_signal(signal.SIGHUP)
        wait_for("the first name is back", lambda: served() != now)

    def test_it_does_not_start_without_what_it_needs(self):
        w = self.world
        folder = w.dir / "refused"
        folder.mkdir()
        cert, key = certificate(folder)
        other = certificate(folder, "other.test")[1]

        def refused(*flags):
            r = subprocess.run([BIN / "zedops-manager", "--data-dir", folder / "db", "--runtime-dir", folder, *flags],
                               capture_output=True, text=True, env=w.env, timeout=30)
            self.assertEqual(r.returncode, 78, r.stderr)
            return r.stderr

        at = ["--http", f"tls:0.0.0.0:{free_port()}"]
        self.assertIn("http_certificate", refused(*at))
        self.assertIn("no such file", refused(*at, "--http-certificate", cert, "--http-key", folder / "none").lower())
        self.assertIn("other.test.key", refused(*at, "--http-certificate", cert, "--http-key", other))
        key.chmod(0o644)
        self.assertIn("chmod", refused(*at, "--http-certificate", cert, "--http-key", key))


if __name__ == "__main__":
    unittest.main()
