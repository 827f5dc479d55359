"""A container that was made by hand becomes a server, or stays as it was."""
import os
import unittest
import uuid

from world import KEEPER, WorldCase, wait_for

COMMAND = KEEPER.split('command = ["sh", "-c", "')[1].split('"]')[0]


class Adopt(WorldCase):
    ports = 21100

    def by_hand(self, *flags, size=300_000):
        """As a user made it: with its own name, folder and ports."""
        w = self.world
        Adopt.ports += 2
        name, game = f"hand-{uuid.uuid4().hex[:8]}", Adopt.ports
        folder = w.dir / "by-hand" / name
        folder.mkdir(parents=True)
        with open(folder / "world.bin", "wb") as f:
            for _ in range(size // 100_000):
                f.write(os.urandom(100_000))
        (folder / "world.bin").chmod(0o640)
        w.docker("run", "-d", "--name", name, "-e", "MOTD=hello", "-p", f"{game}:{game}/udp", "-p",
                 f"{game + 1}:{game + 1}/udp", "-v", f"{folder}:/data", *flags, "zedops/busybox:test", "sh", "-c", COMMAND)
        self.addCleanup(w.docker, "rm", "-f", name, check=False)
        wait_for("it runs", (folder / "started").exists)
        return name, folder, game

    def adopt(self, container, name, game, *flags):
        return ["server", "adopt", name, "--container", container, "--agent", "host1", "--template", "keeper",
                "--game-port", str(game), *flags]

    def is_as_it_was(self, container):
        return self.world.inspect(container)["State"]["Running"]

    def test_it_runs_on_as_a_server_and_its_data_stays_where_it_was(self):
        """[fc-24]"""
        w = self.world
        container, folder, game = self.by_hand()
        world = (folder / "world.bin").read_bytes()
        name = f"srv-{uuid.uuid4().hex[:8]}"
        said = self.refused("bad_request", 2, *self.adopt(container, name, game)[:-2])
        self.assertIn("--game-port", said["hint"])
        plan = w.ctl_raw(*self.adopt(container, name, game, "--dry-run"))
        self.assertEqual(plan.returncode, 0, plan.stderr)
        for words in (f"stop container {container}", str(folder), f"then remove container {container}"):
            self.assertIn(words, plan.stdout)
        self.assertTrue(self.is_as_it_was(container))

        done = w.ctl(*self.adopt(container, name, game))
        self.assertEqual(done["operation"]["status"], "succeeded")
        self.assertIn(str(folder), done["operation"]["note"])
        s = w.status(name, "running", data_state="present", operation=None)
        self.assertEqual((s["game_port"], s["udp_port"]), (game, game + 1))
        self.assertEqual((s["image"], s["image_tag"], s["config"]), ("zedops/busybox", "test", {"MOTD": "hello"}))
        self.assertEqual(w.docker("ps", "-aq", "--filter", f"name=^{container}$").strip(), "")
        self.assertEqual((w.data(name) / "world.bin").read_bytes(), world)
        self.assertEqual((w.data(name) / "world.bin").stat().st_mode & 0o7777, 0o640)
        self.assertEqual((folder / "world.bin").read_bytes(), world)
        self.assertIn("saved", (folder / "saved").read_text(), "it was stopped in order")
        # It is a server like any other.
        w.docker("rm", "-f", s["container_id"])
        w.status(name, "missing")
        w.ctl("server", "start", name)
        w.status(name, "running", game_port=game)

    def test_what_the_template_lacks_is_named(self):
        """[fc-24]"""
        container, _, game = self.by_hand("--user", "0:0", "-p", "127.0.0.1:0:80/tcp", "-v", "/etc/hostname:/etc/other:ro")
        name = f"srv-{uuid.uuid4().hex[:8]}"
        said = self.refused("bad_request", 2, *self.adopt(container, name, game))
        for words in ("mount /etc/other", "port 80/tcp on a port of the Engine's choice"):
            self.assertIn(words, said["message"])
        self.assertTrue(self.is_as_it_was(container))
        self.world.ctl(*self.adopt(container, name, game, "--leave-behind"))
        self.world.status(name, "running")
        self.assertEqual(self.world.server(name)["spec"]["user"], "0:0")

    def test_what_would_lose_data_is_refused_whatever_is_left_behind(self):
        """[fc-24]"""
        w = self.world
        container, folder, game = self.by_hand("--rm")
        name = f"srv-{uuid.uuid4().hex[:8]}"
        said = self.refused("bad_request", 2, *self.adopt(container, name, game, "--leave-behind"))
        self.assertIn("--rm", said["message"])
        self.assertTrue(self.is_as_it_was(container))
        self.assertTrue((folder / "world.bin").exists())
        self.refused("not_found", 3, "server", "get", name)

    def test_a_failure_leaves_all_as_it_was_and_the_name_free(self):
        """[fc-24]"""
        w = self.world
        container, folder, game = self.by_hand()
        name = f"srv-{uuid.uuid4().hex[:8]}"
        before = w.inspect(container)["State"]["StartedAt"]
        self.refused("pull_failed", 1, *self.adopt(container, name, game, "--image", "127.0.0.1:1/nothing"))
        self.assertEqual(w.inspect(container)["State"]["StartedAt"], before, "it was not even stopped")
        self.refused("not_found", 3, "server", "get", name)
        self.assertFalse(w.tree(name).exists())
        w.ctl(*self.adopt(container, name, game))  # the name and the ports are free
        w.status(name, "running")

    def test_it_can_be_cancelled_and_survives_its_agent(self):
        """[fc-24]"""
        w = self.world
        container, folder, game = self.by_hand(size=400_000_000)
        name = f"srv-{uuid.uuid4().hex[:8]}"

        def copying():
            op = w.ctl("server", "get", name)["operation"]
            return op if op and op["step"] in ("copying", "verifying") else None

        w.ctl(*self.adopt(container, name, game, "--no-wait"))
        op = wait_for("it copies", copying)
        w.ctl("op", "cancel", op["id"])
        wait_for("it is over", lambda: w.ctl("op", "get", op["id"])["status"] == "cancelled", 60)
        wait_for("the original runs", lambda: self.is_as_it_was(container))
        self.assertFalse(w.tree(name).exists())

        w.ctl(*self.adopt(container, name, game, "--no-wait"))
        wait_for("it copies", copying)
        w.kill_agent()
        w.kill_manager()
        w.start_manager().start_agent()
        s = wait_for("it runs", lambda: (lambda s: s if s["status"] == "running" and not s["operation"] else None)(
            w.ctl("server", "get", name)), 90)
        self.assertEqual((w.data(name) / "world.bin").stat().st_size, 400_000_000)
        self.assertEqual(len(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").split()), 1)
        self.assertEqual([p.name for p in w.tree(name).parent.iterdir() if p.name.startswith(".zedops-moving")], [])

    def image(self, reference, version, *changes):
        """An image with its own defaults, made without a builder."""
        w = self.world
        blank = w.docker("create", "zedops/busybox:test")
        said = [x for c in (f"ENV VERSION={version} MOTD=default", f"LABEL version={version}", *changes) for x in ("--change", c)]
        w.docker("commit", *said, blank, reference)
        w.docker("rm", blank)

    def test_the_defaults_of_its_image_stay_the_images(self):
        w = self.world
        reference = f"defaults-{uuid.uuid4().hex[:8]}:t"
        self.image(reference, 1)
        self.addCleanup(w.docker, "rmi", "-f", reference, check=False)
        folder = w.dir / "by-hand" / reference.split(":")[0]
        folder.mkdir(parents=True)
        (folder / "world").write_text("precious")
        container = reference.split(":")[0]
        Adopt.ports += 2
        w.docker("run", "-d", "--name", container, "-e", "MOTD=mine", "-v", f"{folder}:/data", "-p",
                 f"{Adopt.ports}:{Adopt.ports}/udp", reference, "sh", "-c", COMMAND)
        self.addCleanup(w.docker, "rm", "-f", container, check=False)
        name = f"srv-{uuid.uuid4().hex[:8]}"
        w.ctl(*self.adopt(container, name, Adopt.ports, "--udp-port", Adopt.ports + 1, "--leave-behind"))
        self.assertEqual(w.server(name)["config"], {"MOTD": "mine"})

        self.image(reference, 2, "HEALTHCHECK CMD true")
        w.ctl("server", "recreate", name)
        made = w.inspect(w.status(name, "running")["container_id"])["Config"]
        self.assertIn("VERSION=2", made["Env"])
        self.assertIn("MOTD=mine", made["Env"])
        self.assertEqual(made["Labels"]["version"], "2")
        self.assertEqual(made["Healthcheck"]["Test"], ["CMD-SHELL", "true"])


if __name__ == "__main__":
    unittest.main()
