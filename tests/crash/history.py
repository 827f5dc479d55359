"""The history of a manager, whatever died in the course of it: nothing missing, nothing twice, nothing out of order."""
import collections


class Broken(AssertionError):
    """A promise that does not hold."""


def promise(holds, what, *seen):
    if not holds:
        raise Broken(f"{what}" + (": " + ", ".join(repr(x) for x in seen) if seen else ""))


class History:
    def __init__(self, ask):
        self.ask = ask
        self.events = []  # all of them, in order
        self.cursor = ""
        self.subjects = collections.Counter()
        self.begun, self.ended = collections.Counter(), collections.Counter()  # by operation
        self.status = {}  # of each server
        self.busy = {}    # server -> its open operation
        self.servers = {}  # operation -> its server

    def read(self, published):
        """Reads what is new: it has to be consecutive, and to have everything that a subscriber received, unchanged."""
        while True:
            page = self.ask("event.replay", {"since": self.cursor})
            promise(page["gap_from"] == 0, "no gap", page["gap_from"], page["gap_to"])
            for e in page["events"]:
                self._take(e)
            self.cursor = page["cursor"]
            if len(page["events"]) < 1000:
                break
        for e in published:
            kept = self.events[e["seq"] - 1] if e["seq"] <= len(self.events) else None
            promise(kept == e, "what was published is in the history, unchanged", e, kept)

    def complete(self, operation):
        return self.begun[operation] == 1 and self.ended[operation] == 1

    def _take(self, e):
        self.events.append(e)
        self.subjects[e["subject"]] += 1
        promise(e["seq"] == len(self.events), "seq is consecutive, from 1", e)
        promise(e["subject_seq"] == self.subjects[e["subject"]], "subject_seq is consecutive, from 1", e)
        kind, data = e["type"], e["data"]
        if kind == "server.created":
            self.status[e["subject"]] = data["record"]["status"]
        elif kind == "server.status_changed":
            self._transition(e, data)
        elif kind == "operation.accepted":
            op = data["op"]["id"]
            self.begun[op] += 1
            self.servers[op] = f"server.{data['op']['target']}"
            self.busy[self.servers[op]] = op
        elif kind == "operation.ended":
            self.ended[data["id"]] += 1
            self.busy.pop(self.servers[data["id"]], None)

    def _transition(self, e, data):
        promise(self.status[e["subject"]] == data["from"], "a transition begins where the last one led", e)
        self.status[e["subject"]] = data["to"]
        promise(e["subject"] not in self.busy or e["cause"]["kind"] not in ("sync", "container_event"),
                "nobody interferes with an open operation", e)
