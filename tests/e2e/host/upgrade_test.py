"""One half of the installation is older than the other: an agent with an older manager, a manager with an older
agent, and a store that an earlier version has written."""
import os
import pathlib
import tarfile
import unittest

from older import Older
from world import World, WorldCase, wait_for

STORES = pathlib.Path(__file__).resolve().parents[2] / "golden/store"


class OlderPeers(WorldCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        w = cls.world
        cls.older = Older(f"ipc://{w.run}/older.ipc", f"ipc://{w.run}/agents.ipc")
        cls.addClassCleanup(cls.older.stop)
        w.start_agent("old", manager=f"ipc://{w.run}/older.ipc")

    def test_a_server_lives_its_life(self):
        w, d = self.world, self.world.docker
        name = w.create(agent="old")
        for verb, status in (("stop", "stopped"), ("start", "running"), ("restart", "running"), ("rebuild", "running")):
            w.ctl("server", verb, name, "--yes")
            self.assertEqual(w.server(name)["status"], status)
        w.ctl("server", "edit", name, "--env", "A=1")
        w.ctl("server", "rebuild", name, "--yes")
        container = w.server(name)["container_id"]
        self.assertIn("A=1", d("inspect", "-f", "{{.Config.Env}}", container))
        d("kill", container)
        wait_for("its end is observed", lambda: w.server(name)["status"] in ("stopped", "failed"))
        w.ctl("server", "start", name)
        d("rm", "-f", w.server(name)["container_id"])
        wait_for("it is missing", lambda: w.server(name)["status"] == "missing")
        w.ctl("server", "start", name)
        w.kill_manager()
        w.start_manager()
        w.agent_is("online", "old", 40)
        self.assertEqual(w.server(name)["status"], "running")
        w.kill_agent(name="old")
        w.agent_is("unreachable", "old", 40)
        w.start_agent("old", manager=f"ipc://{w.run}/older.ipc")
        w.ctl("server", "rm", name, "--yes")
        w.ctl("server", "restore", name)
        self.assertEqual(w.server(name)["status"], "running")
        w.ctl("server", "purge", name, "--remove-data", "--yes")
        self.assertEqual(d("ps", "-aq", "--filter", f"label=zedops.server.name={name}"), "")
        # The proxy has removed something, in both directions.
        self.assertTrue(all(self.older.cut.values()), self.older.cut)


class EarlierStores(unittest.TestCase):
    """Stores in tests/golden/store, each written by write() below in its time; none is ever changed."""

    def test_everything_is_there(self):
        stores = sorted(STORES.glob("*.tar.gz"))
        self.assertTrue(stores)
        for store in stores:
            with self.subTest(store.name):
                self.opens(store)

    def opens(self, store):
        w = World(engine=False)
        self.addCleanup(w.close)
        with tarfile.open(store) as t:
            t.extractall(w.dir)
        w.start_manager()
        servers = {s["name"]: s for s in w.ctl("server", "ls", "--all")["servers"]}
        self.assertEqual({n: (s["status"], s["desired_state"]) for n, s in servers.items()},
                         {"runs": ("running", "running"), "rests": ("stopped", "stopped"), "gone": ("deleted", "deleted")})
        self.assertIn("server.created", [e["type"] for e in w.history("runs")])
        told = w.ctl_raw("server", "explain", "rests")
        self.assertIn("rests", told.stdout, told.stderr)
        self.assertTrue(w.ctl("audit", "verify")["sound"])
        self.assertEqual(w.ctl("agent", "ls")["agents"][0]["name"], "host1")
        service = w.ctl("service", "get", "shop/web")
        self.assertEqual((service["current"], service["last_deployment"]["status"]), (2, "success"))
        self.assertTrue(w.ctl("op", "ls")["operations"])
        # And the manager keeps working.
        w.ctl("project", "create", "later")
        w.kill_manager()
        w.start_manager()
        self.assertEqual([p["name"] for p in w.ctl("project", "ls")["projects"]], ["later", "shop"])


def write(path):
    """Makes a current store: ZEDOPS_WRITE_STORE=tests/golden/store/2026-11.tar.gz upgrade_test.py"""
    class Case(WorldCase):
        def runTest(self):
            w = self.world
            for name in ("runs", "rests", "gone"):
                w.create(name)
            w.ctl("server", "stop", "rests", "--yes")
            w.ctl("server", "rm", "gone", "--yes")
            w.ctl("server", "edit", "runs", "--env", "A=1")
            w.ctl("project", "create", "shop", "--domain", "shop.example.org")
            w.ctl("service", "create", "shop/web", "--agent", "host1")
            site = w.dir / "site"
            site.mkdir()
            for n in range(2):
                (site / "index.html").write_text(str(n))
                w.ctl("deploy", "shop/web", "--dir", site)
            w.kill_agent()
            w.kill_manager()
            with tarfile.open(path, "w:gz") as t:
                t.add(w.db, "db")
    result = unittest.TextTestRunner().run(unittest.TestSuite([Case()]))
    assert result.wasSuccessful()


if __name__ == "__main__":
    if path := os.environ.get("ZEDOPS_WRITE_STORE"):
        write(path)
    else:
        unittest.main()
