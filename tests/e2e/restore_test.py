"""Disasters of the manager with real agents and servers: a restored backup, and lives that follow one another at once."""
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
        w.ctl("store", "backup", backup)  # the running manager says where its store is
        w.ctl("server", "purge", gone, "--remove-data", "--yes")
        later = w.create()
        for _ in range(3):
            w.kill_manager()
            w.start_manager()
            before = w.ctl("status")["term"]
            wait_for("its agent obeys this life", lambda: f" term={before} " in w.log("zedops-agent"))
        w.kill_manager(signal.SIGTERM)
        w.docker("stop", "-t", "1", w.docker("ps", "-q", "--filter", f"label=zedops.server.name={kept}"))

        w.ctl("store", "restore", backup, "--data-dir", w.db, "--set-aside", "--yes")
        w.start_manager()
        begun = time.monotonic()
        w.status(kept, "stopped", 5)  # its agent has let the restored manager in, and told what it sees
        w.ctl("server", "start", kept)
        self.assertLess(time.monotonic() - begun, 10)
        wait_for("its term is above what the agent obeyed", lambda: w.ctl("status")["term"] > before)
        w.status(kept, "running", operation=None)
        w.status(gone, "missing", data_state="absent")
        self.refused("not_found", 3, "server", "get", later)
        self.assertTrue(w.data(later).exists(), "what the backup does not know is left alone")
        self.assertTrue(w.docker("ps", "-q", "--filter", f"label=zedops.server.name={later}"))

    def test_no_acknowledged_create_fails_because_the_manager_was_killed(self):
        w = self.world
        acknowledged = []
        for _ in range(KILLS):
            for _ in range(3):
                name = f"srv-{uuid.uuid4().hex[:8]}"
                op = w.ctl("server", "create", name, "--agent", "host1", "--template", "keeper", "--no-wait")
                acknowledged.append((name, op["operation"]["id"]))
            w.kill_manager()
            w.start_manager()
            w.agent_is("online")
        for name, op in acknowledged:
            end = wait_for(f"{op} has ended", lambda: (lambda o: o if o["ended_at"] else None)(w.ctl("op", "get", op)), 60)
            self.assertEqual(end["status"], "succeeded", end["error"])
            w.status(name, "running")
        print(f"{len(acknowledged)} acknowledged over {KILLS} kills, 0 failed")


if __name__ == "__main__":
    unittest.main()
