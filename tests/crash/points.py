"""Lists the points of every operation, and tries one: death, restart, and every promise kept."""
import signal
import uuid

from foreign import Request
from history import promise
from operations import OPERATIONS, Point
from rig import DEATH_SECONDS, wait_for

PROGRAMS = ("manager", "agent")


class NotReached(Exception):
    """The operation ended before it came to the point: how often it looks, and which steps share a commit, varies."""


def begin(w, operation):
    """(name, record before, body) of a server that is ready for the operation."""
    if not operation.start:
        name = w.new_name()
        return name, None, w.create_body(name)
    name = w.at_rest(operation.start)
    return name, w.server(name), {"server": name, **operation.body}


def _points(w, program, operation):
    for text in w.passed(program):
        kind, name, _, _ = text.split()
        # Of the manager, those commits that the operation is part of: others come at times of their own.
        if program == "agent" or (kind == "commit" and "operation." in name):
            yield Point(operation, program, text)


def enumerate_points(w):
    """Runs every operation once, undisturbed, and gives all points that it passed."""
    found = []
    for operation in OPERATIONS:
        name, before, body = begin(w, operation)
        for program in PROGRAMS:
            w.arm(program, "count")
        ended = w.do(operation.verb, body)
        for program in PROGRAMS:
            w.disarm(program)
        w.check_server(name, ended["target"], before, operation)
        for program in PROGRAMS:
            found += _points(w, program, operation)
        w.rests(name, operation.end)
    return found


def _ended(w, point, op):
    """Without asking the manager when it is the one that is to die: it could not answer."""
    if point.program == "manager":
        passed = w.passed("manager")  # the last line may be the point itself: then it is dying, not ended
        return point.text not in passed and any("operation.ended" in p and " after " in p for p in passed)
    return w.operation(op)["status"] not in ("accepted", "running")


def _until_dead(w, point, request):
    """Waits until the program has died, or the operation ended without; the operation, if it was acknowledged."""
    victim = w.process(point.program)
    op = None

    def over():
        nonlocal op
        dead = victim.poll() is not None
        if op is None and (reply := request.hear(0.05 if dead else 0.01)):
            op = reply["operation"]["id"]
            w.acknowledged.setdefault(op, None)
        return dead or (op and _ended(w, point, op))

    try:
        wait_for(f"death at {point}", over, DEATH_SECONDS)
    finally:
        request.close()
    return op


def try_point(w, point):
    operation = point.operation
    name, before, body = begin(w, operation)
    key = uuid.uuid4().hex
    w.arm(point.program, f"die {point.text}")
    heard = _until_dead(w, point, Request(w.endpoint, operation.verb, body, key))
    w.disarm(point.program)
    victim = w.process(point.program)
    died = victim.poll() is not None
    if died:
        promise(victim.returncode == -signal.SIGKILL, "it was killed, and did not fall by itself", victim.returncode)
        promise(not (heard and "operation.accepted" in point.text and " before " in point.text),
                "nothing is acknowledged before it is durable")
        w.start(point.program)
        w.agent_is("online")
    # A client that heard nothing, or is in doubt, repeats: the same key is the same operation.
    op = w.send(operation.verb, body, key)
    promise(heard in (None, op), "the same key is the same operation", heard, op)
    ended = w.end_of(op)
    promise(ended["status"] == "succeeded", "the operation succeeds", ended["status"], ended["error"])
    w.check_server(name, ended["target"], before, operation)
    w.check_history()
    if died and point.program == "manager":
        w.check_store()
    w.rests(name, operation.end)
    if not died:
        raise NotReached(str(point))
