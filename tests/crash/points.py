"""Lists the points of every operation, and tries one: death, restart, and every promise kept."""
import signal
import uuid

from foreign import Lost, Refused, Request
from history import promise
from operations import OPERATIONS, Point
from rig import DEATH_SECONDS, ENDED, wait_for

PROGRAMS = ("manager", "agent")


class NotReached(Exception):
    """The operation ended before the point: the number of looks, and which steps share a commit, varies."""


def _points(w, program, operation):
    for text in w.passed(program):
        kind, name, _, _ = text.split()
        # Only commits of the operation: others happen at any time (first_test.py has them).
        if kind != "commit" or (program == "manager" and "operation." in name) or (program == "agent" and name != "meta"):
            yield Point(operation, program, text)


def enumerate_points(w, operations=OPERATIONS):
    """Runs every operation once, undisturbed, and returns all points that it passed."""
    found = []
    for operation in operations:
        name, before, body = w.begin(operation)
        for program in PROGRAMS:
            w.arm(program, "count")
        ended = w.do(operation.verb, body)
        for program in PROGRAMS:
            w.disarm(program)
        w.check(name, ended["target"], before, operation)
        for program in PROGRAMS:
            found += _points(w, program, operation)
        w.rests(name, operation.end)
    return found


def _ended(w, op):
    try:
        return w.ask("op.get", {"id": op}, seconds=1.0)["status"] in ENDED
    except Lost:
        return False  # the manager is dying, or just starting


def _until_dead(w, point, request):
    """Waits until the program has died, or the operation has ended; returns the operation if it was acknowledged."""
    victim = w.process(point.program)
    op = None

    def over():
        nonlocal op
        dead = victim.poll() is not None
        if op is None and (reply := request.hear(0.05 if dead else 0.01)):
            op = reply["operation"]["id"]
            w.acknowledged.setdefault(op, None)
        return dead or (op and _ended(w, op))

    try:
        wait_for(f"death at {point}", over, DEATH_SECONDS)
    except Refused as e:  # nothing had begun before the first death, and the agent is not back yet
        promise(e.code == "agent_unreachable" and op is None, "what is accepted is known", e)
    finally:
        request.close()
    return op


def _dies(w, point, request):
    """(died, operation if acknowledged) of the armed program."""
    op = _until_dead(w, point, request)
    w.disarm(point.program)
    if point.text not in w.passed(point.program):
        promise(w.process(point.program).poll() is None, f"the {point.program} lives")
        return False, op
    status = w.process(point.program).wait(DEATH_SECONDS)
    promise(status == -signal.SIGKILL, "it was killed, and did not fall by itself", status)
    promise(not (op and "operation.accepted" in point.text and " before " in point.text),
            "nothing is acknowledged before it is durable")
    return True, op


def try_point(w, point, deaths=1):
    """With more than one death it dies at the same point again while it repairs what the first death left."""
    operation = point.operation
    name, before, body = w.begin(operation)
    key = uuid.uuid4().hex
    heard = set()
    died = 0
    while died < deaths:
        w.arm(point.program, f"die {point.text}")
        if died:
            w.spawn(point.program)
        dead, op = _dies(w, point, Request(w.endpoint, operation.verb, body, key))
        heard |= {op} if op else set()
        if not dead:
            break
        died += 1
    if w.process(point.program).poll() is not None:
        w.spawn(point.program)
    w.answers(point.program)
    # A client that received nothing, or is in doubt, repeats: the same key is the same operation.
    op = w.send(operation.verb, body, key)
    promise(heard <= {op}, "the same key is the same operation", heard, op)
    ended = w.end_of(op)
    promise(ended["status"] == "succeeded", "the operation succeeds", ended["status"], ended["error"])
    w.check(name, ended["target"], before, operation)
    w.check_history()
    if died and point.program == "manager":
        w.check_store()
    w.rests(name, operation.end)
    if not died:
        raise NotReached(str(point))
    return died
