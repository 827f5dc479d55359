"""A store that is damaged, lost, full or failing under a real manager: what is refused, what works, and recovery."""
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import threading
import unittest

import msgpack
import zmq

from world import BIN, Failed, World, wait_for

FAULTY_DISK = BIN / "libzedops_faulty_disk.so"
SERVERS = 12


class StoreCase(unittest.TestCase):
    """Each test has a manager of its own, with simulated agents."""

    def setUp(self):
        self.w = World(engine=False)
        self.agents = None
        self.addCleanup(self.w.close)

    def start(self):
        self.w.start_manager()
        if not self.agents:
            self.agents = subprocess.Popen([BIN / "zedops-loadgen", "agents", "--count", "2", "--manager",
                                            f"ipc://{self.w.run}/agents.ipc"], stdout=subprocess.DEVNULL)
            self.addCleanup(self.agents.wait)
            self.addCleanup(self.agents.kill)
        wait_for("the agents are online", lambda: self.w.ctl("status")["agents_online"] == 2)

    def fill(self):
        subprocess.run([BIN / "zedops-loadgen", "servers", "--endpoint", self.w.endpoint, "--count", str(SERVERS),
                        "--agents", "2"], check=True, stdout=subprocess.DEVNULL)

    def servers(self):
        return {s["id"]: s for s in self.w.ctl("server", "ls", "--all")["servers"]}

    def starts_not(self):
        """The manager refuses to start: exit status and output."""
        flags = ["--data-dir", self.w.db, "--runtime-dir", self.w.run]
        r = subprocess.run([BIN / "zedops-manager", *map(str, flags)], capture_output=True, text=True, timeout=60,
                           env=self.w.env)
        return r.returncode, r.stderr

    def store(self, verb, *args):
        return self.w.ctl("store", verb, *args, "--data-dir", self.w.db)

    def edit(self, server, value):
        self.w.ctl("server", "edit", server, "--env", f"VALUE={value}")

    def code_of(self, *args):
        try:
            self.w.ctl(*args)
        except Failed as e:
            return e.error["code"]
        return "ok"


def occurrences(data, key, page_bytes=4096):
    """Places of the values that LMDB's leaf pages hold for a key, on pages in use and on older copies of them.

    Page: number u64, pad u16, flags u16 (2: leaf), end of the offsets u16, u16, offsets of nodes u16 each.
    Node: length of the value u32, flags u16, length of the key u16, key, value.
    """
    for page in range(0, len(data), page_bytes):
        flags, end = struct.unpack_from("<HH", data, page + 10)
        if flags & 2 == 0 or not 16 <= end <= page_bytes:
            continue
        for (node,) in struct.iter_unpack("<H", data[page + 16:page + end]):
            at = page + node + 8
            if data[at:at + len(key)] == key:
                yield at + len(key)


class Damage(StoreCase):
    def test_a_damaged_record_is_one_failed_server_and_all_others_work(self):
        self.start()
        self.fill()
        w, broken, other = self.w, *list(self.servers())[:2]
        w.kill_manager()
        file = w.db / "data.mdb"
        data = bytearray(file.read_bytes())
        places = list(occurrences(data, broken.encode()))
        self.assertTrue(places, "the record was found")
        for at in places:
            data[at + 40] ^= 1
        file.write_bytes(data)
        self.start()
        found = self.servers()
        self.assertEqual(len(found), SERVERS)
        self.assertEqual(found[broken]["status"], "failed")
        self.assertIn("damaged", found[broken]["last_error"]["message"])
        self.assertIn("zedctl store restore", found[broken]["last_error"]["hint"])
        # Nothing is decided from a missing record, and the damaged one is not overwritten.
        for verb in ("start", "stop", "recreate"):
            self.assertEqual(self.code_of("server", verb, broken), "internal", verb)
        self.assertEqual(self.code_of("server", "rm", broken, "--yes"), "internal")
        w.ctl("server", "stop", other)
        self.assertEqual(w.server(other)["status"], "stopped")
        with self.assertRaises(Failed) as told:
            self.store("verify")
        self.assertIn('"damaged": 1', told.exception.out)

    def test_a_damaged_file_is_refused_and_a_backup_is_the_way_back(self):
        """[fc-25]"""
        self.start()
        self.fill()
        before = self.servers()
        self.store("backup", self.w.dir / "copy.mdb")
        self.assertEqual(self.w.kill_manager(signal.SIGTERM), 0)
        file = self.w.db / "data.mdb"
        os.truncate(file, file.stat().st_size // 2)
        status, words = self.starts_not()
        self.assertEqual(status, 1)
        self.assertIn("is damaged", words)
        self.assertIn("zedctl store restore", words)
        self.store("restore", self.w.dir / "copy.mdb", "--set-aside", "--yes")
        self.start()
        self.assertEqual(set(self.servers()), set(before))
        self.assertTrue(list(self.w.db.glob("data.mdb.aside-*")), "the old files are kept")


class Drill(StoreCase):
    def test_a_backup_made_under_load_brings_back_all_that_was_acknowledged_before_it(self):
        """[fc-61]"""
        self.start()
        self.fill()
        w, acknowledged, stop = self.w, {}, threading.Event()
        ids = list(self.servers())

        def write(worker):
            n = 0
            while not stop.is_set():
                n += 1
                server = ids[(n * 2 + worker) % len(ids)]
                try:
                    self.edit(server, n)
                except Failed as e:
                    if e.error["code"] != "busy":
                        raise
                    continue
                acknowledged[server] = n

        writers = [threading.Thread(target=write, args=(i,)) for i in range(2)]
        [t.start() for t in writers]
        load = subprocess.Popen([BIN / "zedops-loadgen", "commands", "--endpoint", w.endpoint, "--seconds", "3"],
                                stdout=subprocess.DEVNULL)
        wait_for("some are written", lambda: len(acknowledged) >= len(ids) // 2)
        known = dict(acknowledged)
        report = self.store("backup", w.dir / "copy.mdb")
        stop.set()
        [t.join() for t in writers]
        load.wait()
        self.assertTrue(report["sound"])
        status = w.ctl("status")
        w.kill_manager()

        os.remove(w.db / "data.mdb")
        code, words = self.starts_not()
        self.assertEqual(code, 1, "a lost store is not silently started over")
        self.assertIn("zedctl store restore", words)
        shutil.rmtree(w.db)
        self.assertEqual(self.code_of("store", "restore", w.dir / "copy.mdb", "--data-dir", w.db, "--yes"), "ok")
        self.start()
        restored = self.servers()
        self.assertEqual(set(restored), set(ids))
        for server, value in known.items():
            self.assertGreaterEqual(int(restored[server]["config"]["VALUE"]), value)
        # Old cursors are invalid now, and this is reported.
        after = w.ctl("status")
        self.assertNotEqual(after["epoch"], status["epoch"])
        page = self.replay(f"{status['epoch']}:{status['last_seq']}")
        self.assertGreater(page["gap_to"], 0, page)
        self.edit(ids[0], "again")

    def replay(self, cursor):
        context = zmq.Context()
        s = context.socket(zmq.DEALER)
        s.linger = 0
        s.connect(self.w.endpoint)
        s.send_multipart([b"zedops/1", b"req", b"1", b"event.replay", b"", b"", b"",
                          msgpack.packb({"since": cursor, "limit": 1})])
        self.assertTrue(s.poll(10_000))
        answer = s.recv_multipart()
        s.close()
        context.term()
        self.assertEqual(answer[1], b"result", answer)
        return msgpack.unpackb(answer[3])


@unittest.skipUnless(os.geteuid() == 0, "mounts a disk of its own")
class FullDisk(StoreCase):
    DISK = "40m"  # the reserve for stops and deletions is 16 MiB of it

    def setUp(self):
        super().setUp()
        self.w.db.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.DISK}", "zedops-test", self.w.db], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.w.db], check=True)
        self.addCleanup(lambda: self.w.kill_manager() if self.w.manager.poll() is None else None)

    def fill_disk(self):
        with open(self.w.db / "other-data", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(64 * 1024))
            except OSError:
                return

    def test_a_full_disk_refuses_new_work_and_nothing_else_until_there_is_room_again(self):
        """[fc-63]"""
        self.start()
        self.fill()
        w = self.w
        ids = list(self.servers())
        self.fill_disk()

        def refused():
            self.edit(ids[0], "x" * 20_000)

        def is_full():
            try:
                refused()
            except Failed as e:
                self.assertEqual(e.error["code"], "store_full", e.error)
                self.assertTrue(e.error["hint"])
                return True
            return False

        wait_for("new work is refused", is_full)
        self.assertEqual(len(self.servers()), SERVERS)
        w.ctl("server", "stop", ids[1])
        self.assertEqual(w.server(ids[1])["status"], "stopped")
        w.ctl("server", "rm", ids[2], "--yes")
        self.assertEqual(w.server(ids[2])["status"], "deleted")
        # A start-up does not count as new work.
        w.kill_manager()
        self.start()
        self.assertEqual(w.server(ids[1])["status"], "stopped")
        w.ctl("server", "stop", ids[3])
        pid = w.manager.pid
        os.remove(w.db / "other-data")
        self.edit(ids[0], "room")
        self.assertEqual(w.server(ids[0])["config"]["VALUE"], "room")
        w.ctl("server", "start", ids[1])
        self.assertEqual((w.manager.pid, w.manager.poll()), (pid, None), "it did not have to be restarted")


@unittest.skipUnless(FAULTY_DISK.exists(), "needs the preloaded library")
class FailingDisk(StoreCase):
    def setUp(self):
        super().setUp()
        self.fault = pathlib.Path(self.w.dir / "fault")
        self.w.env.update(LD_PRELOAD=str(FAULTY_DISK), ZEDOPS_FAULT=str(self.fault))

    def test_one_failed_flush_is_reported_and_loses_nothing(self):
        self.start()
        self.fill()
        ids = list(self.servers())
        self.edit(ids[0], "kept")
        self.fault.write_text("once")
        self.assertEqual(self.code_of("server", "edit", ids[0], "--env", "VALUE=lost"), "internal")
        self.assertFalse(self.fault.exists(), "the fault struck")
        self.assertEqual(self.w.server(ids[0])["config"]["VALUE"], "kept")
        self.edit(ids[1], "after")
        self.w.kill_manager()
        self.start()
        self.assertEqual([self.w.server(i)["config"].get("VALUE") for i in ids[:2]], ["kept", "after"])

    def test_a_disk_that_keeps_failing_ends_the_manager_in_order(self):
        self.start()
        self.fill()
        ids = list(self.servers())
        self.edit(ids[0], "kept")
        self.fault.write_text("from now on")

        def ended():
            if self.w.manager.poll() is None:
                self.w.ctl_raw("server", "edit", ids[0], "--env", "VALUE=lost", timeout=30)
            return self.w.manager.poll() is not None

        wait_for("the manager ends", ended, 60)
        self.assertEqual(self.w.manager.returncode, 1, "its supervisor restarts it")
        self.assertIn("manager.stopped", self.w.log())
        self.fault.unlink()
        self.start()
        self.assertEqual(self.w.server(ids[0])["config"]["VALUE"], "kept")
        self.edit(ids[0], "after")


if __name__ == "__main__":
    unittest.main()
