"""Problems known from elsewhere, tried on the running programs: unusual images, and logs."""
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest
import uuid

from world import BIN, WorldCase, wait_for

ODD = {"MOTD": "a\nb\tc", "PASS": "$HOME `id` \"x\" 'y' \\n", "EMPTY": "", "EQ": "a=b=c", "SP": " two  spaces ",
       "ESC": "\x1b[31mred", "U": "Zürich 日本"}


class Images(WorldCase):
    def image(self, *commit, tag=None):
        """A changed image of busybox; returns its reference."""
        w = self.world
        reference = tag or f"zedops.test/case-{uuid.uuid4().hex[:8]}:v1"
        made = w.docker("create", "zedops/busybox:test", "true")
        w.docker("commit", *commit, made, reference)
        w.docker("rm", made)
        self.addCleanup(w.docker, "rmi", "-f", reference, check=False)
        return reference.rsplit(":", 1)

    def create(self, image, tag, *flags):
        name = f"case-{uuid.uuid4().hex[:8]}"
        return name, ("server", "create", name, "--agent", "host1", "--image", image, "--tag", tag, *flags)

    def test_an_image_that_lost_its_tag(self):
        """What `docker image prune -a` does to the image of a running server."""
        w = self.world
        image, tag = self.image("--change", 'CMD ["sleep", "10000"]')
        name, create = self.create(image, tag)
        w.ctl(*create)
        container = w.server(name)["container_id"]
        w.docker("tag", f"{image}:{tag}", "zedops.test/keep:v1")
        self.addCleanup(w.docker, "rmi", "-f", "zedops.test/keep:v1", check=False)
        w.docker("rmi", f"{image}:{tag}")
        w.ctl("server", "sync")
        self.assertEqual((w.server(name)["status"], w.server(name)["container_id"]), ("running", container))
        w.ctl("server", "restart", name)
        error = self.refused("pull_failed", 1, "server", "recreate", name)
        self.assertIn(image, error["message"])
        self.assertEqual(w.server(name)["container_id"], container)
        self.assertTrue(w.inspect(container)["State"]["Running"])
        w.docker("rm", "-f", container)
        w.status(name, "missing")
        self.assertIn(image, self.refused("pull_failed", 1, "server", "start", name)["message"])

    def test_a_network_that_is_gone(self):
        w = self.world
        name = w.create()
        container = w.server(name)["container_id"]
        network = f"extra-{uuid.uuid4().hex[:8]}"
        w.docker("network", "create", network)
        w.docker("network", "connect", network, container)
        w.ctl("server", "stop", name)
        w.docker("network", "rm", network)
        error = self.refused("not_found", 3, "server", "start", name)
        self.assertIn(network, error["message"])
        self.assertIn("recreate", error["hint"])
        self.assertEqual(w.server(name)["status"], "stopped")
        w.ctl("server", "recreate", name)
        w.status(name, "running")

    def test_a_script_without_an_interpreter(self):
        w = self.world
        made = w.docker("run", "-d", "zedops/busybox:test", "sh", "-c", "echo 'echo hi' > /run.sh; chmod +x /run.sh")
        w.docker("wait", made)
        image = f"zedops.test/noexec-{uuid.uuid4().hex[:8]}"
        w.docker("commit", "--change", 'ENTRYPOINT ["/run.sh"]', made, f"{image}:v1")
        w.docker("rm", made)
        self.addCleanup(w.docker, "rmi", "-f", f"{image}:v1", check=False)
        name, create = self.create(image, "v1")
        error = self.refused("engine_error", 1, *create)
        self.assertIn("exec format error", error["message"])
        wait_for("its condition is not ok", lambda: w.server(name)["condition"] != ["ok"])
        self.assertIn("exec format error", w.ctl_raw("server", "explain", name).stdout.replace("\n", " "))

    def test_variables_arrive_byte_for_byte(self):
        """[acc-10]"""
        w = self.world
        flags = [x for k, v in ODD.items() for x in ("--env", f"{k}={v}")]
        name = w.create(None, *flags)

        def inside():
            out = subprocess.run(["docker", "exec", w.server(name)["container_id"], "env", "-0"], capture_output=True,
                                 env=w.env, check=True).stdout.decode()
            return dict(x.split("=", 1) for x in out.split("\0") if x)

        self.assertLessEqual(ODD.items(), inside().items())
        self.assertEqual(w.server(name)["config"], ODD)
        for verb in ("ls", "describe", "get"):
            text = w.ctl_raw("server", verb, *([] if verb == "ls" else [name])).stdout
            self.assertNotIn("\x1b", text)
        w.ctl("server", "edit", name, "--env", "MOTD=z", "--unset", "EMPTY")
        w.ctl("server", "recreate", name)
        now = inside()
        self.assertEqual((now["MOTD"], "EMPTY" in now, now["PASS"]), ("z", False, ODD["PASS"]))
        for bad in ("=x", "A B=x", "NOT_SET_ANYWHERE"):
            self.assertEqual(w.ctl_raw("server", "edit", name, "--env", bad).returncode, 2)

    def test_a_log_that_is_not_kept(self):
        w = self.world
        name = w.create(None, "--log-driver", "none")
        for wish in ((name,), ("-f", name)):
            r = w.ctl_raw("logs", *wish, timeout=20)
            self.assertEqual(r.returncode, 1, r.stderr)
            self.assertIn("log", r.stderr)
        # A failed start would show the last lines of the log: it works without them.
        image, tag = self.image("--change", 'CMD ["sh", "-c", "echo last words; exit 7"]')
        _, create = self.create(image, tag, "--log-driver", "none")
        self.assertIn("did not stay up", self.refused("engine_error", 1, *create)["message"])

    def test_following_survives_restart_rebuild_and_a_truncated_file(self):
        w = self.world
        image, tag = self.image(
            "--change", 'CMD ["sh", "-c", "trap exit TERM; read life < /proc/sys/kernel/random/uuid; i=0; while :; do i=$((i+1)); echo $life line $i; sleep 0.05; done"]')
        name, create = self.create(image, tag)
        w.ctl(*create)
        out = pathlib.Path(tempfile.mkstemp(dir=w.dir)[1])
        with open(out, "wb") as f:
            follower = subprocess.Popen([BIN / "zedctl", "logs", "-f", name], stdout=f, stderr=subprocess.DEVNULL, env=w.env)

        def end():
            follower.kill()
            follower.wait()

        self.addCleanup(end)

        def goes_on(why):
            container = w.server(name)["container_id"]

            def caught_up():
                newest = w.docker("logs", "--tail", "1", container)
                return newest and newest in out.read_text()

            wait_for(f"it follows after {why}", caught_up, 30)

        goes_on("the start")
        w.ctl("server", "restart", name)
        goes_on("a restart")
        w.ctl("server", "rebuild", name)
        goes_on("a rebuild")
        os.truncate(w.inspect(w.server(name)["container_id"])["LogPath"], 0)
        goes_on("the file was cut")
        lines = out.read_text().splitlines()
        self.assertEqual(len(lines), len(set(lines)), "no line twice")
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(10), 130)

    def test_a_long_line_and_pipes_that_end(self):
        w = self.world
        image, tag = self.image("--change", 'CMD ["sh", "-c", "seq -s x 1 60000; exec sleep 10000"]')
        line = "x".join(map(str, range(1, 60_001)))
        name, create = self.create(image, tag)
        w.ctl(*create)
        wait_for("all of it is there", lambda: w.ctl_raw("logs", name).stdout == line + "\n")
        for wish in (["logs", "-f", name], ["event", "watch", "--since", "0:0"], ["server", "ls", "-w"], ["metrics"]):
            command = " ".join([str(BIN / "zedctl"), *wish])
            r = subprocess.run(["timeout", "20", "bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
                               env=w.env, capture_output=True, timeout=30)
            self.assertIn(r.returncode, (0, 141), (wish, r.stderr))
        with open("/dev/full", "wb") as full:
            for wish in (["server", "ls"], ["server", "get", name, "-o", "json"]):
                r = subprocess.run([BIN / "zedctl", *wish], stdout=full, stderr=subprocess.PIPE, env=w.env, timeout=20)
                self.assertNotEqual(r.returncode, 0, wish)
                self.assertTrue(r.stderr, wish)


if __name__ == "__main__":
    unittest.main()
