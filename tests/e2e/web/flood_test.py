"""Live events while very many happen: every reader, late or reconnecting, gets each one once and in order."""
import subprocess
import time
import unittest

from web import Client, Stream, free_port
from world import BIN, World, wait_for

AGENTS, SERVERS, SECONDS, MISHAPS = 5, 500, 4, 400


class Flood(unittest.TestCase):
    def test_no_reader_misses_an_event_or_gets_one_twice(self):
        port = free_port()
        w = World(engine=False, http=f"127.0.0.1:{port}")
        self.addCleanup(w.close)
        subprocess.run([BIN / "zedops-loadgen", "fill", "--data-dir", w.db, "--servers", str(SERVERS), "--agents", str(AGENTS)],
                       check=True, capture_output=True)
        w.start_manager()
        c = Client(port, token=w._one(w.ctl("token", "add", "reader", "--role", "viewer"))["secret"])
        streams = {"from the start": Stream(c, "/api/events")}
        streams["from the start"].wait("welcome")
        begin = streams["from the start"].last_id
        load = subprocess.Popen([BIN / "zedops-loadgen", "agents", "--manager", f"ipc://{w.run}/agents.ipc", "--count", str(AGENTS),
                                 "--events-per-second", str(MISHAPS), "--seconds", str(SECONDS)], stdout=subprocess.DEVNULL)
        time.sleep(1)  # some of the load is over already
        streams["late, with records"] = Stream(c, "/api/events?record=1", last_id=begin)
        streams["late, without"] = Stream(c, "/api/events", last_id=begin)
        came, last = [], begin
        while load.poll() is None:
            s = Stream(c, "/api/events?record=1", last_id=last)
            time.sleep(0.2)
            s.close()
            came, last = came + s.events, s.last_id
        self.assertEqual(load.returncode, 0)
        newest = wait_for("no more events happen", lambda: self.settled(w), 30)
        end = Stream(c, "/api/events", last_id=last)
        streams["comes and goes"] = end
        numbers = lambda events: [int(i.split(":")[1]) for t, i, _ in events if t not in ("welcome", "beat")]
        for name, s in streams.items():
            heard = lambda: numbers((came if s is end else []) + list(s.events))
            wait_for(f"{name}: the newest event", lambda: (heard() or [0])[-1] >= newest, 30)
            got = heard()
            self.assertEqual(got, list(range(int(begin.split(":")[1]) + 1, got[-1] + 1)), name)
            s.close()

    def settled(self, w):
        before = w._one(w.ctl("status"))["last_seq"]
        time.sleep(0.5)
        return before if w._one(w.ctl("status"))["last_seq"] == before else None


if __name__ == "__main__":
    unittest.main()
