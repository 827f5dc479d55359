"""Static services on a real Engine: deployed from a folder, switched under load, killed in the middle, repaired after
manual changes to the links, rolled back. [acc-79] [acc-82] [acc-83] [acc-86] [acc-87] [acc-88]"""
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
import unittest
import urllib.error
import urllib.request

from images import project_server
from visitors import Visitors
from web import WebCase, free_port
from world import BIN, Failed, WorldCase, wait_for

PHASES = ["queued", "pulling_source", "building", "copying_files", "creating_symlinks", "updating_routes", "health_check", "active"]


def fetch(url):
    """Status and text; a refusal is an answer, too."""
    try:
        with urllib.request.urlopen(url, timeout=30) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""


def archive_of(text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        entry = tarfile.TarInfo("index.html")
        entry.size = len(text)
        t.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


class Static(WorldCase):
    @classmethod
    def prepare(cls, w):
        project_server()
        cls.count = 0

    def setUp(self):
        type(self).count += 1
        self.project = f"shop{self.count}"
        self.name = f"{self.project}/web"
        self.port = free_port()
        self.world.ctl("project", "create", self.project)
        self.world.ctl("service", "create", self.name, "--agent", "host1", "--port", self.port)
        self.url = f"http://127.0.0.1:{self.port}/web/"
        self.sources = self.world.dir / f"sources-{self.count}"
        self.site = self.world.dir / "data-host1" / ".sites" / self.project / "web"

    def folder(self, text, files=3):
        d = self.sources / text
        (d / "assets").mkdir(parents=True, exist_ok=True)
        (d / "index.html").write_text(text)
        for n in range(files):
            (d / "assets" / f"{n}.txt").write_text(f"{text} {n}\n" * 100)
        return d

    def deploy(self, text, *flags):
        return self.world.ctl("deploy", self.name, "--dir", self.folder(text), *flags)

    def service(self):
        return self.world.ctl("service", "get", self.name)

    def deployment(self, number=None):
        r = self.world.ctl("deploy", "get", self.name + (f"#{number}" if number else ""))
        return r[0] if isinstance(r, list) else r

    def ended(self, number, seconds=60):
        return wait_for(f"#{number} has ended", lambda: (d := self.deployment(number))["ended_at"] and d, seconds)

    def test_every_phase_in_order_and_the_site_is_up(self):
        """[acc-79] [acc-80]"""
        d = self.deploy("one")["deployment"]
        self.assertEqual((d["number"], d["status"], d["phase_progress"], d["current"]), (1, "success", 100, True))
        self.assertEqual([p["phase"] for p in d["phases"]], PHASES)
        self.assertTrue(all(p["started_at"] and p["ended_at"] for p in d["phases"]))
        self.assertEqual(d["phase_metadata"]["files"], "4")
        self.assertEqual(fetch(self.url), (200, "one"))
        self.assertEqual(fetch(self.url + "assets/2.txt"), (200, "one 2\n" * 100))
        self.assertEqual(fetch(self.url + "../web/.zedops/wanted")[0], 404)
        s = self.service()
        self.assertEqual((s["health"], s["current"]), ("healthy", 1))
        container = self.world.inspect(d["phase_metadata"]["container"])
        self.assertEqual(container["HostConfig"]["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 3})
        self.assertEqual((container["Config"]["Healthcheck"]["Interval"], container["Config"]["Healthcheck"]["Retries"]), (30 * 10**9, 3))
        p = self.world.ctl("project", "get", self.project)
        self.assertEqual((p["health"], p["services"]), ("healthy", ["web"]))

    def test_readers_never_fail_over_switches_and_rollbacks(self):
        """[acc-86] [acc-87] [fc-51]"""
        self.deploy("v0")
        readers = Visitors(lambda: fetch(self.url))
        try:
            for n in range(1, 6):
                self.deploy(f"v{n}")
            back = self.world.ctl("rollback", self.name)
            self.assertEqual(back["service"]["current"], 5)
            self.world.ctl("rollback", self.name, "--to", "3")
        finally:
            readers.end()
        self.assertEqual(readers.failed, [])
        self.assertGreater(len(readers.seen), 50)
        self.assertEqual(fetch(self.url), (200, "v2"))
        s = self.service()
        self.assertEqual((s["current"], [r["state"] for r in s["rollbacks"]]), (3, ["completed", "completed"]))
        self.assertEqual([self.deployment(n)["status"] for n in (3, 5, 6)], ["success", "cancelled", "cancelled"])
        self.refused("wrong_state", 4, "rollback", self.name, "--to", "3")

    def test_retention_keeps_the_newest_and_what_is_served(self):
        """[acc-86]"""
        self.world.ctl("service", "edit", self.name, "--retention", "2")
        for n in range(5):
            self.deploy(f"v{n}")
        kept = sorted(int(x.name) for x in self.site.iterdir() if x.name.isdigit())
        self.assertEqual(kept, [3, 4, 5])
        self.refused("wrong_state", 4, "rollback", self.name, "--to", "1")
        self.world.ctl("rollback", self.name)
        self.assertEqual(fetch(self.url), (200, "v3"))

    def test_a_version_that_does_not_answer_is_rolled_back(self):
        self.deploy("good")
        bad = self.sources / "bad"
        bad.mkdir(parents=True)
        (bad / "no-index.txt").write_text("x")
        readers = Visitors(lambda: fetch(self.url + "?"))
        with self.assertRaises(Failed) as caught:
            self.world.ctl("deploy", self.name, "--dir", bad)
        readers.end()
        self.assertIn("does not answer", caught.exception.error["message"])
        d = self.deployment(2)
        self.assertEqual((d["status"], d["phase"], d["phase_metadata"]["ended_in"]), ("failed", "failed", "health_check"))
        self.assertIn(d["phase_progress"], range(95, 100))
        self.assertEqual(self.service()["current"], 1)
        self.assertEqual(fetch(self.url), (200, "good"))
        self.assertEqual(os.readlink(self.site / "current"), "1")
        self.deploy("better")
        self.assertEqual(fetch(self.url), (200, "better"))
        self.assertFalse((self.site / "2").exists())

    def test_links_changed_by_hand_are_repaired(self):
        """[acc-87] [acc-88]"""
        self.deploy("one")
        self.deploy("two")
        current, web = self.site / "current", self.site.parent / ".web" / "web"

        def healed(what):
            began = time.monotonic()
            wait_for(what, lambda: current.is_symlink() and os.readlink(current) == "2" and web.is_symlink() and fetch(self.url) == (200, "two"), 5)
            return time.monotonic() - began

        took = {}
        current.unlink()
        took["removed"] = healed("a removed link is back")
        current.unlink(missing_ok=True)
        os.symlink("nowhere", current.with_name("x")), os.rename(current.with_name("x"), current)
        took["dangling"] = healed("a dangling link is repaired")
        os.symlink("1", current.with_name("x")), os.rename(current.with_name("x"), current)
        took["old"] = healed("an old link is the new one again")
        current.with_name("x").write_text("not a link")
        os.rename(current.with_name("x"), current)
        took["file"] = healed("a file in its place is set aside")
        web.unlink()
        took["web"] = healed("the link in the web root is back")
        current.unlink()
        try:
            current.mkdir()
            (current / "precious").write_text("keep me")
        except FileExistsError:  # healed meanwhile
            pass
        took["folder"] = healed("a folder in its place is set aside")
        print("healed within", {k: f"{v * 1000:.0f} ms" for k, v in took.items()})
        self.assertLess(max(took.values()), 1.5)
        asides = [x for x in self.site.iterdir() if ".aside-" in x.name]
        self.assertIn("not a link", [x.read_text() for x in asides if x.is_file()])
        events = self.world.ctl("service", "history", self.name)["events"]
        self.assertTrue([e for e in events if e["type"] == "service.repaired"])

    def test_first_deployments_of_a_project_at_once(self):
        """They all need the one web server, which does not exist yet."""
        names = [self.name, *(f"{self.project}/s{n}" for n in range(5))]
        site = self.sources / "first"
        site.mkdir(parents=True)
        (site / "index.html").write_text("first")
        for name in names[1:]:
            self.world.ctl("service", "create", name, "--agent", "host1")
        for name in names:
            self.world.ctl_raw("deploy", name, "--dir", site, "--no-wait")
        newest = lambda name: self.world._one(self.world.ctl("deploy", "get", name))
        for name in names:
            d = wait_for(f"{name} has ended", lambda: (d := newest(name))["ended_at"] and d, 40)
            self.assertEqual((d["status"], d["error"]), ("success", None))

    def test_a_second_service_disturbs_no_other(self):
        """[fc-50] [fc-53]"""
        self.deploy("one")
        server = lambda: self.world.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", f"zedops-project-{self.project}")
        before, other = server(), f"{self.project}/other"
        self.world.ctl("service", "create", other, "--agent", "host1")
        (self.sources / "other").mkdir(parents=True)
        (self.sources / "other/index.html").write_text("the other")
        self.world.ctl("deploy", other, "--dir", self.sources / "other")
        url = self.url.rsplit("/", 2)[0] + "/other/"
        self.assertEqual((fetch(url), fetch(self.url)), ((200, "the other"), (200, "one")))
        self.deploy("two")
        # The project's server is unchanged, and serves both.
        self.assertEqual(server(), before)
        self.assertEqual((fetch(url), fetch(self.url)), ((200, "the other"), (200, "two")))
        link = self.site.parent / ".web" / "other"
        link.unlink()
        wait_for("the link of the second service is back beside its good `current`", lambda: fetch(url) == (200, "the other"), 5)
        (self.site.parent / "other/current").unlink()
        wait_for("and so is that one", lambda: fetch(url) == (200, "the other"), 5)
        self.assertEqual(fetch(self.url), (200, "two"))

    def test_lost_files_give_way_to_an_older_version(self):
        """[acc-88]"""
        self.deploy("one")
        self.deploy("two")
        shutil.rmtree(self.site / "2")
        wait_for("the older version is served", lambda: fetch(self.url) == (200, "one"), 5)
        s = wait_for("it is degraded", lambda: (s := self.service())["health"] == "degraded" and s)
        self.assertIn("#2", s["health_reason"])
        self.assertEqual(self.world.ctl("project", "get", self.project)["health"], "degraded")
        shutil.rmtree(self.site / "1")
        s = wait_for("it is unhealthy", lambda: (s := self.service())["health"] == "unhealthy" and s)
        self.deploy("three")
        self.assertEqual((self.service()["health"], fetch(self.url)), ("healthy", (200, "three")))

    def test_a_projects_server_that_was_removed_is_recreated(self):
        self.deploy("one")
        self.world.docker("rm", "-f", f"zedops-project-{self.project}")
        wait_for("it is served again", lambda: self._answers("one"), 20)
        self.world.docker("stop", "-t", "1", f"zedops-project-{self.project}")
        wait_for("it is served again", lambda: self._answers("one"), 20)

    def _answers(self, text):
        try:
            return fetch(self.url) == (200, text)
        except OSError:
            return False

    def test_a_deployment_survives_the_death_of_either_end(self):
        """[acc-82] [acc-84]"""
        w = self.world
        self.deploy("v0")
        big = self.folder("big", files=400)
        (big / "noise.bin").write_bytes(os.urandom(48 << 20))
        for n, victims in enumerate((("manager",), ("agent",), ("manager", "agent")), start=2):
            (big / "index.html").write_text(f"big {n}")
            op = w.ctl_raw("-q", "--no-wait", "deploy", self.name, "--dir", big)
            self.assertEqual(op.returncode, 0, op.stderr)
            wait_for("the deployment is running", lambda: self.deployment(n)["phase"] != "queued")
            for victim in victims:
                w.kill_manager() if victim == "manager" else w.kill_agent()
            self.assertTrue(self._answers(f"big {n - 1}" if n > 2 else "v0") or self._answers(f"big {n}"))
            if "manager" in victims:
                w.start_manager()
            if "agent" in victims:
                w.start_agent()
            d = self.ended(n)
            self.assertEqual((d["status"], [p["phase"] for p in d["phases"]]), ("success", PHASES))
            self.assertEqual(fetch(self.url), (200, f"big {n}"))
            self.assertEqual(sorted(x.name for x in (self.site / ".zedops").iterdir() if x.suffix not in (".stamp", ".log")), ["wanted"])

    def test_a_large_archive_goes_on_where_it_stopped_and_its_hash_is_known_at_the_end(self):
        w = self.world
        big = self.folder("large", files=3)
        (big / "noise.bin").write_bytes(os.urandom(300 << 20))
        file = w.dir / "large.tar"
        with tarfile.open(file, "w") as t:
            t.add(big, ".")
        part = lambda: sum(p.stat().st_size for p in w.db.glob("uploads/*.part"))
        client = subprocess.Popen([BIN / "zedctl", "deploy", self.name, "--archive", file], env=w.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("a part has arrived", lambda: part() > 20 << 20)
        client.kill()
        w.kill_manager()
        client.wait()
        arrived = part()
        self.assertLess(arrived, file.stat().st_size)
        w.start_manager()
        uploads = lambda: [u for u in w.ctl("upload", "ls")["uploads"] if u["name"] == "large.tar"]
        upload, = uploads()
        self.assertEqual((upload["received"], upload["sha256"]), (arrived, ""))
        w.ctl("deploy", self.name, "--archive", file)
        self.assertEqual(fetch(self.url), (200, "large"))
        again, = uploads()
        with open(file, "rb") as f:
            self.assertEqual((again["id"], again["sha256"]), (upload["id"], hashlib.file_digest(f, "sha256").hexdigest()))
        w.ctl("deploy", self.name, "--archive", file)
        self.assertEqual(len(uploads()), 1)

    def test_cancelled_in_the_middle_it_leaves_nothing(self):
        self.deploy("one")
        w = self.world
        big = self.folder("big", files=200)
        (big / "noise.bin").write_bytes(os.urandom(64 << 20))
        self.assertEqual(w.ctl_raw("-q", "--no-wait", "deploy", self.name, "--dir", big).returncode, 0)
        w.ctl("deploy", "cancel", self.name + "#2")
        d = self.ended(2)
        self.assertIn(d["status"], ("cancelled",))
        self.assertEqual(fetch(self.url), (200, "one"))
        self.deploy("three")
        self.assertEqual(fetch(self.url), (200, "three"))
        self.assertFalse((self.site / "2").exists())
        self.assertEqual(self.deployment(2)["status"], "cancelled")

    def test_built_by_a_command_in_an_image(self):
        """[acc-79]"""
        w = self.world
        w.ctl("service", "edit", self.name, "--builder", "zedops/busybox:test", "--output", "dist",
              "--build", "sh", "--build=-c", "--build", "echo it builds; mkdir dist; cat src/*.txt > dist/index.html; echo x > /cache/kept; "
              "wget -q -T 2 http://1.1.1.1 && echo it reaches others")
        source = self.sources / "to-build"
        (source / "src").mkdir(parents=True)
        (source / "src/a.txt").write_text("from a source")
        with self.assertRaises(Failed) as no:  # its last command fails: a build has no network
            w.ctl("deploy", self.name, "--dir", source)
        self.assertIn("exit code 1", str(no.exception))
        w.ctl("service", "edit", self.name, "--build", "sh", "--build=-c", "--build",
              "echo it builds; test -e /cache/kept; mkdir dist; cat src/*.txt > dist/index.html")
        w.ctl("deploy", self.name, "--dir", source)
        self.assertEqual(fetch(self.url), (200, "from a source"))
        self.assertIn("it builds", w.ctl_raw("deploy", "logs", self.name).stdout)
        self.assertFalse((self.site / "2/src").exists())
        self.assertEqual(w.docker("ps", "-aq", "--filter", "label=zedops.build"), "")
        # Cancelled in the build it ends, and nothing of it runs.
        w.ctl("service", "edit", self.name, "--build", "sleep", "--build", "600")
        self.assertEqual(w.ctl_raw("-q", "--no-wait", "deploy", self.name, "--dir", source).returncode, 0)
        wait_for("it builds", lambda: w.docker("ps", "-q", "--filter", "label=zedops.build"), 30)
        begun = time.monotonic()
        w.ctl("deploy", "cancel", self.name)
        wait_for("nothing of it runs", lambda: not w.docker("ps", "-aq", "--filter", "label=zedops.build"), 10)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(fetch(self.url), (200, "from a source"))

    def test_a_deployment_waits_for_a_host_that_is_away(self):
        w = self.world
        self.deploy("one")
        w.kill_agent()
        w.agent_is("unreachable")
        self.assertEqual(w.ctl_raw("-q", "--no-wait", "deploy", self.name, "--dir", self.folder("two")).returncode, 0)
        self.assertEqual(self.deployment(2)["status"], "pending")
        self.assertEqual(w.ctl_raw("-q", "--no-wait", "deploy", self.name, "--dir", self.folder("three")).returncode, 0)
        self.assertEqual(self.deployment(3)["status"], "pending")
        self.assertEqual(fetch(self.url), (200, "one"))
        w.start_agent()
        self.assertEqual(self.ended(3)["status"], "success")
        self.assertEqual(self.deployment(2)["status"], "cancelled")  # it was replaced while it waited
        self.assertEqual(fetch(self.url), (200, "three"))

    def test_what_cannot_be_deployed_is_refused_with_the_reason(self):
        w = self.world
        self.refused("not_found", 3, "deploy", "nowhere/web", "--dir", self.folder("one"))
        self.refused("bad_request", 2, "deploy", self.name)
        self.refused("not_found", 3, "deploy", self.name, "--dir", "/nowhere")
        junk = self.world.dir / "junk.tar.gz"
        junk.write_bytes(b"this is no archive" * 100)
        error = self.refused("bad_request", 2, "deploy", self.name, "--archive", junk)
        self.assertIn("neither tar", error["message"])
        self.assertEqual(self.deployment(1)["phase_metadata"]["ended_in"], "copying_files")
        self.assertFalse((self.site / "current").exists())
        self.refused("wrong_state", 4, "project", "rm", self.project)
        self.refused("already_exists", 4, "service", "create", self.name, "--agent", "host1")
        self.refused("already_exists", 4, "project", "create", self.project)
        self.refused("invalid_name", 2, "project", "create", "No Such Name")
        self.refused("wrong_state", 4, "rollback", self.name)

    def test_a_service_and_its_project_are_removed_completely(self):
        self.deploy("one")
        w = self.world
        w.ctl("--yes", "service", "rm", self.name)
        self.assertFalse(self.site.exists())
        self.assertEqual(w.docker("ps", "-aq", "--filter", f"name=zedops-project-{self.project}"), "")
        self.refused("not_found", 3, "service", "get", self.name)
        w.ctl("project", "rm", self.project)
        self.assertFalse(self.site.parent.exists())
        w.ctl("project", "create", self.project)  # the name is free


class OverRest(WebCase):
    """The same over HTTP only, as an integration does it. [acc-77]"""

    @classmethod
    def prepare(cls, w):
        super().prepare(w)
        project_server()

    def test_from_an_archive_to_a_site_and_back(self):
        a, port = self.with_token("operator"), free_port()
        self.ok(a.post("/api/projects?wait=1", {"name": "shop", "description": "All we sell"}))
        made = self.ok(a.post("/api/services?wait=1", {"project": "shop", "name": "web", "agent": "host1", "port": port}))["service"]
        for n, text in enumerate(("one", "two"), start=1):
            packed = archive_of(text)
            up = self.ok(a.post("/api/uploads", {"name": f"{text}.tar.gz", "bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}))
            half = len(packed) // 2
            place = f"/api/uploads/{up['id']}"
            self.assertEqual(self.ok(a.ask("PUT", f"{place}?offset=0", packed[:half]))["received"], half)
            refused = self.no(a.ask("PUT", place, b"x", {"Content-Range": f"bytes {half + 7}-{half + 7}/{len(packed)}"}), 400, "bad_request")
            self.assertIn(f"go on from byte {half}", refused["hint"])
            self.no(a.ask("PUT", place, b"x", {"Content-Range": "bytes nonsense"}), 400, "bad_request")
            end = f"bytes {half}-{len(packed) - 1}/{len(packed)}"
            self.assertEqual(self.ok(a.ask("PUT", place, packed[half:], {"Content-Range": end}))["received"], len(packed))
            self.assertEqual(self.ok(a.post(f"{place}/end", {}))["state"], "complete")
            done = self.ok(a.post("/api/deployments?wait=1", {"service": "shop/web", "upload": up["id"]}))
            self.assertEqual((done["deployment"]["status"], done["deployment"]["number"]), ("success", n))
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/web/"), (200, text))
        self.assertEqual([d["number"] for d in self.ok(a.get("/api/deployments?service=shop%2Fweb"))["deployments"]], [2, 1])
        self.assertEqual(self.ok(a.get("/api/deployments/shop%2Fweb%231"))["status"], "cancelled")
        back = self.ok(a.post(f"/api/services/{made['id']}/rollback?wait=1", {}))
        self.assertEqual(back["service"]["current"], 1)
        self.assertEqual(fetch(f"http://127.0.0.1:{port}/web/"), (200, "one"))
        self.assertEqual(self.ok(a.get("/api/monitoring/deployments/stuck")), [])
        self.no(self.with_token("viewer").post("/api/deployments", {"service": "shop/web", "upload": up["id"]}), 403, "forbidden")
        records = self.ok(self.admin.get(f"/api/audit?who=token:{a.name}"))["records"]
        self.assertIn("deployment.create", [r["verb"] for r in records])


if __name__ == "__main__":
    unittest.main(verbosity=2)
