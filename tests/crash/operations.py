"""The operations of which every point is tried, and what each promises."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Operation:
    title: str
    verb: str
    start: str  # status that it needs; empty: no server
    end: str    # status that it leads to
    body: dict = dataclasses.field(default_factory=dict)
    data_after: bool = True

    @property
    def same_container(self):
        return self.title in ("stop", "start stopped", "restart")

    @property
    def alive_after(self):
        return self.end == "running"

    @property
    def containers_after(self):
        return 1 if self.end in ("running", "stopped") else 0


# In the order of a server's life, so that the end of one is often the start of the next.
OPERATIONS = [
    Operation("create", "server.create", "", "running"),
    Operation("stop", "server.stop", "running", "stopped"),
    Operation("start stopped", "server.start", "stopped", "running"),
    Operation("restart", "server.restart", "running", "running"),
    Operation("rebuild", "server.rebuild", "running", "running"),
    Operation("move", "server.move", "running", "running"),
    Operation("start missing", "server.start", "missing", "running"),
    Operation("recreate missing", "server.recreate", "missing", "running"),
    Operation("recreate stopped", "server.recreate", "stopped", "running"),
    Operation("delete", "server.rm", "running", "deleted"),
    Operation("restore", "server.restore", "deleted", "running"),
    Operation("delete missing", "server.rm", "missing", "deleted"),
    Operation("purge, keep data", "server.purge", "deleted", "purged", {"confirm": True, "keep_data": True}),
    Operation("purge with data", "server.purge", "running", "purged", {"confirm": True, "remove_data": True}, False),
    Operation("adopt", "server.adopt", "", "running"),
]


@dataclasses.dataclass(frozen=True)
class Point:
    operation: Operation
    program: str  # "manager" or "agent"
    text: str     # "<kind> <name> <side> <n>", see crash_plan.hpp

    def __str__(self):
        return f"{self.operation.title}: {self.program}, {self.text}"
