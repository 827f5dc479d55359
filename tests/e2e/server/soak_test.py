"""Hostile and idle peers on a busy manager: it survives, answers others in time, and its memory and log stay bounded.

ZEDOPS_SOAK_SECONDS=n runs for this long; by default a few rounds.
"""
import os
import subprocess
import threading
import time
import unittest

import msgpack
import zmq

from hostile import Peers, Raw, below_zeromq, flood, frame
from world import BIN, World, wait_for

ROUNDS_MIN = 4
ANONYMOUS_KIB_MAX = 192 * 1024  # all of the manager's heap and stacks, whatever was sent to it
GROWTH_KIB_MAX = 12 * 1024      # growth of the later rounds over the earlier: nothing may pile up
LOG_BYTES_MAX = 256 * 1024
ANSWER_SECONDS_MAX = 5          # for a well-behaved client meanwhile; the machine may be busy
GARBAGE = 3_000                 # messages per door and round
CONNECTIONS = 600               # connections that fail, per door and round
TOPICS = 20_000                 # topics of one watcher: more than a watcher may have
SERVERS = 40
SANITIZED = bool(os.environ.get("ZEDOPS_SANITIZE"))  # how the programs were built


class Soak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        w = cls.world = World(engine=False, **{"log-level": "warn", "history-max": "2000"})
        w.start_manager()
        cls.agents = subprocess.Popen([BIN / "zedops-loadgen", "agents", "--count", "3", "--manager",
                                       f"ipc://{w.run}/agents.ipc"], stdout=subprocess.DEVNULL)
        wait_for("three agents are online", lambda: w.ctl("status")["agents_online"] == 3)
        subprocess.run([BIN / "zedops-loadgen", "servers", "--endpoint", w.endpoint, "--count", str(SERVERS), "--agents",
                        "3"], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.agents.terminate()
        cls.agents.wait()
        cls.world.close()

    def anonymous_kib(self):
        """Its own pages; those of the store's file belong to the page cache and vary."""
        with open(f"/proc/{self.world.manager.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))

    def ask_in_between(self, stop, waits, memory):
        """A well-behaved client: keeps asking, notes how long each answer took, and the manager's memory meanwhile."""
        peers = Peers(self.world.run)
        s = peers.connect(zmq.DEALER, "clients")
        n = 0
        while not stop.wait(0.1):
            n += 1
            began = time.monotonic()
            s.send_multipart([b"zedops/1", b"req", str(n).encode(), b"status", b"", b"", b"", b""])
            if not s.poll(60_000):
                break
            kind = s.recv_multipart()[1]
            waits.append((time.monotonic() - began, kind))
            memory.append(self.anonymous_kib())
        peers.close()

    def work(self):
        """Edits, each a commit and an event to every watcher."""
        return subprocess.Popen([BIN / "zedops-loadgen", "commands", "--endpoint", self.world.endpoint, "--verb", "edit",
                                 "--in-flight", "50", "--seconds", "2"], stdout=subprocess.DEVNULL)

    def one_round(self, peers, lasting, number):
        w = self.world
        load = self.work()
        for door in ("clients", "agents"):
            flood(peers.connect(zmq.DEALER, door, sndhwm=10), GARBAGE, seed=number)
            below_zeromq(w.run, door, CONNECTIONS)
        below_zeromq(w.run, "events", CONNECTIONS)
        # Sends everything but subscriptions to the door of events.
        flood(peers.connect(zmq.XSUB, "events", sndhwm=10), GARBAGE, seed=number)
        # Never unsubscribes, and has its own topics, each as long as possible.
        greedy = Raw(f"{w.run}/events.ipc", b"SUB")
        lasting.append(greedy)
        for batch in range(0, TOPICS, 100):
            greedy.send(b"".join(frame(b"\x01" + f"{number}.{i}.".encode().ljust(120, b"t"))
                                 for i in range(batch, batch + 100)))
        self.assertTrue(greedy.was_cut_off(), "the topics of a watcher are limited")
        # The same topic, on and off.
        restless = Raw(f"{w.run}/events.ipc", b"SUB")
        lasting.append(restless)
        for _ in range(TOPICS // 100):
            restless.send((frame(b"\x01server.x") + frame(b"\x00server.x")) * 100)
        # Asks for all servers again and again and reads no answer.
        deaf = peers.connect(zmq.DEALER, "clients", rcvhwm=1, sndhwm=10)
        for i in range(500):
            try:
                deaf.send_multipart([b"zedops/1", b"req", str(i).encode(), b"server.ls", b"", b"", b"",
                                     msgpack.packb({})], zmq.DONTWAIT)
            except zmq.Again:
                pass
        self.assertEqual(load.wait(60), 0, "the load finishes meanwhile")

    def test_floods_and_deaf_peers_cost_neither_memory_nor_the_answers_of_others(self):
        w = self.world
        soak_until = time.monotonic() + float(os.environ.get("ZEDOPS_SOAK_SECONDS", 0))
        watchers, lasting = Peers(w.run), []
        for _ in range(3):
            watchers.connect(zmq.SUB, "events", rcvhwm=1).subscribe("")  # and never reads
        stop, waits, during, after = threading.Event(), [], [0], []
        asking = threading.Thread(target=self.ask_in_between, args=(stop, waits, during))
        asking.start()
        try:
            while len(after) < ROUNDS_MIN or time.monotonic() < soak_until:
                peers = Peers(w.run)
                self.one_round(peers, lasting, len(after))
                peers.close()
                self.assertIsNone(w.manager.poll(), "the manager lives")
                wait_for("its queues are empty", lambda: w.ctl("status")["operations_open"] == 0)
                after.append(self.anonymous_kib())
        finally:
            stop.set()
            asking.join()
            for p in [*lasting, watchers]:
                p.close()
        print(f"\nanonymous memory after each round, KiB: {after}; log: {len(w.log())} bytes; "
              f"at most {max(during)}; {len(waits)} answers in between, the slowest after {max(waits)[0]:.2f} s")
        self.assertGreater(len(waits), len(after), "it was queried in between")
        self.assertEqual({kind for _, kind in waits}, {b"result"})
        self.assertLess(max(waits)[0], ANSWER_SECONDS_MAX)
        if not SANITIZED:  # it keeps freed memory, to detect its use
            self.assertLess(max(during), ANONYMOUS_KIB_MAX)
            half = len(after) // 2
            self.assertLess(max(after[half:]) - max(after[:half]), GROWTH_KIB_MAX)
        self.assertLess(len(w.log()), LOG_BYTES_MAX)
        self.assertEqual(w.ctl("status")["agents_online"], 3, "no agent was lost")


if __name__ == "__main__":
    unittest.main()
