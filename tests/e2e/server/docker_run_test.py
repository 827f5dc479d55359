"""What a user of docker run expects of one server: the documented lines of popular images, each as one create, and the
container that is made compared field by field with the one that docker makes of the line."""
import unittest
import uuid

from world import KEEPER, WorldCase

# (image, the arguments of docker run in its documentation, the same for zedctl server create). {at}: a host folder.
LINES = {
    "minecraft": (
        "itzg/minecraft-server",
        "-it -p 25565:25565 -e EULA=TRUE -e MEMORY=4G -m 6g --restart unless-stopped -v {at}/data:/data".split(),
        "--tty --stdin --port 25565:25565 --env EULA=TRUE --env MEMORY=4G --memory 6g".split()),
    "valheim": (
        "lloesche/valheim-server",
        ["--cap-add=sys_nice", "--stop-timeout", "120", "-p", "2456-2457:2456-2457/udp", "-v", "{at}/config:/config",
         "-v", "{at}/data:/opt/valheim", "-e", "SERVER_NAME=My Server", "-e", "WORLD_NAME=Neotopia", "-e",
         "SERVER_PASS=secret"],
        ["--cap-add", "sys_nice", "--stop-grace", "120s", "--port", "2456-2457:2456-2457/udp", "--folder",
         "config:/config", "--folder", "data:/opt/valheim", "--env", "SERVER_NAME=My Server", "--env",
         "WORLD_NAME=Neotopia", "--env", "SERVER_PASS=secret"]),
    "zomboid": (
        "renegademaster/zomboid-dedicated-server",
        ["--user=1000:1000", "--mount", "type=bind,source={at}/bin,target=/home/steam/ZomboidDedicatedServer", "--mount",
         "type=bind,source={at}/data,target=/home/steam/Zomboid", "--publish", "16261:16261/udp", "--publish",
         "16262:16262/udp", "--publish", "27015:27015/tcp", "--env=SERVER_NAME=zomboid"],
        ["--user", "1000:1000", "--folder", "bin:/home/steam/ZomboidDedicatedServer", "--folder",
         "data:/home/steam/Zomboid", "--port", "16261:16261/udp", "--port", "16262:16262/udp", "--port",
         "27015:27015/tcp", "--env", "SERVER_NAME=zomboid"]),
    "factorio": (
        "factoriotools/factorio",
        "-p 34197:34197/udp -p 27015:27015/tcp -v {at}/data:/factorio --restart=unless-stopped".split(),
        "--port 34197:34197/udp --port 27015:27015/tcp --folder data:/factorio".split()),
    "terraria": (
        "ryshe/terraria",
        "-it -p 7777:7777 -v {at}/data:/root/.local/share/Terraria/Worlds".split(),
        "--tty --stdin --port 7777:7777 --folder data:/root/.local/share/Terraria/Worlds".split()),
    # Not a game: the flags that the lines above do not use.
    "everything": (
        "zedops.test/everything",
        ["--entrypoint", "/bin/sleep", "-w", "/tmp", "-h", "box", "--cpus", "1.5", "-p", "127.0.0.1:28080:80", "-p",
         "[::1]:28081:81/udp", "-v", "{at}/data:/data", "-v", "/etc/hostname:/host:ro", "--tmpfs", "/run:size=64m",
         "--init", "--stop-signal", "SIGINT", "--health-cmd", "true", "--health-interval", "5s", "--health-retries", "4",
         "--label", "owner=ann", "--ulimit", "nofile=1024:2048", "--shm-size", "128m", "--log-driver", "local",
         "--log-opt", "max-size=5m", "--cap-drop", "CHOWN"],
        ["--entrypoint", "/bin/sleep", "--workdir", "/tmp", "--hostname", "box", "--cpus", "1.5", "--port",
         "127.0.0.1:28080:80", "--port", "[::1]:28081:81/udp", "--bind", "/etc/hostname:/host:ro", "--tmpfs",
         "/run:size=64m", "--init", "--stop-signal", "SIGINT", "--health-cmd", "true", "--health-interval", "5s",
         "--health-retries", "4", "--label", "owner=ann", "--ulimit", "nofile=1024:2048", "--shm-size", "128m",
         "--log-driver", "local", "--log-opt", "max-size=5m", "--cap-drop", "CHOWN"]),
}
ARGUMENTS = {"terraria": ["-world", "/root/.local/share/Terraria/Worlds/w.wld", "-autocreate", "1"],
             "everything": ["10000"]}

CONFIG = ("Cmd", "Entrypoint", "User", "WorkingDir", "Tty", "OpenStdin", "StopSignal", "Healthcheck", "ExposedPorts")
HOST = ("Memory", "NanoCpus", "ShmSize", "CapAdd", "Init", "Ulimits", "Tmpfs", "NetworkMode", "Privileged",
        "ReadonlyRootfs", "PidMode", "IpcMode", "Devices", "SecurityOpt")


def seen(c):
    """What a container was made from, in a form in which two can be compared."""
    config, host = c["Config"], c["HostConfig"]
    out = {k: config.get(k) for k in CONFIG} | {k: host.get(k) or None for k in HOST}
    out["CapAdd"] = [x.removeprefix("CAP_") for x in out["CapAdd"] or []]  # the docker client sets it, not the Engine
    out["Env"] = set(config["Env"] or [])
    out["Ports"] = {port: sorted((x["HostIp"], x["HostPort"]) for x in list)
                    for port, list in host["PortBindings"].items()}
    out["Places"] = {m["Destination"]: m["RW"] for m in c["Mounts"]}
    return out


class DockerRun(WorldCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        w = cls.world
        w.kill_agent()
        w.start_agent(flags=("--bind-paths", "/srv,/etc/hostname"))
        # Such an image without its game: it stays up, whatever its arguments.
        made = w.docker("create", "zedops/busybox:test", "true")
        for image, _, _ in LINES.values():
            w.docker("commit", "--change", 'ENTRYPOINT ["/bin/sh", "-c", "trap exit TERM INT; sleep 10000 & wait", "sh"]',
                     "--change", 'CMD []', "--change", "WORKDIR /", made, f"{image}:latest")
            cls.addClassCleanup(w.docker, "rmi", "-f", f"{image}:latest", check=False)
        w.docker("rm", made)

    def test_documented_lines_are_one_create(self):
        """[acc-3] [acc-7]"""
        w = self.world
        for title, (image, run, create) in LINES.items():
            with self.subTest(title):
                arguments = ARGUMENTS.get(title, [])
                at = w.dir / f"by-hand-{title}"
                for folder in ("data", "bin", "config"):
                    (at / folder).mkdir(parents=True)
                    (at / folder).chmod(0o777)
                theirs = w.docker("create", *(x.format(at=at) for x in run), image, *arguments)
                name = f"{title}-{uuid.uuid4().hex[:6]}"
                w.ctl("server", "create", name, "--agent", "host1", "--image", image, *create,
                      *(["--", *arguments] if arguments else []))
                ours = w.inspect(w.server(name)["container_id"])
                wanted, got = seen(w.inspect(theirs)), seen(ours)
                for key, value in wanted.items():
                    if key == "Env":
                        self.assertLessEqual(value, got[key])
                    else:
                        self.assertEqual(got[key], value, f"{title}: {key}")
                theirs = w.inspect(theirs)
                if theirs["Config"].get("StopTimeout"):
                    self.assertEqual(ours["Config"]["StopTimeout"], theirs["Config"]["StopTimeout"])
                if theirs["HostConfig"]["RestartPolicy"]["Name"] != "no":
                    self.assertEqual(ours["HostConfig"]["RestartPolicy"]["Name"],
                                     theirs["HostConfig"]["RestartPolicy"]["Name"])
                if title == "everything":
                    self.assertEqual(ours["Config"]["Hostname"], "box")
                    self.assertEqual(ours["Config"]["Labels"]["owner"], "ann")
                    self.assertEqual(ours["HostConfig"]["LogConfig"], theirs["HostConfig"]["LogConfig"])
                    self.assertIn("CHOWN", " ".join(ours["HostConfig"]["CapDrop"]))
                else:  # zedops limits what the line leaves open
                    self.assertEqual(ours["HostConfig"]["LogConfig"],
                                     {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}})
                    self.assertIn("NET_RAW", " ".join(ours["HostConfig"]["CapDrop"]))
                w.docker("rm", theirs["Id"])
                w.ctl("server", "purge", name, "--remove-data", "--yes")


class OwnSpec(WorldCase):
    templates = {"keeper": KEEPER,
                 "strict": KEEPER.replace('name = "keeper"', 'name = "strict"\nlocked = ["memory_max", "binds"]')}

    def container(self, name):
        return self.world.inspect(self.world.server(name)["container_id"])

    def test_an_edit_waits_for_a_rebuild(self):
        """[acc-7]"""
        w = self.world
        name = w.create(None, "--memory", "64m", "--port", "28100:80")
        self.assertEqual(w.server(name)["spec"]["memory_max"], 64 << 20)
        would = w.ctl("server", "edit", name, "--memory", "128m", "--user", "0", "--dry-run")["plan"]
        self.assertIn("spec.memory_max: 64.0 MiB -> 128 MiB", would)
        self.assertFalse(w.server(name)["pending_rebuild"])
        w.ctl("server", "edit", name, "--memory", "128m", "--reset", "ports", "--port", "28101:80")
        s = w.server(name)
        self.assertTrue(s["pending_rebuild"])
        self.assertIn("pending_rebuild", s["condition"])
        self.assertEqual(self.container(name)["HostConfig"]["Memory"], 64 << 20)
        self.assertRegex(w.ctl_raw("server", "describe", name).stdout, r"memory_max: 128 MiB")
        w.ctl("server", "rebuild", name)
        host = self.container(name)["HostConfig"]
        self.assertEqual(host["Memory"], 128 << 20)
        self.assertEqual(host["PortBindings"]["80/tcp"], [{"HostIp": "", "HostPort": "28101"}])
        # The released port is free for another server; the current one is not.
        self.assertIn("28101", self.refused("port_conflict", 4, "server", "create", "other-one", "--agent", "host1",
                                            "--template", "keeper", "--port", "28101")["message"])
        other = w.create(None, "--port", "28100")
        taken = self.refused("port_conflict", 4, "server", "edit", other, "--port", "28101")
        self.assertIn(name, taken["message"])
        self.refused("port_conflict", 4, "server", "edit", other, "--port", "28101", "--dry-run")
        w.ctl("server", "rm", name)
        self.refused("port_conflict", 4, "server", "edit", other, "--port", "28101")
        w.ctl("server", "purge", name, "--remove-data", "--yes")
        w.ctl("server", "edit", other, "--port", "28101")

    def test_what_is_only_in_the_container_is_reported(self):
        """[fc-10]"""
        w = self.world
        name = w.create()
        self.assertNotIn("In container only", w.ctl_raw("server", "describe", name).stdout)
        w.docker("exec", w.server(name)["container_id"], "sh", "-c",
                 "mkdir -p /opt/game && for i in 1 2 3; do echo $i > /opt/game/$i; done; echo x > /tmp/x")
        self.assertRegex(w.ctl_raw("server", "describe", name).stdout,
                         r"In container only: +3 files, .* in all: /opt/game \(3\); lost at the next rebuild")
        would = w.ctl_raw("server", "rebuild", name, "--dry-run").stdout
        self.assertIn("lost with its container: 3 files", would)
        w.ctl("server", "rebuild", name)
        self.assertNotIn("In container only", w.ctl_raw("server", "describe", name).stdout)

    def test_the_host_says_what_may_be_mounted(self):
        w = self.world
        error = self.refused("forbidden", 5, "server", "create", "curious", "--agent", "host1", "--template", "keeper",
                             "--bind", "/etc:/host-etc:ro")
        self.assertIn("does not permit mounting /etc", error["message"])
        self.assertIn("bind_paths", error["hint"])
        (w.dir / "maps").mkdir()
        (w.dir / "maps/way-out").symlink_to("/etc")
        w.kill_agent()
        w.start_agent(flags=("--bind-paths", w.dir / "maps"))
        name = w.create(None, "--bind", f"{w.dir}/maps:/maps:ro")
        self.assertIn({"Source": str(w.dir / "maps"), "Destination": "/maps", "RW": False},
                      [{k: m[k] for k in ("Source", "Destination", "RW")} for m in self.container(name)["Mounts"]])
        before = self.container(name)["Id"]
        w.ctl("server", "edit", name, "--bind", f"{w.dir}/maps/way-out:/maps:ro")
        error = self.refused("forbidden", 5, "server", "rebuild", name)
        self.assertIn("which is /etc", error["message"])
        now = self.container(name)
        self.assertEqual((now["Id"], now["State"]["Running"]), (before, True))  # nothing was stopped for it

    def test_what_a_template_locks_is_refused(self):
        error = self.refused("forbidden", 5, "server", "create", "greedy", "--agent", "host1", "--template", "strict",
                             "--memory", "1g")
        self.assertIn("memory_max is locked by template strict", error["message"])

    def test_files_recreate_what_get_has_shown(self):
        w = self.world
        files = w.dir / "servers"
        files.mkdir(exist_ok=True)
        name = w.create(None, "--env", "A=1", "--env", "TOKEN=s3cret", "--memory", "64m", "--port", "28120:80/tcp",
                        "--folder", "mods:/mods:ro", "--stop-grace", "7s")
        shown = w.ctl_raw("server", "get", name, "-o", "yaml").stdout
        self.assertNotIn("s3cret", shown)
        file = files / f"{name}.yaml"
        file.write_text(shown)
        before = w.server(name)
        out = w.ctl_raw("server", "apply", "-f", files)
        self.assertEqual((out.returncode, out.stdout), (0, f"{name} is up to date\n"), out.stderr)
        self.assertEqual(w.server(name)["revision"], before["revision"])

        # One changed value, one removed, and one that the view has masked.
        file.write_text(shown.replace("67108864", "96MiB").replace("  A: \"1\"\n", ""))
        self.assertIn("spec.memory_max: 64.0 MiB -> 96.0 MiB", w.ctl_raw("server", "apply", "-f", files, "--dry-run").stdout)
        w.ctl("server", "apply", "-f", files, "--rebuild")
        s = w.server(name)
        self.assertEqual((s["spec"]["memory_max"], "A" in s["config"], s["pending_rebuild"]), (96 << 20, False, False))
        env = self.container(name)["Config"]["Env"]
        self.assertIn("TOKEN=s3cret", env)
        self.assertEqual(self.container(name)["HostConfig"]["Memory"], 96 << 20)

        # What cannot be changed is reported before anything is changed.
        two = files / "zz-other.yaml"
        two.write_text(f"name: {name}\nagent: host1\ntemplate: strict\n")
        file.write_text(shown)
        error = self.refused("bad_request", 2, "server", "apply", "-f", files)
        self.assertIn("zz-other.yaml", error["message"])
        self.assertEqual(w.server(name)["spec"]["memory_max"], 96 << 20)
        two.unlink()

        # Purged completely, the file recreates it.
        w.ctl("server", "purge", name, "--remove-data", "--yes")
        file.write_text(shown.replace("'***'", "again").replace('"***"', "again").replace("***", "again"))
        w.ctl("server", "create", "-f", file)
        again = w.server(name)
        for key in ("name", "template", "image", "image_tag", "game_port", "server_data_path", "spec", "crash_policy",
                    "recovery", "priority"):
            self.assertEqual(again[key], before[key], key)
        w.ctl("server", "purge", name, "--remove-data", "--yes")
        self.assertEqual(w.ctl_raw("server", "apply", "-f", files).returncode, 0)
        w.status(name, "running")

    def test_adopt_keeps_the_options_of_docker_run(self):
        """[fc-24]"""
        w = self.world
        by_hand = w.dir / "by-hand"
        for folder in ("config", "mods"):
            (by_hand / folder).mkdir(parents=True)
            (by_hand / folder / "file").write_text(folder)
        w.docker("run", "-d", "--name", "hand-made", "-m", "64m", "--ulimit", "nofile=512", "-u", "0:0", "--init", "-p",
                 "28130:80", "-v", f"{by_hand}/config:/config", "-v", f"{by_hand}/mods:/mods", "--label", "owner=ann", "--label", "zedops.note=x",
                 "--stop-timeout", "3", "zedops/busybox:test", "sleep", "10000")
        wish = ("server", "adopt", "hand-made", "--container", "hand-made", "--agent", "host1", "--template", "generic",
                "--folder", "data:/config")
        error = self.refused("bad_request", 2, *wish)
        self.assertIn("mount /mods", error["message"])
        w.ctl(*wish, "--folder", "mods:/mods")
        c = self.container("hand-made")
        self.assertEqual(c["HostConfig"]["Memory"], 64 << 20)
        self.assertEqual(c["HostConfig"]["Ulimits"], [{"Name": "nofile", "Hard": 512, "Soft": 512}])
        self.assertEqual((c["Config"]["User"], c["HostConfig"]["Init"]), ("0:0", True))
        self.assertEqual(c["Config"]["Cmd"], ["sleep", "10000"])
        self.assertEqual(c["HostConfig"]["PortBindings"], {"80/tcp": [{"HostIp": "", "HostPort": "28130"}]})
        self.assertEqual(c["Config"]["Labels"]["owner"], "ann")
        for folder, name in (("config", "data"), ("mods", "mods")):
            self.assertEqual((w.tree("hand-made") / name / "file").read_text(), folder)
        self.assertEqual(w.server("hand-made")["spec"]["stop_grace"], 3000)


if __name__ == "__main__":
    unittest.main()
