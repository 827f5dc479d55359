"""Manager, agent and zedctl as an ordinary user who may open the Engine's socket: no root, no flags, XDG folders."""
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

from world import BIN, KEEPER, docker_host, wait_for

UID = 54321  # an unused uid: no name, no home on the system


class User:
    """A user with a home, a runtime folder as a login makes it, and the group of the Engine's socket."""

    def __init__(self, uid=UID, groups=()):
        self.uid, self.groups = uid, groups
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="zedops-user-", dir="/tmp"))
        self.env = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run"), "DOCKER_HOST": docker_host(),
                    "PATH": os.environ["PATH"], "NO_COLOR": "1"}
        (self.home / "run").mkdir(mode=0o700)
        for path in (self.home, self.home / "run"):
            os.chown(path, uid, uid)
        self.processes = []

    def as_user(self, *command):
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), *groups, "--no-new-privs",
                *map(str, command)]

    def command(self, program, *flags, within=()):
        return [*within, *self.as_user(BIN / program, *flags)]

    def reaches(self, path):
        return subprocess.run(self.as_user("test", "-e", path)).returncode == 0

    def run(self, program, *flags, without=(), within=()):
        env = {k: v for k, v in self.env.items() if k not in without}
        return subprocess.run(self.command(program, *flags, within=within), capture_output=True, text=True, env=env,
                              cwd="/", stdin=subprocess.DEVNULL, timeout=90)

    def start(self, program, *flags):
        with open(self.home / f"{program}.log", "ab") as log:
            p = subprocess.Popen(self.command(program, *flags), stdout=log, stderr=log, env=self.env, cwd="/",
                                 stdin=subprocess.DEVNULL)
        self.processes.append(p)
        return p

    def log(self, program):
        return (self.home / f"{program}.log").read_text()

    def ctl(self, *args):
        r = self.run("zedctl", "-o", "json", *args)
        if r.returncode != 0:
            raise AssertionError(f"zedctl {args}: {r.returncode} {r.stderr}")
        return json.loads(r.stdout)

    def server(self, name):
        found = self.ctl("server", "get", name)
        return found[0] if isinstance(found, list) else found

    def is_(self, name, status):
        return wait_for(f"{name} is {status}", lambda: (s := self.server(name))["status"] == status and s)

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def socket_groups():
    """The groups that may open the Engine's socket: the access for users who are not root."""
    socket = os.stat(docker_host().removeprefix("unix://"))
    assert socket.st_mode & stat.S_IWGRP, "the Engine's socket is closed to its group"
    return (socket.st_gid,)


@unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
class Unprivileged(unittest.TestCase):
    def setUp(self):
        self.user = User(groups=socket_groups())
        self.addCleanup(self.user.close)
        engine = pathlib.Path(docker_host().removeprefix("unix://"))
        if not self.user.reaches(BIN / "zedctl") or not self.user.reaches(engine):
            self.skipTest(f"others may not enter the folders of {BIN} or {engine}, as in a checkout below /root")

    def online(self):
        u = self.user
        u.manager = u.start("zedops-manager", "--templates-dir", self.templates())
        wait_for("the manager's answer", lambda: u.run("zedctl", "status").returncode == 0)
        u.agent = u.start("zedops-agent", "--name", "host1")
        wait_for("the agent is online", lambda: [a["status"] for a in u.ctl("agent", "ls")["agents"]] == ["online"])

    def templates(self):
        folder = self.user.home / "templates"
        folder.mkdir(exist_ok=True)
        (folder / "keeper.toml").write_text(KEEPER)
        return folder

    def remove_containers(self):
        env = {**os.environ, "DOCKER_HOST": docker_host()}
        ids = subprocess.run(["docker", "ps", "-aq", "--filter", "label=zedops.managed=true"], env=env,
                             capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run(["docker", "rm", "-f", *ids], env=env, capture_output=True)

    def test_the_main_job_needs_neither_root_nor_flags(self):
        u = self.user
        self.online()
        self.addCleanup(self.remove_containers)
        u.ctl("server", "create", "web", "--agent", "host1", "--template", "keeper")
        data = u.home / ".local/state/zedops/servers/web/data"
        wait_for("it has written its data", (data / "started").exists)
        self.assertEqual((u.home / "run/zedops/clients.ipc").stat().st_uid, UID)
        for folder in (data, u.home / ".local/state/zedops-agent", u.home / ".local/state/zedops"):
            self.assertEqual(folder.stat().st_uid, UID, folder)

        container = u.is_("web", "running")["container_id"]
        subprocess.run(["docker", "rm", "-f", container], env={**os.environ, "DOCKER_HOST": docker_host()}, check=True,
                       capture_output=True)
        self.assertTrue(u.is_("web", "missing")["data_exists"])
        u.manager.send_signal(signal.SIGKILL)
        u.manager.wait()
        self.online_again()
        u.ctl("server", "start", "web")
        u.is_("web", "running")
        u.ctl("server", "purge", "web", "--remove-data", "--yes")
        self.assertFalse(data.exists())
        for process in (u.agent, u.manager):
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)

    def online_again(self):
        u = self.user
        u.manager = u.start("zedops-manager", "--templates-dir", self.templates())
        wait_for("the agent is back", lambda: u.run("zedctl", "status").returncode == 0 and
                 [a["status"] for a in u.ctl("agent", "ls")["agents"]] == ["online"])

    def test_without_a_runtime_folder_the_refusal_names_the_remedy(self):
        for program, flag in (("zedops-manager", "--runtime-dir"), ("zedops-agent", "--manager")):
            r = self.user.run(program, without=["XDG_RUNTIME_DIR"])
            self.assertEqual(r.returncode, 78, r.stderr)
            self.assertIn(f"give {flag} or set XDG_RUNTIME_DIR", r.stderr)

    def test_a_closed_engine_is_named_with_its_remedy(self):
        self.user.groups = ()
        self.online()
        wait_for("the agent says why", lambda: "ermission denied" in self.user.log("zedops-agent"))
        self.assertRegex(self.user.log("zedops-agent"), "group.*docker|docker.*group")
        doctor = self.user.run("zedctl", "doctor")
        self.assertEqual(doctor.returncode, 1)
        self.assertIn("check that the agent may open the Engine's socket", doctor.stdout)

    def test_a_folder_of_another_user_is_refused_by_name(self):
        closed = self.user.home / "closed"
        closed.mkdir(mode=0o700)
        for program, flag in (("zedops-manager", "--data-dir"), ("zedops-agent", "--state-dir")):
            r = self.user.run(program, flag, closed / "state")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(str(closed / "state"), r.stderr)

    def test_a_member_of_the_group_finds_the_manager_of_the_machine(self):
        """The manager as a service in /run/zedops, and a user with a separate login."""
        u = self.user
        self.online()
        person = User(UID + 1, groups=(UID,))
        self.addCleanup(person.close)
        # A private /run for this one command: the machine's is not touched.
        run = u.home / "run/zedops"
        here = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /run && mkdir /run/zedops && mount --bind {run} /run/zedops "
                "&& exec \"$@\"", "-"]
        seen = person.run("zedctl", "status", within=here)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        stranger = User(UID + 2)
        self.addCleanup(stranger.close)
        refused = stranger.run("zedctl", "status", within=here)
        self.assertEqual(refused.returncode, 5, refused.stderr)
        self.assertIn("join the group", refused.stderr)


if __name__ == "__main__":
    unittest.main()
