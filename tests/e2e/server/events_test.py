"""Subscribers in another language: live events, replay by cursor, explicit gaps."""
import subprocess
import unittest

import msgpack
import zmq

from world import BIN, WorldCase, wait_for


class Watcher:
    """A client as docs/protocol.md describes it."""

    def __init__(self, world, topic=b""):
        self.ctx = zmq.Context()
        self.sub = self.ctx.socket(zmq.SUB)
        self.sub.linger = 0
        self.sub.subscribe(topic)
        self.sub.connect(f"ipc://{world.run}/events.ipc")

    def next(self, seconds=10):
        if not self.sub.poll(int(seconds * 1000)):
            raise AssertionError("no event came")
        topic, version, cursor, body = self.sub.recv_multipart()
        assert version == b"zedops/1"
        event = msgpack.unpackb(body)
        assert cursor.decode() == f"{event['epoch']}:{event['seq']}"
        assert topic.decode() == event["subject"]
        return event

    def close(self):
        self.sub.close()
        self.ctx.term()


class Events(WorldCase):
    def replay(self, since=""):
        w = self.world
        events = w.ctl("event", "replay", *(("--since", since) if since else ()))
        return events if isinstance(events, list) else events["events"]

    def test_live_events_tell_the_whole_story_of_a_server(self):
        w = self.world
        watcher = Watcher(w)
        try:
            name = w.create()
            wait_for("the subscription works", lambda: True)
            w.ctl("server", "stop", name)
            sid = w.server(name)["id"]
            seen = []
            while not any(e["type"] == "operation.ended" and e["cause"]["actor"] for e in seen
                          if any(x["type"] == "server.status_changed" and x["data"]["to"] == "stopped" for x in seen)):
                seen.append(watcher.next())
            changes = [e["data"]["to"] for e in seen if e["type"] == "server.status_changed" and sid in e["subject"]]
            self.assertEqual(changes[-1], "stopped")
            for before, after in zip(seen, seen[1:]):
                self.assertEqual(after["seq"], before["seq"] + 1)
        finally:
            watcher.close()

    def test_subject_numbers_are_consecutive_and_global_ones_have_no_hole(self):
        """[acc-27]"""
        w = self.world
        w.create()
        events = self.replay()
        self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
        subjects = {}
        for e in events:
            subjects.setdefault(e["subject"], []).append(e["subject_seq"])
        for subject, numbers in subjects.items():
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), subject)
        for e in events:
            if e["type"] == "server.status_changed":
                self.assertNotEqual(e["data"]["from"], e["data"]["to"])
                self.assertTrue(e["cause"]["kind"])

    def test_replay_goes_on_after_a_cursor_also_over_a_restart(self):
        w = self.world
        name = w.create()
        all_before = self.replay()
        last = all_before[-1]
        cursor = f"{last['epoch']}:{last['seq']}"
        w.kill_manager()
        w.start_manager()
        w.agent_is("online")
        w.ctl("server", "edit", name, "--env", "B=2")
        later = self.replay(cursor)
        self.assertEqual(later[0]["seq"], last["seq"] + 1)
        self.assertIn("server.edited", [e["type"] for e in later])
        self.assertEqual([e["seq"] for e in self.replay()][: len(all_before)], [e["seq"] for e in all_before])

    def test_a_cursor_of_another_history_is_a_gap_and_not_silence(self):
        w = self.world
        w.create()
        r = w.ctl_raw("-o", "json", "event", "replay", "--since", "12345:7")
        self.assertIn("gap", r.stdout + r.stderr)

    def test_watch_follows_over_a_manager_restart(self):
        w = self.world
        name = w.create()
        p = subprocess.Popen([BIN / "zedctl", "-o", "json", "event", "watch", "--server", name, "--since",
                              f"{self.replay()[-1]['epoch']}:{self.replay()[-1]['seq']}"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=w.env)
        def heard(text):
            return next((line for line in p.stdout if text in line), None)

        try:
            w.ctl("server", "edit", name, "--env", "C=2")
            self.assertTrue(heard('"C":"2"'))
            w.kill_manager()
            w.start_manager()
            w.agent_is("online")
            w.ctl("server", "edit", name, "--env", "C=3")
            self.assertTrue(heard('"C":"3"'))
        finally:
            p.kill()
            p.wait()
            p.stdout.close()
            p.stderr.close()


if __name__ == "__main__":
    unittest.main()
