"""A server's data moves to another folder of its host, or stays where it was, whole."""
import os
import unittest

from world import WorldCase


def content(tree):
    return {str(p.relative_to(tree)): (p.read_bytes(), p.stat().st_mode, p.stat().st_mtime_ns)
            for p in sorted(tree.rglob("*")) if p.is_file() and not p.is_symlink()}


class Move(WorldCase):
    def with_data(self):
        w = self.world
        name = w.create()
        (w.data(name) / "maps").mkdir()
        (w.data(name) / "maps/world.bin").write_bytes(os.urandom(300_000))
        (w.data(name) / "maps/world.bin").chmod(0o640)
        return name

    def test_a_running_server_moves_with_its_data_and_runs_again(self):
        """[fc-23]"""
        w = self.world
        name, root = self.with_data(), w.dir / "fast"
        backups = w.tree(name) / "backups"
        backups.mkdir()
        (backups / "old.tar").write_text("precious")
        before, old = w.server(name), w.tree(name)
        kept = {k: v for k, v in content(old).items() if k.endswith(("world.bin", "old.tar"))}
        w.ctl("server", "move", name, "--data-path", str(root), "--yes")
        s = w.status(name, "running", data_state="present", operation=None)
        self.assertEqual(s["server_data_path"], str(root))
        self.assertEqual((s["game_port"], s["udp_port"]), (before["game_port"], before["udp_port"]))
        self.assertFalse(old.exists(), "the original is removed when its copy has been proved")
        moved = content(root / name)
        self.assertEqual({k: moved.get(k) for k in kept}, kept)
        listed = w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").split()
        self.assertEqual(len(listed), 1)
        mounts = [m["Source"] for m in w.inspect(s["container_id"])["Mounts"]]
        self.assertTrue(all(m.startswith(f"{root}/{name}/") for m in mounts), mounts)
        # It is a server like any other: a recreate uses the new path.
        w.docker("rm", "-f", s["container_id"])
        w.status(name, "missing")
        w.ctl("server", "start", name)
        self.assertEqual(w.status(name, "running")["server_data_path"], str(root))

    def test_a_stopped_server_stays_stopped(self):
        """[fc-23]"""
        w = self.world
        name, root = self.with_data(), w.dir / "other"
        w.ctl("server", "stop", name)
        w.ctl("server", "move", name, "--data-path", str(root), "--yes")
        s = w.status(name, "stopped", operation=None)
        self.assertEqual(s["server_data_path"], str(root))
        self.assertTrue((root / name).is_dir())

    def test_what_stands_at_the_target_is_not_touched_and_the_server_runs_on(self):
        """[fc-23]"""
        w = self.world
        name, foreign, known = self.with_data(), w.dir / "foreign", w.dir / "known"
        w.ctl("server", "move", self.with_data(), "--data-path", str(known), "--yes")  # from now on a data root
        before = content(w.tree(name) / "data" / "maps")
        for root, code in ((foreign, "data_unknown"), (known, "already_exists")):
            (root / name).mkdir(parents=True)
            (root / name / "mine").write_text("somebody's")
            said = w.ctl_raw("-o", "json", "server", "move", name, "--data-path", str(root), "--yes")
            self.assertNotEqual(said.returncode, 0)
            self.assertIn(f'"{code}"', said.stderr)
            s = w.status(name, "running", operation=None)
            self.assertNotEqual(s["server_data_path"], str(root))
            self.assertEqual(content(w.tree(name) / "data" / "maps"), before)
            self.assertEqual((root / name / "mine").read_text(), "somebody's")
            self.assertEqual([p.name for p in root.iterdir() if p.name.startswith(".zedops-moving")], [])


if __name__ == "__main__":
    unittest.main()
