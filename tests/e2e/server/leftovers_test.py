"""Whatever is created and removed again leaves nothing: no file, descriptor, thread or object of the Engine, and no memory.

ZEDOPS_LEFTOVERS_ROUNDS=n goes on for so many rounds; by default a few.
"""
import os
import pathlib
import unittest

from images import project_server, web_server
from web import Client, Stream, free_port
from world import KEEPER, Failed, World, wait_for

ROUNDS = int(os.environ.get("ZEDOPS_LEFTOVERS_ROUNDS", "3"))
ROUNDS_MEASURED = 40        # before that, pools and caches still grow
GROWTH_KIB_PER_ROUND = 48   # of the later half: records of what was purged stay as long as their history
STREAMS = 20
PROCESSES, SPARE = ("manager", "agent"), 4  # connections to the Engine come and go with the load


class Leftovers(unittest.TestCase):
    def setUp(self):
        project_server()
        self.port = free_port()
        w = self.world = World(http=f"127.0.0.1:{self.port}")
        self.addCleanup(w.close)
        templates = w.dir / "templates"
        templates.mkdir()
        (templates / "keeper.toml").write_text(KEEPER)
        w.settings["templates-dir"] = templates
        w.start_manager().start_agent()
        self.image = web_server("it works")
        self.site = w.dir / "site"
        self.site.mkdir()
        (self.site / "index.html").write_text("a site")
        self.http = Client(self.port, token=w._one(w.ctl("token", "add", "reader", "--role", "viewer"))["secret"])

    # ---- one round ----
    def a_server(self):
        w, name = self.world, "srv"
        w.create(name)
        for verb in ("stop", "start", "restart", "recreate"):
            w.ctl("server", verb, name)
        w.docker("rm", "-f", w.server(name)["container_id"])
        w.status(name, "missing")
        w.ctl("server", "start", name)
        w.ctl("server", "logs", name)
        w.ctl("server", "rm", name)
        w.ctl("server", "restore", name)
        w.ctl("server", "rm", name)
        w.ctl("server", "purge", name, "--remove-data", "--yes")

    def services(self):
        w = self.world
        w.ctl("project", "create", "shop")
        w.ctl("service", "create", "shop/web", "--agent", "host1", "--port", free_port(), "--retention", 1)
        w.ctl("service", "create", "shop/api", "--agent", "host1", "--kind", "container", "--container-port", 3000,
              "--retention", 1)
        for n in range(3):
            (self.site / "index.html").write_text(f"version {n}")
            w.ctl("deploy", "shop/web", "--dir", self.site)
            w.ctl("deploy", "shop/api", "--image", self.image)
        w.ctl("rollback", "shop/api")
        with self.assertRaises(Failed):
            w.ctl("deploy", "shop/api", "--image", "zedops/nowhere:1")
        w.ctl("service", "logs", "shop/api")
        w.ctl("service", "rm", "shop/web", "--yes")
        w.ctl("service", "rm", "shop/api", "--yes")
        w.ctl("project", "rm", "shop", "--yes")
        for upload in w.ctl("upload", "ls")["uploads"]:
            w.ctl("upload", "rm", upload["id"], "--yes")

    def clients(self):
        for _ in range(STREAMS):
            s = Stream(self.http, "/api/events")
            s.wait("welcome")
            s.close()
            self.assertEqual(self.http.get("/api/servers").status, 200)
        self.assertEqual(Client(self.port, token="wrong").get("/api/servers").status, 401)
        self.world.ctl("token", "add", "passing", "--role", "viewer")
        self.world.ctl("token", "rm", "passing")

    # ---- what there is ----
    @staticmethod
    def process(p):
        proc = pathlib.Path("/proc", str(p.pid))
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return {"descriptors": len(list((proc / "fd").iterdir())), "threads": int(status["Threads"])}

    @staticmethod
    def anonymous_kib(p):
        with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))

    def everything(self):
        w = self.world
        files = sorted(str(f.relative_to(w.dir)) for top in ("db", "run", "data-host1", "state-host1")
                       for f in (w.dir / top).rglob("*") if f.is_dir() or f.is_file())
        engine = {kind: sorted(w.docker(*command).split()) for kind, command in {
            "containers": ("ps", "-aq"), "images": ("images", "-q"), "tags": ("images", "--format", "{{.Repository}}:{{.Tag}}"),
            "volumes": ("volume", "ls", "-q"), "networks": ("network", "ls", "-q")}.items()}
        return {"files": files, **engine, "manager": self.process(w.manager), "agent": self.process(w.agents["host1"])}

    def test_nothing_is_left_of_what_was_removed(self):
        w, before, memory = self.world, None, []
        for n in range(ROUNDS + 1):
            self.a_server()
            self.services()
            self.clients()
            if before is None:  # of the first round there are pools, caches and folders that stay
                before = self.everything()
                continue
            # Threads and descriptors of connections that were closed end a moment later.
            try:
                wait_for("everything is as before", lambda: not self.differences(before), 20)
            except AssertionError:
                self.fail(f"left over: {self.differences(before)}")
            memory.append([self.anonymous_kib(p) for p in (w.manager, w.agents["host1"])])
        print(f"\nanonymous memory of manager and agent after each round, KiB: {memory}")
        if len(memory) < ROUNDS_MEASURED:
            return
        for of_one in zip(*memory):
            half = len(of_one) // 2
            self.assertLess(max(of_one[half:]) - max(of_one[:half]), GROWTH_KIB_PER_ROUND * half)

    def differences(self, before):
        now = self.everything()
        return {k: (before[k], now[k]) for k in now if now[k] != before[k]
                and (k not in PROCESSES or any(now[k][n] > before[k][n] + SPARE for n in now[k]))}


if __name__ == "__main__":
    unittest.main()
