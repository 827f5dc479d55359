"""The schema of the store under a real manager: a newer one is refused untouched, an older one is migrated when the
manager starts, and a failed migration has changed nothing."""
import hashlib
import signal
import subprocess
import unittest

from store_faults_test import SERVERS, StoreCase
from world import BIN

LATER = "zedops-manager-schema"


class Schema(StoreCase):
    """Schema 1 is the only one so far; the later version is the manager with a store that requires more."""

    def later(self, schema=2, migration="works"):
        self.w.programs["zedops-manager"] = (LATER, {"ZEDOPS_TEST_SCHEMA": str(schema),
                                                     "ZEDOPS_TEST_MIGRATION": migration})

    def today(self):
        self.w.programs.clear()

    def refused(self):
        file, env = self.w.programs.get("zedops-manager", ("zedops-manager", {}))
        r = subprocess.run([BIN / file, "--data-dir", self.w.db, "--runtime-dir", self.w.run], capture_output=True,
                           text=True, timeout=60, env={**self.w.env, **env})
        return r.returncode, r.stderr

    def content(self):
        return hashlib.sha256((self.w.db / "data.mdb").read_bytes()).hexdigest()

    def filled(self):
        """A current store with servers and an edited record; the manager has ended in order."""
        self.start()
        self.fill()
        self.edit(next(iter(self.servers())), "kept")
        self.before = self.servers()
        self.assertEqual(self.w.kill_manager(signal.SIGTERM), 0)

    def same_servers(self):
        now = self.servers()
        self.assertEqual(len(now), SERVERS)
        for server, was in self.before.items():
            for key in ("name", "status", "config", "game_port", "data_state"):
                self.assertEqual(now[server][key], was[key])

    def test_an_older_store_is_migrated_once_with_all_its_servers_history_and_cursors(self):
        self.filled()
        self.later()
        self.start()
        self.same_servers()
        epoch = self.w.ctl("status")["epoch"]
        self.edit(next(iter(self.before)), "later")
        self.w.kill_manager()
        report = self.store("verify")
        self.assertTrue(report["sound"], report)
        self.assertEqual(int(report["schema"]), 2)
        notes = [r for r in self.store("dump", "--table", "meta") if r["key"] == "test.migrated"]
        self.assertEqual(len(notes), 1)
        # A step would fail now: it does not run again.
        self.later(migration="fails")
        self.start()
        self.assertEqual(self.w.ctl("status")["epoch"], epoch)
        self.assertEqual(self.w.server(next(iter(self.before)))["config"]["VALUE"], "later")

    def test_a_newer_store_is_refused_for_good_and_untouched_and_a_backup_from_before_is_the_way_back(self):
        self.start()
        self.fill()
        self.before = self.servers()
        self.store("backup", self.w.dir / "before.mdb")
        self.w.kill_manager(signal.SIGTERM)
        self.later()
        self.start()
        self.assertEqual(self.w.kill_manager(signal.SIGTERM), 0)
        content = self.content()
        self.today()
        for _ in range(2):
            status, words = self.refused()
            self.assertEqual(status, 78, "no supervisor should try again")
            self.assertIn("the store has schema 2, this program knows schemas up to 1", words)
            self.assertIn("start the newer program that wrote it, or restore a backup from before the upgrade", words)
            self.assertEqual(self.content(), content)
        self.later()
        self.start()  # the newer program still has its store
        self.same_servers()
        self.w.kill_manager(signal.SIGTERM)
        self.today()
        self.store("restore", self.w.dir / "before.mdb", "--set-aside", "--yes")
        self.start()
        self.same_servers()

    def test_a_migration_that_fails_changes_nothing_and_the_program_before_goes_on(self):
        """[acc-1]"""
        for migration, says in (("fails", "has found what it cannot read"), ("throws", "a defect of the step")):
            with self.subTest(migration=migration):
                if not hasattr(self, "before"):
                    self.filled()
                self.later(migration=migration)
                status, words = self.refused()
                self.assertEqual(status, 1, words)
                self.assertIn("migration of the store from schema 1 (a step for tests)", words)
                self.assertIn(says, words)
                self.assertIn("nothing was changed", words)
                self.today()
                self.start()
                self.same_servers()
                self.assertEqual(self.w.kill_manager(signal.SIGTERM), 0)
                report = self.store("verify")
                self.assertEqual((report["sound"], int(report["schema"])), (True, 1))

    def test_a_store_without_a_way_to_the_programs_schema_is_refused_untouched(self):
        self.filled()
        content = self.content()
        self.later(schema=3)
        status, words = self.refused()
        self.assertEqual(status, 78, words)
        self.assertIn("there is no way from 2 to 3", words)
        self.assertEqual(self.content(), content)
        self.later(schema=2, migration="none")
        self.assertEqual(self.refused()[0], 78)
        self.today()
        self.start()
        self.same_servers()


if __name__ == "__main__":
    unittest.main()
