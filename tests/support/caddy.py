"""A private Caddy for the tests. The package is a service that would use port 80 of the machine, so it is unpacked, not
installed, where the program is missing."""
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from web import free_port

CACHE = pathlib.Path(__file__).resolve().parents[2] / "build/cache/caddy"


def program():
    if found := shutil.which("caddy"):
        return found
    if not (CACHE / "usr/bin/caddy").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "caddy"]
        if subprocess.run(fetch, cwd=CACHE, capture_output=True).returncode != 0:
            subprocess.run(["apt-get", "-qq", "update"], check=True)  # the local package lists do not have it
            subprocess.run(fetch, cwd=CACHE, check=True)
        subprocess.run(["dpkg", "-x", str(next(CACHE.glob("caddy_*.deb"))), str(CACHE)], check=True)
    return str(CACHE / "usr/bin/caddy")


class Caddy:
    """Nothing is served yet. With `tls` names get certificates of its own authority."""

    def __init__(self, folder, tls=False):
        self.folder, self.tls = pathlib.Path(folder), tls
        self.admin, self.http, self.https = free_port(), free_port(), free_port()
        self.listen = f"127.0.0.1:{self.http}" + (f",127.0.0.1:{self.https}" if tls else "")
        self.process = None
        self.start()

    def start(self):
        config = {"admin": {"listen": f"127.0.0.1:{self.admin}"},
                  "apps": {"http": {"http_port": self.http, "https_port": self.https},
                           "tls": {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}},
                           "pki": {"certificate_authorities": {"local": {"install_trust": False}}}}}
        path = self.folder / "caddy.json"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [program(), "run", "--config", str(path)], stdout=subprocess.DEVNULL,
            stderr=(self.folder / "caddy.log").open("a"),
            env={"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)})
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self.ask("GET", "/config/")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("Caddy did not start: " + (self.folder / "caddy.log").read_text()[-2000:])

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def ask(self, method, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def routes(self):
        """What has an @id, sorted."""
        servers = json.loads(self.ask("GET", "/config/apps/http/servers")[1]) or {}
        return sorted(r["@id"] for s in servers.values() for r in s.get("routes", []) if "@id" in r)

    def visit(self, host, path="/"):
        """Status and text, as a visitor of that host name gets them."""
        with socket.create_connection(("127.0.0.1", self.https if self.tls else self.http), timeout=30) as plain:
            with self.spoken(plain, host) as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                data = b""
                while piece := s.recv(65536):
                    data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        self.heads = dict(line.lower().split(": ", 1) for line in head.decode().splitlines()[1:])
        return int(head.split()[1]), body.decode().strip()

    def spoken(self, plain, host):
        if not self.tls:
            return plain
        authority = next(self.folder.glob("**/pki/authorities/local/root.crt"))
        return ssl.create_default_context(cafile=str(authority)).wrap_socket(plain, server_hostname=host)
