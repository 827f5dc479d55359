"""The first connection of a manager and an agent, and a death at every durable write of it.

ZEDOPS_CRASH_POINTS   how many points are tried (default 6), or "all"
ZEDOPS_CRASH_SEED     which ones
"""
import contextlib
import os
import random
import signal
import unittest

from points import PROGRAMS
from rig import DEATH_SECONDS, CrashWorld, wait_for

POINTS_DEFAULT = 6


def strangers():
    return contextlib.closing(CrashWorld(range(25_000, 26_000)))


class FirstMeeting(unittest.TestCase):
    def points(self):
        with strangers() as w:
            for p in PROGRAMS:
                w.arm(p, "count")
            w.start()
            wait_for("the first sync is done", lambda: w.agent()["last_sync"])
            return [(p, text) for p in PROGRAMS for text in w.passed(p)]

    def meet(self, w, program, text):
        w.arm(program, f"die {text}")
        for p in PROGRAMS:
            w.spawn(p)
        victim = w.process(program)
        wait_for(f"death at {program}, {text}", lambda: victim.poll() is not None, DEATH_SECONDS)
        self.assertEqual(victim.returncode, -signal.SIGKILL)
        w.disarm(program)
        w.spawn(program)
        w.answers(program)
        name = w.at_rest("running")
        w.do("server.purge", {"server": name, "confirm": True, "remove_data": True})
        w.check_history()
        w.check_store()
        self.assertEqual(w.lost_operations(), [])
        self.assertEqual(len(w.ask("agent.ls")["agents"]), 1)

    def test_a_first_meeting_survives_the_death_of_either(self):
        """[acc-48] [fc-10]"""
        every = self.points()
        how_many = os.environ.get("ZEDOPS_CRASH_POINTS", str(POINTS_DEFAULT))
        dice = random.Random(int(os.environ.get("ZEDOPS_CRASH_SEED", "1")))
        chosen = every if how_many == "all" else dice.sample(every, min(int(how_many), len(every)))
        for program, text in chosen:
            with self.subTest(program=program, point=text), strangers() as w:
                self.meet(w, program, text)
                print(f"{program}, {text}: kept", flush=True)
        print(f"{len(every)} points, {len(chosen)} of them tried")


if __name__ == "__main__":
    unittest.main()
