"""An agent's own store that is damaged, lost or on a full disk, under a real agent: what still works, what is refused,
and the recovery steps of docs/operations.md."""
import os
import re
import shutil
import signal
import subprocess
import unittest
import uuid

from agent_alone_test import FRAGILE
from store_faults_test import FAULTY_DISK, occurrences
from world import BIN, Failed, KEEPER, WorldCase, wait_for


def with_ports(template, first, last):
    return re.sub(r"first = \d+\nlast = \d+", f"first = {first}\nlast = {last}", template)


class AgentStoreCase(WorldCase):
    templates = {"keeper": with_ports(KEEPER, 22600, 22799), "fragile": with_ports(FRAGILE, 22800, 22999)}

    def setUp(self):
        self.state = self.world.dir / "state-host1"
        self.file = self.state / "data.mdb"

    def fragile(self):
        name = f"srv-{uuid.uuid4().hex[:8]}"
        self.world.create(name, "--template", "fragile")
        wait_for("it has started", lambda: self.starts(name) == 1)
        return name

    def starts(self, name):
        file = self.world.data(name) / "started"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def has_started(self, name, times):
        """This many starts in total; the game records each a moment after its start is known."""
        wait_for(f"{name} has started {times} times", lambda: self.starts(name) >= times)
        self.assertEqual(self.starts(name), times)

    def crash(self, name):
        """The game crashes, and its policy restarts it."""
        before = self.starts(name)
        (self.world.data(name) / "crash").touch()
        wait_for("its agent starts it again", lambda: self.starts(name) == before + 1)

    def container(self, name):
        return self.world.server(name)["container_id"]

    def runs(self, container):
        return self.world.inspect(container)["State"]["Running"]

    def start_fails(self):
        """One start of the agent that ends by itself: exit status and output."""
        w = self.world
        # A signal stays a signal where a sanitizer would turn it into a report and an exit status.
        env = {**w.env, **{key: w.env.get(key, "") + ":handle_segv=0:handle_sigbus=0"
                           for key in ("ASAN_OPTIONS", "TSAN_OPTIONS")}}
        r = subprocess.run([BIN / "zedops-agent", "--name", "host1", "--manager", f"ipc://{w.run}/agents.ipc",
                            "--docker-host", w.env["DOCKER_HOST"], "--data-path", w.dir / "data-host1", "--state-dir",
                            self.state], capture_output=True, text=True, env=env, timeout=60)
        return r.returncode, r.stderr

    def operations(self):
        return {o["id"]: o["status"] for o in self.world.ctl("op", "ls")["operations"]}

    def begin_anew(self, known_id):
        """The recovery: move the folder away, start once with the old id."""
        shutil.move(self.state, self.world.dir / f"aside-{uuid.uuid4().hex[:8]}")
        self.world.start_agent(flags=("--identity", known_id))

    def damage(self, key, offset):
        data = bytearray(self.file.read_bytes())
        places = list(occurrences(data, key.encode()))
        self.assertTrue(places, f"the record {key} was found")
        for at in places:
            data[at + offset] ^= 1
        self.file.write_bytes(data)

    def code_of(self, *args):
        try:
            self.world.ctl(*args)
        except Failed as e:
            self.assertTrue(e.error["message"])
            return e.error["code"]
        return "ok"


class Garbage(AgentStoreCase):
    def story(self, how, first, last):
        """The agent ends, its store becomes garbage, and everything is as before after the documented steps."""
        w = self.world
        running, stopped = self.fragile(), w.create()
        w.ctl("server", "stop", stopped)
        known_id, container = w.agent()["id"], self.container(running)
        w.kill_agent(how)
        wait_for("the manager notices", lambda: w.agent()["status"] != "online")
        done = self.operations()
        size = self.file.stat().st_size
        with open(self.file, "r+b") as f:
            f.seek(first)
            f.write(os.urandom(min(last, size) - first))
        # LMDB maps what it is given: the first start after an orderly end may be killed, and requests the check.
        for _ in range(2):
            status, words = self.start_fails()
            if status == 1:
                break
        self.assertEqual(status, 1, words)
        self.assertRegex(words, "is damaged" if how == signal.SIGKILL else "is damaged|MDB_")
        self.assertIn(f"is unusable, its servers keep running: move {self.state} away", words)
        self.assertIn(f"--identity {known_id}", words)
        self.assertNotIn("store restore", words)
        self.assertTrue(self.runs(container))

        self.begin_anew(known_id)
        w.status(running, "running", container_id=container, data_state="present")
        w.status(stopped, "stopped", data_state="present")
        self.assertEqual(self.starts(running), 1)
        self.assertEqual(self.starts(stopped), 1)
        self.assertEqual(self.operations(), done, "nothing is executed again")
        self.crash(running)
        w.ctl("server", "start", stopped)
        self.has_started(stopped, 2)
        w.kill_agent(signal.SIGTERM)
        w.start_agent()
        self.assertEqual(w.agent()["id"], known_id)
        for name in (running, stopped):
            w.ctl("server", "purge", name, "--remove-data", "--yes")

    def test_a_store_overwritten_whole_is_refused_with_the_way_back_and_the_way_works(self):
        """[fc-25]"""
        self.story(signal.SIGKILL, 0, 1 << 30)

    def test_garbage_behind_the_head_of_the_file_is_found_after_a_crash(self):
        """[fc-25]"""
        self.story(signal.SIGKILL, 2 * 4096, 1 << 30)

    def test_garbage_after_an_orderly_end_is_found_at_the_second_start_at_the_latest(self):
        """[fc-25]"""
        self.story(signal.SIGTERM, 2 * 4096, 1 << 30)

    def test_a_file_that_is_gone_is_refused_and_the_same_way_leads_back(self):
        w = self.world
        name = self.fragile()
        known_id, container = w.agent()["id"], self.container(name)
        w.kill_agent()
        os.remove(self.file)
        status, words = self.start_fails()
        self.assertEqual(status, 1, words)
        self.assertIn("is missing", words)
        self.assertIn(f"--identity {known_id}", words)
        self.begin_anew(known_id)
        w.status(name, "running", container_id=container, data_state="present")
        self.crash(name)


class OneRecord(AgentStoreCase):
    def test_damaged_records_of_a_server_and_of_an_operation_are_named_and_come_again(self):
        """[fc-25]"""
        w = self.world
        hurt, other, stopped = self.fragile(), self.fragile(), w.create()
        w.ctl("server", "stop", stopped)
        stop = next(o["id"] for o in w.ctl("op", "ls")["operations"] if o["kind"] == "stop")
        id_of_hurt, done = w.server(hurt)["id"], self.operations()
        w.kill_agent()
        self.damage(id_of_hurt, 40)
        self.damage(stop, 40)
        w.start_agent()
        # The manager may still take it for the killed one: online proves nothing yet.
        for words in ("state.record-damaged", f"servers/{id_of_hurt}", f"operations/{stop}"):
            wait_for(f"its log says {words}", lambda said=words: said in w.log("zedops-agent"))
        for name in (hurt, other):
            w.status(name, "running")
            self.crash(name)  # its guard data is back with the welcome
        w.status(stopped, "stopped")
        self.assertEqual(self.operations(), done, "nothing is executed again")
        w.ctl("server", "start", stopped)
        # What the manager sent again is complete on the disk: the next process starts with it, also without a manager.
        w.kill_agent()
        w.kill_manager()
        w.start_agent(wait=False)
        self.crash(hurt)
        w.start_manager()
        w.agent_is("online")

    def test_a_damaged_identity_is_refused_with_the_way_back(self):
        """[fc-25]"""
        w = self.world
        name = self.fragile()
        known_id, container = w.agent()["id"], self.container(name)
        w.kill_agent()
        self.damage("agent.id", 4)
        status, words = self.start_fails()
        self.assertEqual(status, 1, words)
        self.assertIn("agent.id is damaged", words)
        self.assertIn(f"--identity {known_id}", words)
        self.begin_anew(known_id)
        w.status(name, "running", container_id=container, data_state="present")
        self.crash(name)


class RemovedUnderneath(AgentStoreCase):
    def test_an_agent_whose_folder_is_removed_works_on_and_comes_back_by_the_documented_way(self):
        w = self.world
        running, other = self.fragile(), w.create()
        known_id, container = w.agent()["id"], self.container(running)
        shutil.rmtree(self.state)
        self.crash(running)
        w.ctl("server", "restart", other)
        w.ctl("server", "stop", other)
        done, starts = self.operations(), (self.starts(running), self.starts(other))
        w.kill_agent()
        w.start_agent()
        wait_for("the loss is logged", lambda: "identity.lost" in w.log("zedops-agent"))
        self.assertEqual(w.agent()["id"], known_id)
        w.status(running, "running", container_id=container)
        look = w.ctl("server", "check-data", other)["servers"][0]
        self.assertEqual(look["state"], "unknown")
        self.assertIn(f"--identity {known_id}", look["problem"])
        self.crash(running)
        w.kill_agent(signal.SIGTERM)
        self.begin_anew(known_id)
        w.status(running, "running", container_id=container, data_state="present")
        w.status(other, "stopped", data_state="present")
        self.assertEqual((self.starts(running), self.starts(other)), (starts[0] + 1, starts[1]))
        self.assertEqual({k: v for k, v in self.operations().items() if k in done}, done)
        w.ctl("server", "start", other)


@unittest.skipUnless(os.geteuid() == 0, "mounts a disk of its own")
class FullDisk(AgentStoreCase):
    DISK = "3m"  # the reserve for stops and removals is 1 MiB of it

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        w = cls.world
        w.kill_agent(signal.SIGTERM)
        state, aside = w.dir / "state-host1", w.dir / "state-before"
        shutil.move(state, aside)
        state.mkdir(mode=0o750)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={cls.DISK},mode=0750", "zedops-test", state], check=True)
        try:
            shutil.copytree(aside, state, dirs_exist_ok=True)
            w.start_agent()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        agent = cls.world.agents["host1"]
        if agent.poll() is None:
            agent.kill()
            agent.wait()
        subprocess.run(["umount", "-l", cls.world.dir / "state-host1"], check=True)
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        self.other = self.state / "other-data"

    def fill_disk(self):
        with open(self.other, "ab", buffering=0) as f:
            for size in (64 * 1024, 4096):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass

    def until_refused(self, name):
        def refused():
            self.world.ctl("server", "stop", name)
            try:
                self.world.ctl("server", "start", name)
            except Failed as e:
                self.assertEqual(e.error["code"], "store_full", e.error)
                self.assertTrue(e.error["hint"])
                return True
            return False

        wait_for("a start is refused", refused, 60)

    def test_a_full_disk_refuses_starts_and_nothing_else_until_there_is_room_again(self):
        """[fc-63]"""
        w = self.world
        guarded, busy, gone = self.fragile(), w.create(), w.create()
        self.fill_disk()
        self.until_refused(busy)
        starts = self.starts(busy)
        w.status(busy, "stopped")
        self.crash(guarded)
        w.ctl("server", "rm", gone, "--yes")
        self.assertEqual(w.server(gone)["status"], "deleted")
        # A start-up does not count as new work.
        w.kill_agent()
        w.start_agent()
        w.status(guarded, "running")
        w.status(busy, "stopped")
        self.crash(guarded)
        w.status(guarded, "running")  # the manager learns of it a moment after the game records it
        w.ctl("server", "stop", guarded)
        agent = w.agents["host1"]
        os.remove(self.other)
        wait_for("there is space", lambda: self.code_of("server", "start", busy) == "ok")
        self.has_started(busy, starts + 1)  # a refused command was not executed
        w.ctl("server", "start", guarded)
        self.assertIsNone(agent.poll(), "it did not have to be restarted")
        ended = self.operations()
        self.assertNotIn("running", ended.values())


@unittest.skipUnless(FAULTY_DISK.exists(), "needs the preloaded library")
class FailingDisk(AgentStoreCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fault = cls.world.dir / "fault"
        cls.world.kill_agent(signal.SIGTERM)
        cls.world.programs["zedops-agent"] = ("zedops-agent",
                                              {"LD_PRELOAD": str(FAULTY_DISK), "ZEDOPS_FAULT": str(cls.fault)})
        cls.world.start_agent()

    def test_commands_that_cannot_be_noted_are_refused_unexecuted_while_crash_policies_go_on(self):
        """[fc-63]"""
        w = self.world
        guarded, other = self.fragile(), w.create()
        container, starts = self.container(other), self.starts(other)
        self.fault.write_text("from now on")
        for verb in ("stop", "restart"):
            with self.assertRaises(Failed) as told:
                w.ctl("server", verb, other)
            self.assertTrue(told.exception.error["message"])
            w.status(other, "running", container_id=container)
        self.assertTrue(self.runs(container), "a refused command was not executed")
        self.assertEqual(self.starts(other), starts)
        self.crash(guarded)
        self.assertIn("state.not-written", w.log("zedops-agent"))
        self.assertIsNone(w.agents["host1"].poll(), "the agent lives")
        self.fault.unlink()
        wait_for("it works again", lambda: self.code_of("server", "restart", other) == "ok")
        self.has_started(other, starts + 1)

        def told():
            return [e["data"]["what"]["kind"] for e in w.history(guarded) if e["type"] == "server.agent_acted"]

        wait_for("what happened meanwhile is reported", lambda: sorted(told()) == ["exited", "restarted"])
        w.status(guarded, "running")
        w.ctl("server", "stop", guarded)
        w.kill_agent()
        w.start_agent()
        w.status(guarded, "stopped")
        w.status(other, "running", container_id=container)


if __name__ == "__main__":
    unittest.main()
