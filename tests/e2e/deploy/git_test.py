"""Sites from repositories of a git daemon on this machine: one commit, unchanged, and deployed by a push."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import unittest

from images import project_server
from static_test import PHASES, fetch
from web import Client, WebCase, free_port
from world import Failed, WorldCase, wait_for


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port))


class Repositories:
    """Repositories served by a git daemon on this machine."""

    @classmethod
    def prepare(cls, w):
        super().prepare(w)
        project_server()
        cls.git_port = free_port()
        cls.root = w.dir / "git"
        cls.root.mkdir()
        git = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={cls.git_port}", f"--base-path={cls.root}", str(cls.root)]
        cls.daemon = subprocess.Popen(git, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        cls.addClassCleanup(cls.daemon.wait)
        cls.addClassCleanup(os.killpg, cls.daemon.pid, signal.SIGKILL)
        wait_for("git daemon listens", lambda: not listens(cls.git_port))

    def git(self, *args):
        who = {"GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "a@b"}
        return subprocess.run(["git", "-C", self.repo, *args], check=True, capture_output=True, text=True,
                              env={**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null"}).stdout.strip()

    def commit(self, text, folder="public"):
        (self.repo / folder).mkdir(exist_ok=True)
        (self.repo / folder / "index.html").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", text)
        return self.git("rev-parse", "HEAD")


class Guarded(http.server.BaseHTTPRequestHandler):
    """A repository over HTTP for clients with the token."""

    def serve(self):
        token = base64.b64encode(b"bot:t0ken-of-git").decode()
        if self.headers.get("Authorization") != f"Basic {token}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        said = subprocess.run(["git", "http-backend"], input=self.rfile.read(int(self.headers.get("Content-Length", 0))), env=env,
                              capture_output=True, check=True).stdout
        head, _, body = said.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for key, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class WithSecrets(WorldCase):
    @classmethod
    def prepare(cls, w):
        project_server()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
        cls.server.root = w.dir / "git"
        cls.at = f"127.0.0.1:{cls.server.server_port}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.shutdown)
        cls.secrets = w.dir / "git-credentials"
        cls.secrets.write_text(f"http://bot:t0ken-of-git@{cls.at}\n")
        cls.secrets.chmod(0o600)
        w.agent_flags = ("--git-credentials", cls.secrets)

    def test_a_token_of_the_host_opens_a_repository_and_is_shown_nowhere(self):
        w = self.world
        repo = self.server.root / "shop"
        (repo / "public").mkdir(parents=True)
        (repo / "public/index.html").write_text("guarded")
        who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        for args in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "one")):
            subprocess.run(["git", "-C", repo, *args], check=True, env={**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null"})
        w.ctl("project", "create", "shop")
        w.ctl("service", "create", "shop/web", "--agent", "host1")
        deploy = lambda: w.ctl("deploy", "shop/web", "--git", f"http://{self.at}/shop/.git", "--folder", "public")
        self.assertEqual(deploy()["deployment"]["status"], "success")
        said = w.ctl_raw("deploy", "logs", "shop/web").stdout + w.ctl_raw("service", "history", "shop/web", "-o", "json").stdout
        self.assertNotIn("t0ken", said + w.log() + w.log("zedops-agent"))
        self.secrets.chmod(0o644)
        error = self.refused("forbidden", 5, "deploy", "shop/web", "--git", f"http://{self.at}/shop/.git", "--folder", "public")
        self.assertIn("others may read the secrets", error["message"])
        self.secrets.write_text("")
        self.secrets.chmod(0o600)
        with self.assertRaises(Failed) as no:
            deploy()
        self.assertNotIn("t0ken", str(no.exception))


class FromGit(Repositories, WorldCase):
    """[acc-79]"""

    def test_a_commit_is_deployed_and_stays_what_it_was(self):
        w = self.world
        self.repo = self.root / "shop"
        self.repo.mkdir()
        self.git("init", "-q", "-b", "main")
        first = self.commit("one")
        url, port = f"git://127.0.0.1:{self.git_port}/shop", free_port()
        w.ctl("project", "create", "shop")
        w.ctl("service", "create", "shop/web", "--agent", "host1", "--port", port)
        site = f"http://127.0.0.1:{port}/web/"
        d = w.ctl("deploy", "shop/web", "--git", url, "--ref", "main", "--folder", "public")["deployment"]
        self.assertEqual((d["status"], d["source"]["commit"], d["phase_metadata"]["commit"]), ("success", first, first))
        self.assertEqual([p["phase"] for p in d["phases"]], PHASES)
        self.assertEqual(fetch(site), (200, "one"))
        second = self.commit("two")
        d = w.ctl("deploy", "shop/web", "--git", url, "--folder", "public")["deployment"]  # the default branch
        self.assertEqual((d["source"]["commit"], fetch(site)), (second, (200, "two")))
        w.ctl("rollback", "shop/web")
        self.assertEqual(fetch(site), (200, "one"))
        leftovers = sorted(x.name for x in (w.dir / "data-host1/.sites/shop/web/.zedops").iterdir())
        self.assertEqual(leftovers, ["1.log", "1.stamp", "2.log", "2.stamp", "wanted"])

        self.refused("not_found", 3, "deploy", "shop/web", "--git", url, "--ref", "no-such-branch")
        self.refused("not_found", 3, "deploy", "shop/web", "--git", url + "-gone")
        error = self.refused("bad_request", 2, "deploy", "shop/web", "--git", url, "--folder", "nowhere")
        self.assertIn("it has no folder 'nowhere'", error["message"])
        for bad in ("ext::sh -c id", "file:///etc", "/etc", "--upload-pack=id", "https://user:secret@example.org/x", "ssh://-oProxyCommand=id/x"):
            self.refused("bad_request", 2, "deploy", "shop/web", f"--git={bad}")
        for bad in ("--exec=id", "a..b", "x y"):
            self.refused("bad_request", 2, "deploy", "shop/web", "--git", url, f"--ref={bad}")
        self.refused("bad_request", 2, "deploy", "shop/web", "--git", url, "--folder", "../up")
        (self.repo / ".gitattributes").write_text("*.bin filter=lfs\n")
        self.commit("three")
        self.assertIn("LFS", self.refused("bad_request", 2, "deploy", "shop/web", "--git", url)["message"])
        self.assertEqual(fetch(site), (200, "one"))


class Pushed(Repositories, WebCase):
    """A forge reports a push, and it is deployed."""

    def test_what_is_pushed_is_deployed_once(self):
        w = self.world
        self.repo = self.root / "shop"
        self.repo.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("one")
        port = free_port()
        w.ctl("project", "create", "shop")
        w.ctl("service", "create", "shop/web", "--agent", "host1", "--port", port)
        hook = Client(self.admin.port)
        told = json.dumps({"ref": "refs/heads/main", "after": "1", "pusher": {"name": "ann"}}).encode()
        self.no(hook.ask("POST", "/api/hooks/shop/web", told), 401, "unauthorised")
        made = w.ctl_raw("service", "hook", "shop/web", "--git", f"git://127.0.0.1:{self.git_port}/shop", "--folder", "public")
        secret = made.stdout.split("Secret")[1].strip()
        self.assertEqual(w.ctl("service", "get", "shop/web")["hook"]["secret"], "***")
        self.assertNotIn(secret, w.ctl_raw("service", "history", "shop/web", "-o", "json").stdout)

        def tell(body, secret=secret):
            signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            return hook.ask("POST", "/api/hooks/shop/web", body, {
                "Content-Type": "application/json", "X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signed}"})

        self.no(tell(told, "another secret"), 401, "unauthorised")
        first = self.ok(tell(told), 202)
        wait_for("it is deployed", lambda: w.ctl("service", "get", "shop/web")["current"] == 1, 60)
        self.assertEqual(fetch(f"http://127.0.0.1:{port}/web/"), (200, "one"))
        self.assertEqual(self.ok(tell(told), 202)["operation"], first["operation"])  # the same delivery again
        self.assertIn("ignored", self.ok(tell(told.replace(b"heads/main", b"heads/other"))))
        self.commit("two")
        self.ok(tell(told.replace(b'"1"', b'"2"')), 202)
        wait_for("it is deployed", lambda: w.ctl("service", "get", "shop/web")["current"] == 2, 60)
        self.assertEqual(fetch(f"http://127.0.0.1:{port}/web/"), (200, "two"))
        d = w.ctl("deploy", "get", "shop/web#2")
        self.assertEqual((d[0] if isinstance(d, list) else d)["trigger"], "hook:shop/web (ann)")
        who = self.ok(self.admin.get("/api/audit?who=hook:shop/web"))["records"]
        self.assertEqual({r["verb"] for r in who}, {"deployment.create"})
        w.ctl("service", "hook", "shop/web", "--remove")
        self.no(tell(told), 401, "unauthorised")


if __name__ == "__main__":
    unittest.main(verbosity=2)
