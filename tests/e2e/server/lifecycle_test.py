"""The life of a server, from create to purge, seen from outside."""
import pathlib
import subprocess
import unittest

from world import WorldCase, wait_for


class Lifecycle(WorldCase):
    def test_create_runs_a_container_that_equals_its_record(self):
        """[acc-4] [acc-10] [acc-13]"""
        w = self.world
        answer = w._one(w.ctl("server", "create", "pz1", "--agent", "host1", "--template", "project-zomboid", "--image",
                              "zedops/zomboid-sim", "--tag", "test", "--env", "SERVER_NAME=world", "--env",
                              "ADMIN_PASSWORD=secret", "--game-port", "26261", "--rcon-port", "37015"))
        self.assertTrue(answer)
        s = w.status("pz1", "running")
        self.assertTrue(s["container_id"])
        self.assertEqual((s["game_port"], s["udp_port"], s["rcon_port"]), (26261, 26262, 37015))
        c = w.inspect("steam-zomboid-pz1")
        self.assertEqual(c["Id"], s["container_id"])
        labels = c["Config"]["Labels"]
        for key, value in {"zedops.managed": "true", "zedops.server.id": s["id"], "zedops.server.name": "pz1",
                           "zedops.type": "project-zomboid", "pz.rcon.enabled": "true"}.items():
            self.assertEqual(labels[key], value)
        env = dict(x.split("=", 1) for x in c["Config"]["Env"])
        self.assertEqual(env["SERVER_NAME"], "world")
        self.assertEqual((env["SERVER_DEFAULT_PORT"], env["SERVER_UDP_PORT"], env["RCON_PORT"]), ("26261", "26262", "37015"))
        self.assertEqual(set(c["HostConfig"]["PortBindings"]), {"26261/udp", "26262/udp"})
        self.assertEqual(set(c["NetworkSettings"]["Networks"]), {"zomboid-servers", "zomboid-backend"})
        self.assertEqual(c["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped")
        mounts = {m["Destination"]: m["Source"] for m in c["Mounts"]}
        self.assertEqual(mounts, {"/home/steam/zomboid-dedicated": str(w.tree("pz1") / "bin"),
                                  "/home/steam/Zomboid": str(w.tree("pz1") / "data")})
        self.assertEqual((w.tree("pz1") / "bin").stat().st_mode & 0o777, 0o755)

        w.docker("rm", "-f", "steam-zomboid-pz1")
        w.status("pz1", "missing")
        w.ctl("server", "start", "pz1")
        again = w.inspect("steam-zomboid-pz1")
        for part in ("Image", "Env", "Cmd", "Entrypoint"):
            self.assertEqual(sorted(again["Config"][part] or []), sorted(c["Config"][part] or []))
        self.assertEqual(again["HostConfig"]["PortBindings"], c["HostConfig"]["PortBindings"])
        self.assertEqual(sorted(again["HostConfig"]["Binds"] or []), sorted(c["HostConfig"]["Binds"] or []))
        self.assertNotEqual(again["Id"], c["Id"])

    def test_networks_are_made_and_foreign_ones_are_used(self):
        """[acc-14]"""
        w = self.world
        name = w.create("nets", "--template", "project-zomboid", "--image", "zedops/zomboid-sim", "--tag", "test",
                        "--game-port", "26271", "--rcon-port", "37016")
        before = w.docker("network", "inspect", "-f", "{{.Id}}", "zomboid-servers")
        w.ctl("server", "rm", name, "--yes")
        w.ctl("server", "purge", name, "--remove-data", "--yes")
        self.assertEqual(w.docker("network", "inspect", "-f", "{{.Id}}", "zomboid-servers"), before)

    def test_stop_start_restart_keep_the_container(self):
        """[acc-36] [acc-45] [acc-16]"""
        w = self.world
        name = w.create()
        first = w.server(name)
        w.ctl("server", "stop", name)
        stopped = w.status(name, "stopped")
        self.assertEqual(stopped["desired_state"], "stopped")
        self.assertIn("saved", (w.data(name) / "saved").read_text(), "it had the time to save")
        w.ctl("server", "start", name)
        self.assertEqual(w.status(name, "running")["container_id"], first["container_id"])
        w.ctl("server", "restart", name)
        s = w.status(name, "running")
        self.assertEqual((s["container_id"], s["game_port"]), (first["container_id"], first["game_port"]))

    def test_start_after_removal_brings_it_back_as_it_was(self):
        """[acc-37] [acc-23]"""
        w = self.world
        name = w.create(None, "--env", "A=1")
        old = w.inspect(w.server(name)["container_id"])
        w.docker("rm", "-f", old["Id"])
        missing = w.status(name, "missing", 5)
        self.assertTrue(missing["data_exists"])
        self.assertEqual(missing["game_port"], w.server(name)["game_port"])
        w.ctl("server", "start", name)
        new = w.inspect(w.status(name, "running")["container_id"])
        self.assertNotEqual(new["Id"], old["Id"])
        self.assertEqual(sorted(new["Config"]["Env"]), sorted(old["Config"]["Env"]))
        self.assertEqual(new["HostConfig"]["PortBindings"], old["HostConfig"]["PortBindings"])
        self.assertEqual(new["Name"], old["Name"])

    def test_start_without_data_is_refused_unless_fresh(self):
        """[acc-38] [acc-39] [fc-3]"""
        w = self.world
        name = w.create()
        w.docker("rm", "-f", w.server(name)["container_id"])
        subprocess.run(["rm", "-rf", w.tree(name)], check=True)
        w.ctl("server", "check-data", name)
        w.status(name, "missing", data_state="absent")
        before = w.server(name)
        e = self.refused("no_data", 4, "server", "start", name)
        self.assertEqual(e["message"], "Cannot start server, no data found")
        self.assertEqual(w.server(name)["revision"], before["revision"])
        answer = w._one(w.ctl("server", "start", "--fresh", name, "--yes"))
        self.assertTrue(answer["fresh_start"] if "fresh_start" in answer else True)
        w.status(name, "running")

    def test_a_data_root_that_lost_its_marker_is_unknown_and_permits_nothing(self):
        """[acc-39] [acc-30] [fc-2]"""
        w = self.world
        root = w.tree("x").parent
        name = w.create()
        w.docker("rm", "-f", w.server(name)["container_id"])
        w.status(name, "missing")
        marker = root / ".zedops-data-root"
        hidden = root / ".hidden-marker"
        marker.rename(hidden)
        try:
            w.ctl("server", "check-data", name)
            wait_for("stale", lambda: w.server(name)["stale"])
            self.assertEqual(w.server(name)["status"], "missing")
            self.refused("data_unknown", 4, "server", "start", "--fresh", name, "--yes")
            self.assertTrue(w.data(name).exists())
        finally:
            hidden.rename(marker)
        w.ctl("server", "check-data", name)
        wait_for("the data is checked again", lambda: not w.server(name)["stale"])
        w.ctl("server", "start", name)

    def test_rebuild_replaces_and_a_failing_one_keeps_the_old(self):
        """[acc-42] [fc-14]"""
        w = self.world
        name = w.create()
        old = w.server(name)["container_id"]
        w.ctl("server", "edit", name, "--env", "COLOR=blue")
        self.assertTrue(w.server(name)["pending_rebuild"])
        w.ctl("server", "rebuild", name)
        s = w.status(name, "running", pending_rebuild=False)
        self.assertNotEqual(s["container_id"], old)
        self.assertIn("COLOR=blue", w.inspect(s["container_id"])["Config"]["Env"])
        self.assertEqual(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").count("\n"), 0)

        w.ctl("server", "edit", name, "--tag", "there-is-no-such-tag")
        with self.assertRaises(Exception):
            w.ctl("server", "rebuild", name)
        kept = w.status(name, "running")
        self.assertEqual(kept["container_id"], s["container_id"])
        self.assertIn("there-is-no-such-tag", kept["last_error"]["message"])
        self.assertTrue(w.inspect(s["container_id"])["State"]["Running"])

    def test_rebuild_of_a_missing_server_recreates_it(self):
        """[acc-43]"""
        w = self.world
        for verb in ("rebuild", "recreate"):
            name = w.create()
            w.docker("rm", "-f", w.server(name)["container_id"])
            w.status(name, "missing")
            w.ctl("server", verb, name)
            w.status(name, "running")

    def test_delete_keeps_data_name_and_ports_and_restore_brings_it_back(self):
        """[acc-49] [acc-50] [acc-52] [acc-5] [acc-56]"""
        w = self.world
        name = w.create()
        before = w.server(name)
        self.refused("wrong_state", 4, "server", "restore", name)
        w.ctl("server", "rm", name, "--yes")
        gone = w.status(name, "deleted")
        self.assertTrue(gone["deleted_at"] and gone["purge_at"])
        self.assertEqual(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={gone['id']}"), "")
        self.assertTrue((w.data(name) / "started").exists())
        self.refused("wrong_state", 4, "server", "rm", name, "--yes")
        self.refused("already_exists", 4, "server", "create", name, "--agent", "host1", "--template", "keeper")
        self.refused("port_conflict", 4, "server", "create", "taker", "--agent", "host1", "--template", "keeper",
                     "--game-port", str(before["game_port"]))
        names = [s["name"] for s in w.ctl("server", "ls")["servers"]]
        self.assertNotIn(name, names)
        self.assertIn(name, [s["name"] for s in w.ctl("server", "ls", "--all")["servers"]])
        w.ctl("server", "restore", name)
        back = w.status(name, "running")
        self.assertIsNone(back["deleted_at"])
        self.assertEqual(back["game_port"], before["game_port"])

    def test_restore_without_data_is_missing_and_says_so(self):
        """[acc-54] [acc-53]"""
        w = self.world
        name = w.create()
        w.ctl("server", "rm", name, "--yes")
        w.status(name, "deleted")
        subprocess.run(["rm", "-rf", w.tree(name)], check=True)
        w.ctl("server", "check-data", name)
        w.ctl("server", "restore", name)
        s = w.status(name, "missing")
        self.assertFalse(s["data_exists"])
        ops = w.ctl("op", "ls")["operations"]
        note = next(o["note"] for o in ops if o["kind"] == "restore" and o["target"] == s["id"])
        self.assertIn("without data", note)

    def test_purge_frees_name_and_ports_and_only_removes_data_when_told(self):
        """[acc-57] [acc-58] [acc-59] [acc-61] [fc-30]"""
        w = self.world
        keep, drop = w.create(), w.create()
        port = w.server(drop)["game_port"]
        self.refused("bad_request", 2, "server", "purge", drop, "--yes")
        w.ctl("server", "purge", drop, "--remove-data", "--yes")
        self.assertFalse(w.tree(drop).exists())
        self.refused("not_found", 3, "server", "get", drop)
        self.assertTrue(w.data(keep).exists(), "another server's tree is not touched")
        w.ctl("server", "create", drop, "--agent", "host1", "--template", "keeper", "--game-port", str(port))
        w.ctl("server", "purge", keep, "--keep-data", "--yes")
        self.assertTrue((w.data(keep) / "started").exists())
        e = self.refused("already_exists", 4, "server", "create", keep, "--agent", "host1", "--template", "keeper")
        self.assertIn(str(w.tree(keep)), e["message"])
        w.create(keep, "--use-existing-data")
        w.status(keep, "running")

    def test_a_purge_with_data_keeps_the_backups_says_where_and_frees_the_name(self):
        """[fc-31] [acc-57]"""
        w = self.world
        name = w.create()
        backup = w.tree(name) / "backups" / "2026-01-01.tar.gz"
        backup.parent.mkdir()
        backup.write_text("precious")
        said = w.ctl_raw("server", "purge", name, "--remove-data", "--yes")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual([p.name for p in w.tree(name).iterdir()], ["backups"])
        self.assertEqual(backup.read_text(), "precious")
        note = next(o["note"] for o in w.ctl("op", "ls")["operations"] if o["kind"] == "purge")
        self.assertIn(f"its backups are kept in {backup.parent}", note)
        self.assertIn(str(backup.parent), said.stdout + said.stderr)
        # Backups do not count as data: the name is free, and a new server finds the backups beside its own data.
        w.create(name)
        w.status(name, "running", data_state="present")
        self.assertEqual(backup.read_text(), "precious")
        w.ctl("server", "rm", name, "--yes")
        w.ctl("server", "purge", name, "--keep-data", "--yes")
        self.refused("already_exists", 4, "server", "create", name, "--agent", "host1", "--template", "keeper")

    def test_purge_preview_names_what_goes(self):
        """[acc-59]"""
        w = self.world
        name = w.create()
        plan = w.ctl_raw("--dry-run", "server", "purge", name, "--remove-data", "--yes")
        self.assertEqual(plan.returncode, 0, plan.stderr)
        self.assertIn("remove", plan.stdout + plan.stderr)
        self.assertEqual(w.server(name)["status"], "running")

    def test_check_data_answers_three_valued_with_paths_and_sizes(self):
        """[acc-11]"""
        w = self.world
        name = w.create()
        (w.data(name) / "world.bin").write_bytes(b"x" * 4096)
        rows = w.ctl("server", "check-data", name, "--sizes")["servers"]
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["state"], "present")
        self.assertGreaterEqual(rows[0]["bytes"], 4096)
        self.assertTrue(pathlib.Path(rows[0]["data_path"]).is_absolute())

    def test_every_write_leaves_one_audit_record(self):
        """[acc-9][fc-27]"""
        w = self.world
        name = w.create()
        sid = w.server(name)["id"]
        w.ctl("server", "stop", name)
        self.refused("wrong_state", 4, "server", "stop", name)
        w.ctl("server", "edit", name, "--env", "A=1")
        ops = [o for o in w.ctl("op", "ls", "--server", name)["operations"] if o["target"] == sid]
        self.assertEqual([(o["kind"], o["status"]) for o in sorted(ops, key=lambda o: (o["started_at"], o["kind"]))],
                         [("create", "succeeded"), ("stop", "succeeded"), ("stop", "failed"), ("edit", "succeeded")])
        self.assertTrue(all(o["actor"] for o in ops))


class Retention(WorldCase):
    settings = {"retention": "1s"}

    def test_the_purge_at_the_end_of_the_retention_keeps_the_backups_too(self):
        """[fc-31] [acc-62]"""
        w = self.world
        name = w.create()
        backup = w.tree(name) / "backups" / "2026-01-01.tar.gz"
        backup.parent.mkdir()
        backup.write_text("precious")
        sid = w.server(name)["id"]
        w.ctl("server", "rm", name, "--yes")
        wait_for("it is purged with its data", lambda: not w.data(name).exists())
        ended = wait_for("the operation ended", lambda: [o for o in w.ctl("op", "ls")["operations"] if o["kind"] == "purge"
                                                         and o["target"] == sid and o["status"] == "succeeded"])
        self.assertIn(f"its backups are kept in {backup.parent}", ended[0]["note"])
        self.assertEqual(backup.read_text(), "precious")
        w.create(name)


if __name__ == "__main__":
    unittest.main()
