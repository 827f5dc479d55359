"""Disasters of the manager with real agents and servers: a restored backup, and restarts in quick succession."""
import os
import signal
import time
import unittest
import uuid

from world import WorldCase, wait_for

KILLS = int(os.environ.get("ZEDOPS_KILLS", "8"))


class Restore(WorldCase):
    def test_a_restored_manager_is_obeyed_after_any_number_of_starts_since_the_backup(self):
        w = self.world
        kept, gone = w.create(), w.create()
        backup = w.dir / "backup.mdb"
        w.ctl("store", "backup", backup)  # the running manager knows where its store is
        w.ctl("server", "purge", gone, "--remove-data", "--yes")
        later = w.create()
        for _ in range(3):
            w.kill_manager()
            w.start_manager()
            before = w.ctl("status")["term"]
            wait_for("its agent obeys this term", lambda: f" term={before} " in w.log("zedops-agent"))
        w.kill_manager(signal.SIGTERM)
        w.docker("stop", "-t", "1", w.docker("ps", "-q", "--filter", f"label=zedops.server.name={kept}"))

        w.ctl("store", "restore", backup, "--data-dir", w.db, "--set-aside", "--yes")
        w.start_manager()
        begun = time.monotonic()
        w.status(kept, "stopped", 5)  # its agent has accepted the restored manager and sent its inventory
        w.ctl("server", "start", kept)
        self.assertLess(time.monotonic() - begun, 10)
        wait_for("its term is above what the agent obeyed", lambda: w.ctl("status")["term"] > before)
        w.status(kept, "running", operation=None)
        w.status(gone, "missing", data_state="absent")
        self.refused("not_found", 3, "server", "get", later)
        self.assertTrue(w.data(later).exists(), "what the backup does not know is left alone")
        self.assertTrue(w.docker("ps", "-q", "--filter", f"label=zedops.server.name={later}"))

    def crashes(self, name):
        return [e for e in self.world.history(name) if e["type"] == "server.agent_acted"
                and e["data"]["what"]["kind"] == "exited"]

    def crash(self, name):
        w = self.world
        before = len(self.crashes(name))
        container = w.status(name, "running")["container_id"]
        os.kill(w.inspect(container)["State"]["Pid"], signal.SIGKILL)
        wait_for("its agent has reported it", lambda: len(self.crashes(name)) > before)
        w.status(name, "running", operation=None)

    def test_what_an_agent_did_on_its_own_is_reported_to_a_restored_manager_once(self):
        w = self.world
        name = w.create(None, "--crash-policy", "on-failure")
        self.crash(name)
        backup = w.dir / "incidents.mdb"
        w.ctl("store", "backup", backup)
        self.crash(name)  # reported to a manager that will have forgotten it
        w.kill_manager(signal.SIGTERM)
        w.ctl("store", "restore", backup, "--data-dir", w.db, "--set-aside", "--yes")
        w.start_manager()
        w.agent_is("online")
        w.status(name, "running", stale=False)
        self.assertEqual(len(self.crashes(name)), 1)
        self.crash(name)
        seqs = [e["data"]["what"]["seq"] for e in self.crashes(name)]
        self.assertEqual(len(seqs), len(set(seqs)))
        self.assertEqual(len(seqs), 2)

    def test_no_acknowledged_create_fails_because_the_manager_was_killed(self):
        w = self.world
        acknowledged = []
        names = []
        for turn in range(KILLS):
            if turn % 8 == 7:  # the room on a host is limited
                for name in names[:-3]:
                    w.status(name, "running", 60, operation=None)
                    w.ctl("server", "purge", name, "--remove-data", "--yes")
                del names[:-3]
            for _ in range(3):
                name = f"srv-{uuid.uuid4().hex[:8]}"
                op = w.ctl("server", "create", name, "--agent", "host1", "--template", "keeper", "--no-wait")
                acknowledged.append((name, op["operation"]["id"]))
                names.append(name)
            w.kill_manager()
            w.start_manager()
            w.agent_is("online")
        for name, op in acknowledged:
            end = wait_for(f"{op} has ended", lambda: (lambda o: o if o["ended_at"] else None)(w.ctl("op", "get", op)), 60)
            self.assertEqual(end["status"], "succeeded", end["error"])
            if name in names:
                w.status(name, "running")
        print(f"{len(acknowledged)} acknowledged over {KILLS} kills, 0 failed")


SERVICE = 65534  # a user that owns nothing else here


class RestoreAsServiceUser(WorldCase):
    @classmethod
    def prepare(cls, w):
        w.dir.chmod(0o711)
        for folder in (w.db, w.run):
            folder.mkdir(mode=0o750)
            os.chown(folder, SERVICE, SERVICE)
        w.within["zedops-manager"] = ("setpriv", f"--reuid={SERVICE}", f"--regid={SERVICE}", "--clear-groups")
        (w.dir / "zedops-manager.log").touch()

    def test_what_root_restores_the_manager_s_own_user_opens(self):
        w = self.world
        kept = w.create()
        backup = w.dir / "backup.mdb"
        w.ctl("store", "backup", backup)
        later = w.create()
        w.kill_manager(signal.SIGTERM)
        w.ctl("store", "restore", backup, "--data-dir", w.db, "--set-aside", "--yes")  # as root, as administrators do
        for file in w.db.iterdir():
            self.assertEqual(file.stat().st_uid, SERVICE, file)
            self.assertEqual(file.stat().st_mode & 0o077 & ~0o050, 0, file)
        w.start_manager()
        w.status(kept, "running", 5, stale=False)
        w.ctl("server", "restart", kept)
        self.refused("not_found", 3, "server", "get", later)
        w.kill_manager()
        w.start_manager()
        w.status(kept, "running", 20, stale=False)


if __name__ == "__main__":
    unittest.main()
