"""Container services on a real Engine behind a real Caddy: the new one beside the old one, built or as an image,
switched under load, killed in the middle, repaired, rolled back. [acc-79] [acc-82] [acc-85] [acc-86] [acc-88]"""
import json
import os
import shutil
import signal
import time
import unittest
import urllib.request

from caddy import Caddy
from images import SERVE, web_server
from visitors import Visitors
from web import free_port
from world import Failed, WorldCase, wait_for

SWITCHES = int(os.environ.get("ZEDOPS_SWITCHES", "5"))


class Services(WorldCase):
    settings = {"retention": "5s"}  # as long as the clock has to run evenly before anything expires
    TLS = False

    @classmethod
    def prepare(cls, w):
        cls.caddy = Caddy(w.dir, cls.TLS)
        cls.count = 0
        w.agent_flags = ("--caddy-admin", f"127.0.0.1:{cls.caddy.admin}", "--caddy-listen", cls.caddy.listen,
                         "--stray-grace", "3s")

    @classmethod
    def tearDownClass(cls):
        cls.caddy.stop()
        super().tearDownClass()

    def setUp(self):
        type(self).count += 1
        self.project = f"shop{self.count}"
        self.name = f"{self.project}/api"
        self.host = f"api{self.count}.example.org"
        self.world.ctl("project", "create", self.project)
        self.sources = self.world.dir / f"sources-{self.count}"

    def create(self, *flags):
        self.world.ctl("service", "create", self.name, "--agent", "host1", "--kind", "container", "--container-port", 3000,
                       *(flags or ("--route", "caddy", "--host", self.host)))

    def deploy(self, text, *flags):
        return self.world.ctl("deploy", self.name, "--image", web_server(text), *flags)

    def service(self):
        return self.world.ctl("service", "get", self.name)

    def deployment(self, number=None, name=None):
        r = self.world.ctl("deploy", "get", (name or self.name) + (f"#{number}" if number else ""))
        return r[0] if isinstance(r, list) else r

    def ended(self, number, seconds=60, name=None):
        return wait_for(f"#{number} has ended", lambda: (d := self.deployment(number, name))["ended_at"] and d, seconds)

    def containers(self):
        return self.world.docker("ps", "-aq", "--no-trunc", "--filter", f"label=zedops.service.id={self.service()['id']}").split()

    def source(self, *lines):
        self.sources.mkdir(exist_ok=True)
        shutil.copy("/bin/busybox", self.sources / "busybox")
        (self.sources / "www").mkdir(exist_ok=True)
        (self.sources / "www/index.html").write_text("built")
        (self.sources / "secret.env").write_text("not for the image")
        (self.sources / ".dockerignore").write_text("*.env\n")
        (self.sources / "Dockerfile").write_text("\n".join(
            ["FROM scratch", "COPY . /", "RUN [\"/busybox\", \"mkdir\", \"/bin\"]", "RUN [\"/busybox\", \"cp\", \"/busybox\", \"/bin/busybox\"]",
             *lines, f"CMD {json.dumps(SERVE)}", ""]))
        return self.sources

    def visible(self, text):
        return wait_for(f"visitors see {text}", lambda: self.look() == (200, text), 20)

    def visit(self):
        return self.caddy.visit(self.host)

    def look(self):
        try:
            return self.visit()
        except OSError:
            return None


class Containers(Services):
    def test_switched_under_load_and_back(self):
        """[acc-79] [acc-86] [fc-49]"""
        self.create("--route", "caddy", "--host", self.host, "--env", "KEY=secret")
        d = self.deploy("one")["deployment"]
        self.assertEqual((d["status"], d["url"]), ("success", f"http://{self.host}/"))
        self.assertEqual(len(d["phases"]), 8)
        self.visible("one")
        readers = Visitors(self.visit)
        for n in range(SWITCHES):
            self.deploy(f"version {n}")
        r = self.world.ctl("rollback", self.name)
        self.assertEqual(r["service"]["current"], SWITCHES)
        readers.end()
        self.assertEqual(readers.failed, [])
        self.assertTrue({f"version {n}" for n in range(SWITCHES)} <= set(readers.seen))
        self.visible(f"version {SWITCHES - 2}")
        self.assertEqual(len(self.containers()), 1)
        print(f"{SWITCHES + 1} switches, {len(readers.seen)} visits, none failed")
        # Secrets are never shown.
        self.assertEqual(self.service()["settings"]["env"], {"KEY": "***"})
        self.assertNotIn("secret", self.world.ctl_raw("service", "history", self.name, "-o", "json").stdout)
        self.assertIn("KEY=secret", self.world.docker("inspect", "-f", "{{.Config.Env}}", self.containers()[0]))

    def test_built_from_a_folder_with_its_log(self):
        """[acc-79] [acc-83]"""
        self.create()
        self.world.ctl("deploy", self.name, "--dir", self.source())
        self.visible("built")
        log = self.world.ctl_raw("deploy", "logs", self.name).stdout
        self.assertIn("COPY . /", log)
        listed = self.world.docker("run", "--rm", self.deployment()["phase_metadata"]["image"], "/busybox", "ls", "/")
        self.assertNotIn("secret.env", listed)
        # A failed build shows its last lines, and the old one keeps serving.
        with self.assertRaises(Failed) as no:
            self.world.ctl("deploy", self.name, "--dir",
                           self.source('RUN ["/busybox", "sh", "-c", "echo here it breaks; exit 3"]'))
        self.assertIn("here it breaks", str(no.exception))
        self.assertEqual(self.look(), (200, "built"))
        self.assertEqual(self.deployment()["phase_metadata"]["ended_in"], "building")
        with self.assertRaises(Failed) as no:
            (self.sources / "Dockerfile").unlink()
            self.world.ctl("deploy", self.name, "--dir", self.sources)
        self.assertIn("has no Dockerfile", str(no.exception))

    def test_a_retry_uses_the_same_image(self):
        """[acc-82]"""
        tag = f"zedops-test/{self.project}:latest"
        self.addCleanup(self.world.docker, "rmi", tag)
        self.create()
        self.world.docker("tag", web_server("one"), tag)
        self.world.ctl("deploy", self.name, "--image", tag)
        self.world.docker("tag", web_server("two"), tag)
        self.world.ctl("deploy", self.name, "--image", tag)
        self.visible("two")
        self.world.ctl("deploy", "retry", f"{self.name}#1")
        self.visible("one")
        self.assertEqual(self.deployment(3)["source"]["digest"], self.deployment(1)["source"]["digest"])

    def test_a_rollback_uses_the_health_path_of_its_time(self):
        self.create("--route", "caddy", "--host", self.host, "--health-path", "/index.html")
        self.deploy("one")
        self.deploy("two")
        self.world.ctl("service", "edit", self.name, "--health-path", "/nowhere")
        self.assertEqual(self.world.ctl("rollback", self.name)["service"]["current"], 1)
        with self.assertRaises(Failed) as no:
            self.deploy("three")
        self.assertIn("/nowhere", str(no.exception))
        self.visible("one")

    def test_cancelled_in_the_build_it_ends_within_two_seconds(self):
        self.create()
        self.world.ctl_raw("deploy", self.name, "--no-wait", "--dir", self.source('RUN ["/busybox", "sleep", "600"]'))
        wait_for("it builds", lambda: "Step 5" in self.world.ctl_raw("deploy", "logs", self.name).stdout, 30)
        begun = time.monotonic()
        self.world.ctl("deploy", "cancel", self.name)
        self.assertEqual(self.ended(1)["status"], "cancelled")
        wait_for("nothing of the build runs",
                 lambda: "sleep 600" not in self.world.docker("ps", "--no-trunc", "--format", "{{.Command}}"), 10)
        self.assertLess(time.monotonic() - begun, 5)
        self.deploy("after")
        self.visible("after")

    def test_both_processes_killed_in_the_build(self):
        """[acc-82]"""
        self.create()
        self.deploy("one")
        self.visible("one")
        readers = Visitors(self.visit, 1)
        self.world.ctl_raw("deploy", self.name, "--no-wait", "--dir", self.source('RUN ["/busybox", "sleep", "3"]'))
        wait_for("it builds", lambda: "Step 5" in self.world.ctl_raw("deploy", "logs", self.name).stdout, 30)
        self.world.kill_manager()
        self.world.kill_agent(signal.SIGKILL)
        self.world.start_manager()
        self.world.start_agent()
        self.assertEqual(self.ended(2)["status"], "success")
        self.visible("built")
        self.assertEqual(readers.end().failed, [])
        self.assertEqual(len(self.containers()), 1)

    def test_manual_changes_are_repaired(self):
        """[acc-88] [fc-58]"""
        self.create()
        self.deploy("one")
        self.visible("one")
        former = self.containers()[0]
        begun = time.monotonic()
        self.world.docker("rm", "-f", former)
        self.visible("one")
        print(f"removed by hand, back after {time.monotonic() - begun:.2f} s")
        self.assertNotEqual(self.containers(), [former])
        wait_for("the log is that of the new container",
                 lambda: "it serves" in self.world.ctl_raw("service", "logs", self.name).stdout)
        self.world.docker("stop", self.containers()[0])
        self.visible("one")
        self.assertEqual(self.caddy.ask("DELETE", f"/id/zedops-{self.service()['id']}")[0], 200)
        self.assertNotEqual(self.look(), (200, "one"))
        self.visible("one")
        routes = self.caddy.routes()
        self.caddy.stop()
        self.caddy.start()
        self.visible("one")
        # Also those of other tests' services: each changes the configuration, which would disturb the next test.
        wait_for("all routes are back", lambda: self.caddy.routes() == routes, 30)
        self.assertIn("started again", self.world.ctl_raw("service", "history", self.name).stdout)
        wait_for("the service is reported healthy", lambda: self.service()["health"] == "healthy")

    def test_one_that_runs_but_is_unhealthy_is_restarted(self):
        """[acc-80] [fc-55]"""
        self.create("--route", "caddy", "--host", self.host, "--health-path", "/index.html")
        heals = ["/bin/busybox", "sh", "-c", "echo well > /www/index.html; trap 'exit 0' TERM; /bin/busybox httpd -f -p 3000 -h /www & wait"]
        self.world.ctl("deploy", self.name, "--image", web_server("one", heals))
        self.visible("well")
        self.world.docker("exec", self.containers()[0], "/bin/busybox", "rm", "/www/index.html")
        wait_for("the service is reported unhealthy", lambda: self.service()["health"] == "unhealthy", 60)
        self.assertIn("HTTP 404 for /index.html", self.service()["health_reason"])
        self.visible("well")
        wait_for("it is healthy again", lambda: self.service()["health"] == "healthy", 30)

    def test_one_that_does_not_answer(self):
        """[acc-85]"""
        self.create()
        self.deploy("one")
        self.visible("one")
        readers = Visitors(self.visit, 1)
        with self.assertRaises(Failed) as no:
            self.world.ctl("deploy", self.name, "--image", web_server("two", ["/bin/busybox", "sh", "-c", "echo no such port; exit 7"]))
        self.assertIn("exit code 7", str(no.exception))
        self.assertIn("no such port", str(no.exception))
        self.assertEqual(readers.end().failed, [])
        self.assertEqual(set(readers.seen), {"one"})
        self.assertEqual((self.service()["current"], self.deployment()["status"]), (1, "failed"))
        self.assertEqual(len(self.containers()), 1)

    def test_the_next_waits_and_the_newest_counts(self):
        self.create()
        self.deploy("one")
        for text in ("two", "three", "four"):
            self.world.ctl_raw("deploy", self.name, "--image", web_server(text), "--no-wait")
        self.assertEqual(self.ended(4)["status"], "success")
        self.assertEqual([self.deployment(n)["status"] for n in (2, 3, 4)], ["cancelled", "cancelled", "success"])
        self.visible("four")

    def test_many_at_once(self):
        """Each new route makes Caddy reopen its listeners, including that of its admin API."""
        names = [f"{self.project}/s{n}" for n in range(8)]
        for n, name in enumerate(names):
            self.world.ctl("service", "create", name, "--agent", "host1", "--kind", "container", "--container-port", 3000,
                           "--route", "caddy", "--host", f"s{n}.{self.host}")
        one = web_server("one")
        for name in names:
            self.world.ctl_raw("deploy", name, "--image", one, "--no-wait")
        self.assertEqual([(d["status"], d.get("error")) for d in (self.ended(1, 90, name) for name in names)], [("success", None)] * 8)

    def test_stopped_by_a_user_and_removed(self):
        self.create("--port", free_port())
        self.deploy("one")
        id = self.service()["id"]
        url = self.service()["url"].replace(self.service()["url"].split("//")[1].split(":")[0], "127.0.0.1")
        self.assertEqual(urllib.request.urlopen(url, timeout=10).read(), b"one")
        self.world.ctl("service", "stop", self.name)
        self.assertTrue(self.service()["stopped"])
        self.assertEqual(self.world.docker("inspect", "-f", "{{.State.Running}}", self.containers()[0]).strip(), "false")
        self.world.ctl("service", "start", self.name)
        self.assertEqual(urllib.request.urlopen(url, timeout=10).read(), b"one")
        self.world.ctl("service", "rm", self.name, "--yes")
        self.assertEqual(self.world.docker("ps", "-aq", "--filter", f"label=zedops.service.id={id}"), "")
        self.assertNotIn(id, self.world.docker("images", "--format", "{{.Repository}}"))

    def test_a_container_of_an_unknown_service_is_removed_and_no_other(self):
        """[acc-89]"""
        self.create()
        self.deploy("one")
        manager = self.world.ctl("status")["manager_id"]
        label = lambda service: ("--label", "zedops.managed=true", "--label", f"zedops.manager={manager}", "--label", f"zedops.service.id={service}")
        run = lambda *args: self.world.docker("run", "-d", *args, "zedops/busybox:test", "sleep", "1000").strip()
        stray, anothers = run(*label("vunknown")), run("--label", "zedops.managed=true", "--label", "zedops.manager=mother",
                                                       "--label", "zedops.service.id=vunknown")
        self.addCleanup(self.world.docker, "rm", "-f", anothers)
        wait_for("the stray is gone", lambda: stray not in self.world.docker("ps", "-aq", "--no-trunc"), 40)
        self.assertIn("stray.removed", self.world.log("zedops-agent"))
        self.assertIn(anothers, self.world.docker("ps", "-aq", "--no-trunc"))
        self.assertEqual(self.look(), (200, "one"))

    def test_strays_are_listed_and_removed_on_request(self):
        manager = self.world.ctl("status")["manager_id"]
        self.world.docker("run", "-d", "--name", f"lost{self.count}", "--label", "zedops.managed=true", "--label",
                          f"zedops.manager={manager}", "--label", "zedops.service.id=vlost", "zedops/busybox:test", "sleep", "1000")
        listed = self.world.ctl("stray", "ls")["strays"]
        self.assertEqual([(x["container"], x["of"], x["agent"], x["running"]) for x in listed],
                         [(f"lost{self.count}", "vlost", "host1", True)])
        plan = self.world.ctl_raw("reconcile", "--dry-run").stdout
        self.assertIn(f"container lost{self.count}: is a stray", plan)
        self.assertIn("would stop and remove", self.world.ctl_raw("stray", "rm", f"lost{self.count}", "--agent", "host1", "--dry-run").stdout)
        self.world.ctl("stray", "rm", f"lost{self.count}", "--agent", "host1", "--yes")
        self.assertEqual(self.world.ctl("stray", "ls")["strays"], [])
        with self.assertRaises(Failed) as e:  # a container that is no stray is left alone
            self.world.ctl("stray", "rm", "nobody", "--agent", "host1", "--yes")
        self.assertIn("is not a stray container", str(e.exception))
        self.assertEqual([a["agent"] for a in self.world.ctl("reconcile")["agents"]], ["host1"])

    def test_a_preview_has_its_own_name_and_expires(self):
        self.world.ctl("project", "edit", self.project, "--domain", f"{self.project}.example.org")
        self.create("--route", "caddy", "--host", self.host, "--env", "KEY=secret")
        self.deploy("one")
        self.visible("one")
        preview, host = f"{self.project}/pr-12", f"pr-12.{self.project}.example.org"
        d = self.world.ctl("preview", self.name, "--as", "pr-12", "--lives", "10s", "--image", web_server("preview"))
        self.assertEqual((d["deployment"]["environment"], d["service"]["url"]), ("preview", f"http://{host}/"))
        wait_for("the preview is served", lambda: self.caddy.visit(host) == (200, "preview"))
        self.assertEqual(self.look(), (200, "one"))
        v = self.world.ctl("service", "get", preview)
        self.assertEqual((v["preview_of"], v["settings"]["env"]), ("api", {"KEY": "***"}))
        # The same command again renews its lifetime, without another service.
        self.world.ctl("preview", self.name, "--as", "pr-12", "--image", web_server("again"))
        self.assertGreater(self.world.ctl("service", "get", preview)["expires_at"], v["expires_at"])

        def gone():
            try:
                return self.world.ctl("service", "get", preview) and False
            except Failed as e:
                return e.error["code"] == "not_found"
        wait_for("the preview has expired", gone, 40)
        self.assertNotEqual(self.caddy.visit(host), (200, "again"))
        self.assertEqual(self.world.docker("ps", "-aq", "--filter", f"label=zedops.service.id={v['id']}"), "")
        self.assertEqual(self.look(), (200, "one"))
        with self.assertRaises(Failed) as e:
            self.world.ctl("preview", self.name, "--as", "api", "--image", web_server("x"))
        self.assertIn("is not a preview of", str(e.exception))

    def test_commands_before_and_after(self):
        self.create("--route", "caddy", "--host", self.host, "--health", "tcp", "--env", "KEY=seen",
                    *(x for w in ("/bin/busybox", "sh", "-c", "echo migrates $KEY") for x in ("--before-start", w)),
                    *(x for w in ("/bin/busybox", "sh", "-c", "echo warms up; exit 5") for x in ("--after-switch", w)))
        d = self.deploy("one")["deployment"]
        self.assertEqual((d["status"], d["phase_metadata"]["health"]), ("success", "it listens on its port"))
        self.visible("one")
        log = self.world.ctl_raw("deploy", "logs", self.name).stdout
        self.assertIn("migrates seen", log)
        self.assertIn("warms up", log)
        self.world.ctl("service", "edit", self.name, *(x for w in ("/bin/busybox", "sh", "-c", "echo cannot; exit 4") for x in ("--before-start", w)))
        with self.assertRaises(Failed) as no:
            self.deploy("two")
        self.assertIn("the command before the start ended with exit code 4", str(no.exception))
        self.assertIn("cannot", str(no.exception))
        self.assertEqual(self.look(), (200, "one"))
        self.assertEqual(len(self.containers()), 1)
        self.assertEqual(self.world.docker("ps", "-aq", "--filter", "label=zedops.build"), "")

    def test_a_static_service_under_its_own_name(self):
        folder = self.world.dir / f"site-{self.count}"
        (folder / "sub").mkdir(parents=True)
        (folder / "index.html").write_text("at home")
        (folder / "sub/index.html").write_text("below")
        name, host = f"{self.project}/web", f"www{self.count}.example.org"
        self.world.ctl("service", "create", name, "--agent", "host1", "--route", "caddy", "--host", host)
        d = self.world.ctl("deploy", name, "--dir", folder)
        self.assertEqual(d["service"]["url"], f"http://{host}/")
        self.assertEqual(self.caddy.visit(host), (200, "at home"))
        self.assertEqual(self.caddy.visit(host, "/sub/"), (200, "below"))
        # A redirect of the web server does not show the folder of the service.
        self.assertEqual(self.caddy.visit(host, "/sub")[0], 301)
        self.assertTrue(self.caddy.heads["location"].endswith("/sub/") and "/web/" not in self.caddy.heads["location"],
                        self.caddy.heads)
        self.assertEqual(self.caddy.ask("DELETE", f"/id/zedops-{d['service']['id']}")[0], 200)
        wait_for("the route is restored", lambda: self.caddy.visit(host) == (200, "at home"))
        with self.assertRaises(Failed) as e:
            self.world.ctl("service", "edit", name, "--route", "traefik", "--host", host)
        self.assertIn("--route caddy", str(e.exception))
        self.world.ctl("service", "rm", name, "--yes")
        self.assertNotEqual(self.caddy.visit(host), (200, "at home"))

    def test_what_cannot_work_is_refused(self):
        with self.assertRaises(Failed) as e:
            self.create("--host", self.host)
        self.assertIn("need a proxy that routes", str(e.exception))
        with self.assertRaises(Failed) as e:
            self.create("--route", "caddy")
        self.assertIn("needs the host names", str(e.exception))
        self.create()
        with self.assertRaises(Failed) as e:
            self.world.ctl("service", "create", f"{self.project}/other", "--agent", "host1", "--kind", "container",
                           "--container-port", 3000, "--route", "caddy", "--host", self.host)
        self.assertIn(f"{self.host} leads to {self.name} already", str(e.exception))
        with self.assertRaises(Failed) as e:
            self.world.ctl("deploy", self.name, "--image", "sha256:" + "0" * 64)
        self.assertIn("is not on this host", str(e.exception))


class Secured(Services):
    TLS = True

    def test_a_name_gets_a_certificate(self):
        self.create()
        self.deploy("one")
        self.visible("one")
        self.deploy("two")
        self.visible("two")
        # Checked as a visitor connects, through TLS.
        self.assertEqual(self.deployment(2)["phase_metadata"]["visitors"], f"HTTP 200 at {self.host}")


if __name__ == "__main__":
    unittest.main()
