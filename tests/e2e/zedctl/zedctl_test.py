"""zedctl on a terminal, in a pipe, in a shell: what only complete processes can show."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from world import BIN, WorldCase, wait_for


class Terminal:
    """zedctl on its own pseudo terminal."""

    def __init__(self, world, *args, **env):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ.update({**world.env, "TERM": "xterm", "LANG": "C.UTF-8", **env})
            os.execv(BIN / "zedctl", ["zedctl", *args])

    def read(self, seconds=0.05):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # the other end was closed
            return False
        self.text += piece.decode(errors="replace")
        return bool(piece)

    def until(self, pattern, seconds=20.0):
        def found():
            self.read()
            return re.search(pattern, self.text)

        return wait_for(f"the terminal shows {pattern!r}; it shows {self.text!r}", found, seconds)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=20.0):
        deadline = time.monotonic() + seconds
        while self.read() and time.monotonic() < deadline:
            pass
        if time.monotonic() >= deadline:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


class Zedctl(WorldCase):
    def test_ctrl_c_ends_the_watching_and_never_the_work(self):
        w = self.world
        name = w.create()
        w.kill_agent()
        w.agent_is("unreachable")
        t = Terminal(w, "stop", name)
        t.until("waiting for agent")
        t.type("\x03")
        self.assertEqual(t.end(), 130)
        resume = re.search(r"zedctl op wait (\w+)", t.text)
        self.assertTrue(resume, t.text)
        self.assertEqual(w.ctl("op", "get", resume[1])["status"], "accepted")
        r = w.ctl_raw("op", "wait", resume[1], "--timeout", "500ms")
        self.assertEqual(r.returncode, 7, r.stderr)
        w.start_agent()
        self.assertEqual(w.ctl("op", "wait", resume[1], "--timeout", "30s")["status"], "succeeded")
        self.assertEqual(w.server(name)["status"], "stopped")

    def test_waiting_outlives_a_manager_that_is_killed(self):
        w = self.world
        name = w.create()
        w.kill_agent()
        w.agent_is("unreachable")
        waiting = subprocess.Popen([BIN / "zedctl", "stop", name], env=w.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiting.kill)
        wait_for("the stop is accepted", lambda: w.server(name)["operation"])
        w.kill_manager()
        w.start_manager()
        w.start_agent()
        out, err = waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertIn(f"Stopped {name}", out)
        self.assertIn("connection to the manager lost", err)
        self.assertEqual(len([o for o in w.ctl("op", "ls", "--server", name)["operations"] if o["kind"] == "stop"]), 1)

    def test_a_watcher_sees_every_event_over_a_restart_of_the_manager(self):
        w = self.world
        status = w.ctl("status")
        told = w.dir / "watched.json"
        with told.open("w") as out:
            watch = subprocess.Popen(
                [BIN / "zedctl", "event", "watch", "--since", f"{status['epoch']}:{status['last_seq']}", "-o", "json"],
                env=w.env, stdin=subprocess.DEVNULL, stdout=out)
        self.addCleanup(watch.kill)
        name = w.create()
        w.kill_manager()
        w.start_manager()
        w.agent_is("online")
        w.ctl("server", "stop", name)
        last = w.ctl("status")["last_seq"]
        wait_for("the watcher has told the last event", lambda: f'"seq":{last},' in told.read_text(), 30.0)
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(20), 130)
        seqs = [json.loads(line)["seq"] for line in told.read_text().splitlines()]
        self.assertEqual(seqs, list(range(status["last_seq"] + 1, seqs[-1] + 1)))

    def test_ls_w_shows_what_docker_does_behind_our_back(self):
        """[acc-23]"""
        w = self.world
        name = w.create()
        t = Terminal(w, "ps", "-w", COLUMNS="200")
        t.until(f"{name}.*● running")
        w.docker("rm", "-f", w.server(name)["container_id"])
        t.until(f"{name}.*▲ missing \\(data\\)", 5.0)
        t.type("\x03")
        self.assertEqual(t.end(), 130)

    def test_purge_wants_the_name_typed(self):
        """[acc-59]"""
        w = self.world
        name = w.create()
        t = Terminal(w, "server", "purge", name, "--remove-data")
        t.until(r"Purge .* data [0-9.]+ \w+ in .*ports.*Type the name to confirm:".replace(".*", "(?s:.*)"))
        t.type("something-else\n")
        self.assertEqual(t.end(), 2)
        self.assertEqual(w.server(name)["status"], "running")
        t = Terminal(w, "server", "purge", name, "--remove-data")
        t.until("Type the name to confirm:")
        t.type(name + "\n")
        self.assertEqual(t.end(), 0, t.text)
        self.assertFalse(w.data(name).exists())
        self.assertEqual(w.ctl_raw("server", "get", name).returncode, 3)

    def test_exit_statuses(self):
        w = self.world
        name = w.create()
        for status, line in {
            0: ["server", "get", name],
            2: ["server", "purge", name, "--keep-data"],
            3: ["stop", "no-such-server"],
            4: ["start", name],
            6: ["--endpoint", f"ipc://{w.run}/nobody.ipc", "ps"],
            8: ["server", "restart", name, "no-such-server"],
        }.items():
            r = w.ctl_raw("-o", "json", *line)
            self.assertEqual(r.returncode, status, (line, r.stderr))
            if status not in (0, 8):
                self.assertEqual(r.stdout, "")
            if status != 0:
                self.assertEqual(set(json.loads(r.stderr.splitlines()[0])), {"error"})

    def test_a_mistyped_name_is_guessed(self):
        w = self.world
        name = w.create("guess-me")
        self.assertIn(f"did you mean '{name}'?", w.ctl_raw("stop", "gues-me").stderr)

    def test_bash_completes_verbs_and_live_names(self):
        w = self.world
        name = w.create("complete-me")
        script = f'''
            PATH={BIN}:$PATH
            source <(zedctl completion bash)
            offer() {{ COMP_LINE=$1; COMP_POINT=${{#1}}; _zedctl; echo "${{COMPREPLY[*]}}"; }}
            offer "zedctl serve"
            offer "zedctl server check"
            offer "zedctl start complete"
            offer "zedctl ps --agent "
            offer "zedctl ps --agent="
            offer "zedctl --endpoint $ZEDCTL_ENDPOINT server st"
        '''
        out = subprocess.run(["bash", "-c", script], env=w.env, capture_output=True, text=True, timeout=30)
        self.assertEqual(out.stdout.split("\n"), ["server", "check-data", name, "host1", "host1", "start stop", ""], out.stderr)

    def test_doctor_names_what_is_wrong(self):
        w = self.world
        self.assertEqual(w.ctl_raw("doctor").returncode, 0)
        w.kill_agent()
        w.agent_is("unreachable")
        r = w.ctl_raw("doctor")
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stdout, r"fail +agent host1 +unreachable, last seen .*check zedops-agent")
        w.start_agent()


if __name__ == "__main__":
    unittest.main()
