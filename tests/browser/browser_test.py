"""The page in Debian's Chromium, on a real Engine. The stories are in stories.mjs; this file does what they request
outside the browser. Pictures of all pages are kept in build/pictures."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.request

from images import project_server
from web import free_port
from world import KEEPER, ROOT, Failed, WorldCase, wait_for

WEB = ROOT / "integration/web"
CHROMIUM = shutil.which("chromium")
NODE = shutil.which("node")
COMMAND = KEEPER.split('command = ["sh", "-c", "')[1].split('"]')[0]
READY = CHROMIUM and NODE and (WEB / "node_modules/playwright-core").exists()


@unittest.skipUnless(READY, "needs chromium, node and the page's packages: tools/setup web, then npm ci in integration/web")
class Browser(WorldCase):
    maxDiff = None  # the end of a long log shows only what failed

    @classmethod
    def prepare(cls, w):
        cls.port = free_port()
        w.settings["http"] = f"127.0.0.1:{cls.port}"
        w.settings["agent-suspect-after"], w.settings["agent-unreachable-after"] = "1500ms", "3s"
        w.env.pop("ZEDOPS_HTTP", None)
        project_server()

    def outside(self, what):
        w = self.world
        verb, _, rest = what.partition(" ")
        words = rest.split()
        if verb == "docker":
            began = int(time.time() * 1000)
            w.docker("rm", "-f", *w.docker("ps", "-aq", "--filter", f"name={words[1]}").split())
            return began
        if verb == "say":
            name, text = rest.split(" ", 1)
            w.docker("exec", w.server(name)["container_id"], "sh", "-c", 'printf "%s\\n" "$0" > /proc/1/fd/1', text)
        elif verb == "timed-rm":
            container = w.server(words[0])["container_id"]
            since = int(time.time())
            w.docker("rm", "-f", container)
            told = w.docker("events", "--since", str(since), "--until", str(int(time.time()) + 1), "--filter", f"container={container}",
                            "--filter", "event=destroy", "--format", "{{.TimeNano}}")
            return int(told.split()[-1]) / 1e6
        elif verb == "expire":
            accounts = w.db / "accounts"
            kept = re.sub(rf"(session {rest} .*expires=)\d+", r"\g<1>2020", accounts.read_text())
            fresh = w.db / "accounts.fresh"
            fresh.touch(0o600)
            fresh.write_text(kept)
            fresh.rename(accounts)
        elif what == "by-hand":
            folder = w.dir / "by-hand"
            folder.mkdir()
            self.addCleanup(w.docker, "rm", "-f", "by-hand", check=False)
            w.docker("rm", "-f", "by-hand", check=False)  # left by a run that was killed
            (folder / "world.bin").write_bytes(b"a world")
            w.docker("run", "-d", "--name", "by-hand", "-p", "21300:21300/udp", "-p", "21301:21301/udp", "-v",
                     f"{folder}:/data", "zedops/busybox:test", "sh", "-c", COMMAND)
            wait_for("it runs", (folder / "started").exists)
            return "by-hand"
        elif what.startswith("server create"):
            w.create(words[1])
        elif what.startswith("server gone"):
            try:
                wait_for("it is gone", lambda: not w.server(words[1]), 10)
            except AssertionError as e:
                return "yes" if "not_found" in str(e) else "no"
        elif what.startswith("server id"):
            return w.server(words[1])["id"]
        elif verb == "server":
            w.ctl("--yes", "server", *words)
        elif what == "host id":
            return w.agent()["id"]
        elif verb == "deploy":
            folder = w.dir / "site"
            folder.mkdir(exist_ok=True)
            (folder / "index.html").write_text(rest)
            w.ctl("deploy", "shop/web", "--dir", folder)
        elif what == "site":
            w.ctl("project", "create", "shop", "--description", "All we sell")
            w.ctl("service", "create", "shop/web", "--agent", "host1", "--port", free_port())
        elif what == "site says":
            with urllib.request.urlopen(w.ctl("service", "get", "shop/web")["url"].replace(socket.gethostname(), "127.0.0.1"), timeout=10) as r:
                return r.read().decode()
        elif what == "manager kill":
            w.kill_manager()
        elif what == "manager start":
            w.start_manager()
        elif what == "agent stop":
            w.kill_agent(signal.SIGKILL)
        elif what == "agent start":
            w.start_agent()
        elif what == "viewer rm":
            w.ctl("user", "rm", "guest")
        elif what == "streams":
            # Chromium's lasting connections: one stream, and keep-alive ones for requests.
            metrics = w.ctl_raw("metrics").stdout
            return next(l.split()[-1] for l in metrics.splitlines() if 'figure="web_streams"' in l)
        return ""

    def test_the_stories(self):
        """[acc-69] [acc-70] [acc-71] [acc-72] [acc-73] [acc-74] [acc-75] [acc-76] [acc-77]"""
        w = self.world
        link = lambda name, role: w._one(w.ctl("user", "add", name, "--role", role))["link"]
        shots = ROOT / "build/pictures"
        shutil.rmtree(shots, ignore_errors=True)
        shots.mkdir(parents=True)
        told = {"url": f"http://127.0.0.1:{self.port}", "link": link("first", "admin"), "viewer": link("guest", "viewer"),
                "modules": str(WEB / "node_modules"), "chromium": CHROMIUM, "shots": str(shots),
                "rounds": int(os.environ.get("ZEDOPS_BADGE_ROUNDS", "0"))}
        p = subprocess.Popen([NODE, pathlib.Path(__file__).with_name("stories.mjs"), json.dumps(told)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        failed = []
        for line in p.stdout:
            line = line.rstrip("\n")
            if line.startswith("do "):
                try:
                    answer = self.outside(line[3:])
                except (Failed, AssertionError) as e:
                    answer = f"failed: {e}".replace("\n", " ")
                p.stdin.write(f"{answer}\n")
                p.stdin.flush()
            else:
                print(line, flush=True)
                failed += [line] if line.startswith("no ") else []
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertEqual(p.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
