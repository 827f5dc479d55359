"""The supervisor samples as they are shipped: only the programs' path and the logs' folder are replaced."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from world import BIN, ROOT, WorldCase, wait_for

SUPERVISORD_CONF = """
[supervisord]
nodaemon=true
user=root
logfile={dir}/supervisord.log
pidfile={dir}/supervisord.pid
[unix_http_server]
file={dir}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{dir}/supervisor.sock
[include]
files={dir}/conf.d/*.conf
"""
STOP_SECONDS_MAX = 30  # the manager's stopwaitsecs


@unittest.skipUnless(shutil.which("supervisord"), "supervisord is not installed: tools/setup test")
class Supervisord(WorldCase):
    """Manager and agent of the world run under supervisord."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        w = cls.world
        w.kill_agent(signal.SIGTERM)
        w.kill_manager(signal.SIGTERM)
        (w.dir / "conf.d").mkdir()
        (w.dir / "supervisord.conf").write_text(SUPERVISORD_CONF.format(dir=w.dir))
        cls.settings_file = w.dir / "manager.toml"
        cls.settings_file.write_text(cls.toml())
        agent = {"name": "host1", "manager": f"ipc://{w.run}/agents.ipc", "docker-host": w.env["DOCKER_HOST"],
                 "data-path": w.dir / "data-host1", "state-dir": w.dir / "state-host1"}
        for program, flags in (("manager", {"config": cls.settings_file}), ("agent", agent)):
            text = (ROOT / f"tools/supervisord/zedops-{program}.conf").read_text()
            text, programs = re.subn(r"command=/usr/local/bin/(\S+)",
                                     lambda m: "command=" + " ".join([str(BIN / m[1])] + [f"--{k}={v}" for k, v in flags.items()]),
                                     text)
            text, logs = re.subn(r"/var/log/", f"{w.dir}/kept-", text)
            assert (programs, logs) == (1, 1), "a sample has changed its shape: look at this test"
            (w.dir / f"conf.d/zedops-{program}.conf").write_text(text)
        with open(w.dir / "supervisord.out", "ab") as out:
            cls.supervisord = subprocess.Popen(["supervisord", "-c", w.dir / "supervisord.conf"], stdout=out, stderr=out)
        cls.addClassCleanup(cls.end)
        w.agent_is("online")

    @classmethod
    def end(cls):
        if cls.supervisord.poll() is None:
            cls.supervisord.send_signal(signal.SIGTERM)
            cls.supervisord.wait(90)

    @classmethod
    def tearDownClass(cls):
        cls.end()  # before the folder of its programs is removed
        super().tearDownClass()

    @classmethod
    def toml(cls, **more):
        w = cls.world
        settings = {"data_dir": w.db, "runtime_dir": w.run, "templates_dir": w.dir / "templates", "sync_interval": "2s", **more}
        return "".join(f'{k} = "{v}"\n' for k, v in settings.items())

    def control(self, *words):
        return subprocess.run(["supervisorctl", "-c", self.world.dir / "supervisord.conf", *words], capture_output=True,
                              text=True, timeout=120).stdout

    def state(self, program):
        return self.control("status", program).split()[1]

    def pid(self, program):
        return int(self.control("pid", program))

    def kept_log(self, program="manager"):
        return (self.world.dir / f"kept-zedops-{program}.log").read_text()

    def test_what_is_killed_comes_back_and_knows_everything(self):
        w = self.world
        name = w.create()
        before = w.status(name, "running", operation=None)
        for program in ("zedops-manager", "zedops-agent"):
            wait_for("it counts as started", lambda: self.state(program) == "RUNNING")
            killed = self.pid(program)
            os.kill(killed, signal.SIGKILL)
            wait_for(f"{program} runs again", lambda: self.pid(program) not in (0, killed), 60)
            w.agent_is("online", seconds=60)
        after = w.status(name, "running")
        self.assertEqual((after["id"], after["container_id"]), (before["id"], before["container_id"]))
        w.ctl("server", "stop", name)

    def test_a_hangup_reloads(self):
        self.settings_file.write_text(self.toml(log_level="debug"))
        self.addCleanup(self.settings_file.write_text, self.toml())
        before = self.pid("zedops-manager")
        self.control("signal", "HUP", "zedops-manager")
        wait_for("the change is applied", lambda: "settings.changed key=log_level" in self.kept_log())
        self.assertEqual(self.pid("zedops-manager"), before)

    def test_a_refused_configuration_is_not_tried_for_ever(self):
        def mended():
            self.settings_file.write_text(self.toml())
            self.control("start", "zedops-manager")
            self.world.agent_is("online", seconds=60)

        self.addCleanup(mended)
        self.settings_file.write_text("no_such_setting = 1\n")
        self.control("restart", "zedops-manager")
        # It cannot tell a refusal in the first second from a crash: FATAL, after startretries tries. A later one is an
        # expected exit. After neither does it restart the program.
        wait_for("it gives up", lambda: self.state("zedops-manager") in ("FATAL", "EXITED"), 60)
        self.assertTrue(1 <= self.kept_log().count("no_such_setting") <= 4, self.kept_log())

    def test_a_stop_is_orderly_and_in_time(self):
        begun = time.monotonic()
        self.control("stop", "all")
        self.assertLess(time.monotonic() - begun, STOP_SECONDS_MAX)
        for program in ("manager", "agent"):
            self.assertEqual(self.state(f"zedops-{program}"), "STOPPED")
            self.assertRegex((self.world.dir / "supervisord.log").read_text(), f"stopped: zedops-{program} \\(exit status 0\\)")
        self.control("start", "all")
        self.world.agent_is("online", seconds=60)


class Systemd(WorldCase):
    """What the units rely on. systemd itself does not run where tests run: its own checker reads them instead."""

    def units(self):
        folder = self.world.dir / "units"
        folder.mkdir(exist_ok=True)
        for program in ("manager", "agent"):
            text = (ROOT / f"tools/systemd/zedops-{program}.service").read_text()
            path = f"/usr/local/bin/zedops-{program}"
            self.assertIn(f"ExecStart={path}\n", text)
            yield (folder / f"zedops-{program}.service"), text.replace(path, str(BIN / f"zedops-{program}"))

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_the_units_are_valid_and_sandboxed(self):
        exposure_max = {"zedops-manager.service": 20, "zedops-agent.service": 40}  # tenths, of 100
        for path, text in self.units():
            path.write_text(text)
            checked = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                                    f"--threshold={exposure_max[path.name]}", path], capture_output=True, text=True)
            self.assertEqual(rated.returncode, 0, rated.stdout.splitlines()[-1:])

    def told(self, program, *flags, **more):
        """Starts a program with a notify socket; its notifications, line by line, as systemd would get them."""
        path = self.world.dir / f"{program}.notify"
        path.unlink(missing_ok=True)
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(ear.close)
        ear.bind(str(path))
        ear.settimeout(20)
        env = {**self.world.env, "NOTIFY_SOCKET": str(path), **more}
        process = subprocess.Popen([BIN / program, *map(str, flags)], env=env, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        def hears(seconds=20):
            ear.settimeout(seconds)
            return ear.recv(4096).decode().strip()

        return process, hears

    def test_start_reload_and_stop_are_reported(self):
        w = self.world
        base = w.dir / "notified"
        flags = {"zedops-manager": ("--data-dir", base / "db", "--runtime-dir", base / "run"),
                 "zedops-agent": ("--name", "other", "--manager", f"ipc://{w.run}/agents.ipc", "--docker-host",
                                  w.env["DOCKER_HOST"], "--data-path", base / "data", "--state-dir", base / "state")}
        for program, its in flags.items():
            with self.subTest(program):
                process, hears = self.told(program, *its)
                self.assertEqual(hears(), "READY=1")
                process.send_signal(signal.SIGHUP)
                self.assertEqual([hears(), hears()], ["RELOADING=1", "READY=1"])
                process.send_signal(signal.SIGTERM)
                self.assertEqual(hears(), "STOPPING=1")
                self.assertEqual(process.wait(30), 0)

    def test_the_watchdog_is_fed_by_work_and_not_when_it_hangs(self):
        base = self.world.dir / "watched"
        process, hears = self.told("zedops-manager", "--data-dir", base / "db", "--runtime-dir", base / "run", WATCHDOG_USEC="60000000")
        self.assertEqual(hears(), "READY=1")
        self.assertEqual([hears() for _ in range(3)], ["WATCHDOG=1"] * 3)
        process.send_signal(signal.SIGSTOP)
        wait_for("it is stopped", lambda: "(stopped)" in (pathlib.Path("/proc") / str(process.pid) / "status").read_text())
        with self.assertRaises(TimeoutError):
            for _ in range(100):  # what was still in flight, then silence
                hears(3)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(hears(), "WATCHDOG=1")

    def test_a_refused_configuration_is_the_status_that_the_units_do_not_restart(self):
        for path, text in self.units():
            status = re.search(r"^RestartPreventExitStatus=(\d+)$", text, re.M)[1]
            refused = subprocess.run([BIN / path.stem, "--no-such-flag"], capture_output=True, env=self.world.env)
            self.assertEqual(str(refused.returncode), status)

    def test_no_crash_loop_is_endless(self):
        for _, text in self.units():
            self.assertRegex(text, r"(?m)^StartLimitBurst=\d+$")
            self.assertRegex(text, r"(?m)^StartLimitIntervalSec=[1-9]\d*$")


if __name__ == "__main__":
    unittest.main()
