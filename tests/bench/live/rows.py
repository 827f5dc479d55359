"""The rows of the table of tests/bench/run, and the server that is measured."""


def row(what, ours, unit, floor=None, ratio_max=None, ours_max=None):
    """One line of the table; the goal is a ratio to the floor, or a number by itself."""
    ratio = ours / floor if floor else None
    judged, goal = (ratio, ratio_max) if ratio_max is not None else (ours, ours_max)
    verdict = "" if goal is None else "met" if judged <= goal else "MISSED"
    shown = "" if goal is None else f"<={goal}" + ("x" if ratio_max is not None else "")
    print(f"{what:<62} {ours:>{13 - len(unit)}.2f} {unit} {f'{floor:.2f} {unit}' if floor else '':>14} "
          f"{f'{ratio:.2f}' if floor else '':>7} {shown:>9}  {verdict}", flush=True)


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


# A server that does nothing: only the Engine and zedops are measured.
SLEEPER = """
name = "sleeper"
description = "Does nothing, for benchmarks"
image = "zedops/busybox"
image_tag = "test"
pull = "if-missing"
command = ["sh", "-c", "echo 1 > /data/started; exec sleep 1000000"]

[game_port]
first = 21000
last = 21999

[[port]]
name = "game"
proto = "udp"

[[dir]]
name = "data"
target = "/data"

[stop]
grace = "1s"
"""
