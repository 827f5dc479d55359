"""A private manager, agent and Docker Engine, for tests from the outside.

Nothing here sleeps in hope: every wait is for a condition, with a deadline.
"""
import atexit
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ZEDOPS_BIN", ROOT / "build/dev/bin"))
ENGINE_DIR = ROOT / "build/engine-e2e"


class Failed(Exception):
    """zedctl ended with another status than 0."""

    def __init__(self, code, error, out):
        super().__init__(f"exit {code}: {error}")
        self.code, self.error, self.out = code, error, out


def wait_for(what, condition, seconds=20.0):
    """The first true value of condition(); fails with `what` when the deadline passes."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except Failed as e:
            last = e
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what} (last: {last!r})")


def _engine():
    host = os.environ.get("ZEDOPS_TEST_DOCKER_HOST")
    if not host:
        out = subprocess.run([ROOT / "tools/engine", "up", "--dir", ENGINE_DIR], check=True, capture_output=True, text=True)
        line = next(x for x in out.stdout.splitlines() if "DOCKER_HOST=" in x)
        host = line.split("DOCKER_HOST=", 1)[1].strip().strip("'\"")
        atexit.register(lambda: subprocess.run([ROOT / "tools/engine", "down", "--dir", ENGINE_DIR], capture_output=True))
    env = {**os.environ, "DOCKER_HOST": host}
    subprocess.run([ROOT / "tools/images", "busybox", "zomboid-sim"], check=True, capture_output=True, env=env)
    return host


_docker_host = None


def docker_host():
    global _docker_host
    if _docker_host is None:
        _docker_host = _engine()
    return _docker_host


class World:
    """One manager and its agents, in their own folder. Without an engine: for simulated agents."""

    def __init__(self, engine=True, **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="zedops-e2e-", dir="/tmp"))
        self.run, self.db = self.dir / "run", self.dir / "db"
        self.settings = {"sync-interval": "2s", **settings}
        self.programs = {}  # program -> what is run instead: (file in BIN, its own environment)
        self.agent_flags = ()  # of every agent
        self.within = {}    # program -> the command that runs it, such as ("unshare", "-m")
        self.manager, self.agents = None, {}
        self.endpoint = f"ipc://{self.run}/clients.ipc"
        self.engine = docker_host() if engine else None
        self.env = {**os.environ, "DOCKER_HOST": self.engine or "unix:///nowhere", "ZEDCTL_ENDPOINT": self.endpoint,
                    "XDG_CONFIG_HOME": str(self.dir / "config"), "NO_COLOR": "1"}
        for key in list(self.env):
            if key.startswith("ZEDOPS_"):
                del self.env[key]
        if "http" not in self.settings:
            self.env["ZEDOPS_HTTP"] = "off"  # the default port would be shared by all managers of a machine

    # ---- processes ----
    def _spawn(self, program, *flags):
        file, env = self.programs.get(program, (program, {}))
        with open(self.dir / f"{program}.log", "ab") as log:
            return subprocess.Popen([*self.within.get(program, ()), BIN / file, *map(str, flags)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                    env={**self.env, **env})

    def start_manager(self):
        flags = [x for k, v in self.settings.items() for x in (f"--{k}", v)]
        self.manager = self._spawn("zedops-manager", "--data-dir", self.db, "--runtime-dir", self.run, *flags)
        wait_for("the manager answers", lambda: self.ctl("status"))
        return self

    def start_agent(self, name="host1", wait=True, flags=(), manager=None):
        self.agents[name] = self._spawn(
            "zedops-agent", "--name", name, "--manager", manager or f"ipc://{self.run}/agents.ipc", "--docker-host",
            docker_host(), "--data-path", self.dir / f"data-{name}", "--state-dir", self.dir / f"state-{name}", *self.agent_flags, *flags)
        if wait:
            self.agent_is("online", name)
        return self

    def agent_is(self, status, name="host1", seconds=20.0):
        return wait_for(f"agent {name} is {status}", lambda: self.agent(name)["status"] == status, seconds)

    def kill_manager(self, how=signal.SIGKILL):
        self.manager.send_signal(how)
        return self.manager.wait(20)

    def kill_agent(self, how=signal.SIGKILL, name="host1"):
        self.agents[name].send_signal(how)
        return self.agents[name].wait(30)

    def log(self, program="zedops-manager"):
        return (self.dir / f"{program}.log").read_text(errors="replace")

    def close(self):
        for p in [*self.agents.values(), self.manager]:
            if p and p.poll() is None:
                p.kill()
                p.wait()
        ids = self.engine and self.docker("ps", "-aq", "--filter", "label=zedops.managed=true").split()
        if ids:
            self.docker("rm", "-f", "-v", *ids)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- users ----
    def ctl_raw(self, *args, timeout=90):
        return subprocess.run([BIN / "zedctl", *map(str, args)], capture_output=True, text=True, env=self.env,
                              timeout=timeout, stdin=subprocess.DEVNULL)

    def ctl(self, *args, timeout=90):
        """Runs zedctl -o json; the parsed answer, or Failed with the error that it printed."""
        r = self.ctl_raw("-o", "json", *args, timeout=timeout)
        if r.returncode != 0:
            try:
                error = json.loads(r.stderr.strip().splitlines()[-1])["error"]
            except (ValueError, IndexError, KeyError):
                error = {"code": "?", "message": r.stderr}
            raise Failed(r.returncode, error, r.stdout)
        try:
            return json.loads(r.stdout) if r.stdout.strip() else None
        except ValueError:
            return [json.loads(x) for x in r.stdout.splitlines() if x.strip()]

    def docker(self, *args, check=True):
        r = subprocess.run(["docker", *map(str, args)], capture_output=True, text=True, env=self.env)
        if check and r.returncode != 0:
            raise AssertionError(f"docker {args}: {r.stderr}")
        return r.stdout.strip()

    # ---- looks ----
    @staticmethod
    def _one(answer):
        return answer[0] if isinstance(answer, list) else answer

    def server(self, name):
        return self._one(self.ctl("server", "get", name))

    def agent(self, name="host1"):
        return self._one(self.ctl("agent", "get", name))

    def status(self, name, status, seconds=20.0, **more):
        def reached():
            s = self.server(name)
            return s if s["status"] == status and all(s[k] == v for k, v in more.items()) else None

        return wait_for(f"{name} is {status} {more or ''}", reached, seconds)

    def inspect(self, container):
        return json.loads(self.docker("inspect", container))[0]

    def tree(self, name, agent="host1"):
        """The folder of a server on its host."""
        return self.dir / f"data-{agent}" / name

    def data(self, name, agent="host1"):
        return self.tree(name, agent) / "data"

    def create(self, name=None, *flags, agent="host1"):
        """A running server of busybox that keeps a file in its data."""
        name = name or f"srv-{uuid.uuid4().hex[:8]}"
        self.ctl("server", "create", name, "--agent", agent, *(flags if "--template" in flags else
                                                              ("--template", "keeper", *flags)))
        if "--template" not in flags:
            wait_for("it has written its data", (self.data(name, agent) / "started").exists)
        return name

    def history(self, name):
        events = self.ctl("server", "history", name)
        return events["events"] if isinstance(events, dict) else events


KEEPER = """
name = "keeper"
description = "A small server for tests: writes a file, ends at SIGTERM"
image = "zedops/busybox"
image_tag = "test"
pull = "if-missing"
settle = "200ms"
command = ["sh", "-c", "date >> /data/started; trap 'echo saved >> /data/saved; exit 0' TERM; while :; do sleep 0.1; done"]

env_secret = ["TOKEN"]

[game_port]
first = 21000
last = 21999
step = 2

[udp_port]
game_offset = 1

[[port]]
name = "game"
proto = "udp"

[[port]]
name = "udp"
proto = "udp"

[[dir]]
name = "data"
target = "/data"

[stop]
grace = "5s"
"""


class WorldCase(unittest.TestCase):
    """A world for the whole class; each test makes servers with their own names."""

    settings = {}
    templates = {"keeper": KEEPER}
    world = None

    @classmethod
    def prepare(cls, w):
        """Prepares what has to exist before the manager starts."""

    @classmethod
    def setUpClass(cls):
        w = cls.world = World(**cls.settings)
        cls.addClassCleanup(w.close)  # also when the setUpClass of a subclass fails later
        templates = w.dir / "templates"
        templates.mkdir()
        for name, text in cls.templates.items():
            (templates / f"{name}.toml").write_text(text)
        w.settings["templates-dir"] = templates
        cls.prepare(w)
        try:
            w.start_manager().start_agent()
        except BaseException:
            print(w.log(), w.log("zedops-agent") if (w.dir / "zedops-agent.log").exists() else "")
            raise

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        r = super().run(result)
        if result and len(result.failures) + len(result.errors) > before and self.world and self.world.dir.exists():
            print("\n--- manager ---\n" + "\n".join(self.world.log().splitlines()[-40:]))
            print("--- agent ---\n" + "\n".join(self.world.log("zedops-agent").splitlines()[-40:]))
        return r

    def refused(self, code, exit_code, *args):
        """zedctl refuses with this error code and exit status; returns the error."""
        with self.assertRaises(Failed) as caught:
            self.world.ctl(*args)
        self.assertEqual(caught.exception.error["code"], code, caught.exception.error)
        self.assertEqual(caught.exception.code, exit_code)
        self.assertTrue(caught.exception.error["message"])
        return caught.exception.error
