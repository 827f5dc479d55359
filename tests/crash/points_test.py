"""kill -9 after every durable write and every Engine call of every operation: nothing acknowledged is lost.

ZEDOPS_CRASH_POINTS   how many points are tried (default 28), or "all"
ZEDOPS_CRASH_SEED     which ones
ZEDOPS_CRASH_DEATHS   how often the program dies at the point (default 2: again while it repairs the first)
ZEDOPS_CRASH_ONLY     only points with this in their description, such as "rebuild: agent, engine rename"
"""
import collections
import os
import random
import time
import traceback
import unittest

from operations import OPERATIONS
from points import NotReached, enumerate_points, try_point
from rig import CrashWorld

POINTS_DEFAULT = 28
SECONDS_MAX = 90.0  # for a sample; remaining points are not tried
TRIES_MAX = 3       # to reach a point


def sample(points, count, seed):
    """At least one point of each operation and program, the rest anywhere."""
    dice = random.Random(seed)
    groups = collections.defaultdict(list)
    for p in points:
        groups[p.operation.title, p.program].append(p)
    chosen = [dice.choice(g) for g in groups.values()]
    if count < len(chosen):
        return sorted(dice.sample(chosen, count), key=points.index)
    others = [p for p in points if p not in chosen]
    return sorted(chosen + dice.sample(others, min(count - len(chosen), len(others))), key=points.index)


def in_turns(points):
    """One point of each operation after the other: the end of one is then the start of the next."""
    groups = collections.defaultdict(list)
    for p in points:
        groups[p.operation.title].append(p)
    return [g[i] for i in range(max(map(len, groups.values()), default=0)) for g in groups.values() if i < len(g)]


class Points(unittest.TestCase):
    OPERATIONS = OPERATIONS
    SAMPLE = POINTS_DEFAULT

    def make_world(self):
        return CrashWorld(range(23_000, 24_000))

    def setUp(self):
        self.world = self.make_world()
        self.addCleanup(self.world.close)
        self.world.start()
        self.tried, self.missed, self.broken = [], [], []

    def attempt(self, point, deaths):
        for _ in range(TRIES_MAX):
            try:
                died = try_point(self.world, point, deaths)
                self.tried.append(point)
                return "kept" if died == 1 else f"kept, after {died} deaths"
            except NotReached:
                pass
            except Exception:  # the others are still tried
                self.broken.append((point, traceback.format_exc()))
                print(f"\n*** {point}\n{self.broken[-1][1]}")
                self.tails()
                self.tidy_up()
                return "BROKEN"
        self.missed.append(point)
        return "not reached"

    def tails(self):
        for program in ("zedops-manager", "zedops-agent"):
            print(f"--- {program} ---\n" + "\n".join(self.world.log(program).splitlines()[-25:]), flush=True)

    def tidy_up(self):
        for program in ("manager", "agent"):
            self.world.disarm(program)
            if self.world.process(program).poll() is not None:
                self.world.spawn(program)
        self.world.answers()

    def test_no_crash_loses_anything(self):
        """[acc-48] [acc-27] [acc-28] [acc-31] [acc-36] [acc-45] [acc-49] [acc-57] [fc-10] [fc-11] [fc-14] [fc-15]"""
        w = self.world
        how_many = os.environ.get("ZEDOPS_CRASH_POINTS", str(self.SAMPLE))
        seed = int(os.environ.get("ZEDOPS_CRASH_SEED", "1"))
        deaths = int(os.environ.get("ZEDOPS_CRASH_DEATHS", "2"))
        only = os.environ.get("ZEDOPS_CRASH_ONLY", "")
        every = enumerate_points(w, self.OPERATIONS)
        chosen = [p for p in every if only in str(p)]
        if how_many != "all":
            chosen = sample(chosen, int(how_many), seed)
        print(f"{len(every)} points, {len(chosen)} of them are tried, seed {seed}", flush=True)
        begun = time.monotonic()
        for n, point in enumerate(in_turns(chosen), 1):
            if how_many != "all" and time.monotonic() - begun > SECONDS_MAX:
                print(f"time is over: {len(chosen) - n + 1} points are left out")
                break
            outcome = self.attempt(point, deaths)
            print(f"{n}/{len(chosen)} {time.monotonic() - begun:.0f} s  {point}: {outcome}", flush=True)
        w.check_history()
        w.check_ports()
        lost = w.lost_operations()
        self.report(every, lost)
        self.assertEqual(lost, [])
        self.assertEqual([str(p) for p, _ in self.broken], [])
        self.assertGreater(len(self.tried), len(self.missed))

    def report(self, every, lost):
        count = collections.Counter
        rows = [count(p.operation.title for p in x) for x in (every, self.tried, self.missed, [p for p, _ in self.broken])]
        print(f"\n{'operation':20}{'points':>8}{'kept':>8}{'missed':>8}{'broken':>8}")
        for title in rows[0]:
            print(f"{title:20}" + "".join(f"{r[title]:8}" for r in rows))
        print(f"points {len(self.tried)}, operations acknowledged {len(self.world.acknowledged)}, "
              f"events {len(self.world.history.events)}, lost {len(lost)}", flush=True)


if __name__ == "__main__":
    unittest.main()
