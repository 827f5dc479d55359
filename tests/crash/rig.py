"""A world whose manager and agent can be made to die at a point, and the promises that hold after every death."""
import fcntl
import pathlib
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import world  # noqa: E402
from engine_api import Engine  # noqa: E402
from foreign import Listener, Lost, Refused, ask  # noqa: E402
from history import History, promise  # noqa: E402
from world import wait_for  # noqa: E402

world.ENGINE_DIR = ROOT / "build/engine-crash"

ENDED = ("succeeded", "failed", "cancelled")
END_SECONDS = 45.0    # within which an operation has ended, whichever program died
DEATH_SECONDS = 30.0  # within which an armed program has reached its point

# It reacts to signals at once, and writes a line for every start and every orderly end.
WITNESS = ("trap 'echo saved >> /data/saved; exit 0' TERM; echo started >> /data/started; "
           "while :; do sleep 1000 & wait $!; done")
TEMPLATE = """
name = "witness"
description = "Writes down each start and each orderly end"
image = "zedops/busybox"
image_tag = "test"
pull = "if-missing"
command = ["sh", "-c", "{witness}"]
networks = ["{network}"]

[game_port]
first = {first}
last = {last}
step = 2

[udp_port]
game_offset = 1

[[port]]
name = "game"
proto = "udp"

[[port]]
name = "udp"
proto = "udp"

[[dir]]
name = "data"
target = "/data"

[stop]
grace = "1s"
"""


class CrashWorld(world.World):
    def __init__(self, ports):
        """`ports`: the range of its servers. All Engines of this machine publish on the same host."""
        super().__init__()
        self.plans = {p: self.dir / f"{p}.plan" for p in ("manager", "agent")}
        self.programs = {f"zedops-{p}": (f"zedops-{p}-crash", {"ZEDOPS_CRASH_PLAN": str(plan)})
                         for p, plan in self.plans.items()}
        templates = self.dir / "templates"
        templates.mkdir()
        self.network = f"crash-{uuid.uuid4().hex[:8]}"  # a name that no Engine remembers from an earlier run
        text = TEMPLATE
        for key, value in {"first": ports[0], "last": ports[-1], "network": self.network,
                           "witness": WITNESS}.items():
            text = text.replace(f"{{{key}}}", str(value))
        (templates / "witness.toml").write_text(text)
        self.settings["templates-dir"] = templates
        self.engine = Engine(world.docker_host())
        self.run.mkdir(mode=0o750)
        self.listener = Listener(f"ipc://{self.run}/events.ipc")
        self.acknowledged = {}  # operation id -> how it ended, None: not yet
        self.history = History(self.ask)
        self.pool = {}  # status -> servers that rest in it
        self.roots = {}  # server -> the target of its move, if it was moved
        self.strangers = {}  # server -> (container, its folder) that it is made of, if it was adopted
        self.next_port = 28_000  # of foreign containers: outside any template's range

    def close(self):
        self.listener.close()
        for container, _ in self.strangers.values():
            self.docker("rm", "-f", container, check=False)
        super().close()
        self.docker("network", "rm", self.network, check=False)

    # ---- processes ----
    def spawn(self, program):
        if program == "agent":
            self.start_agent(wait=False)
            return
        flags = [x for k, v in self.settings.items() for x in (f"--{k}", v)]
        self.manager = self._spawn("zedops-manager", "--data-dir", self.db, "--runtime-dir", self.run, *flags)

    def answers(self, program="manager"):
        """Waits until the program answers, and the agent is online."""
        def manager():
            promise(self.manager.poll() is None, "the manager lives", self.manager.returncode)
            try:
                return self.ask("status", seconds=0.5)
            except Lost:
                return None

        wait_for("the manager answers", manager)
        promise(self.process(program).poll() is None, f"the {program} lives")
        self.agent_is("online")

    def process(self, program):
        return self.manager if program == "manager" else self.agents["host1"]

    def start(self):
        self.spawn("manager")
        self.spawn("agent")
        self.answers()

    def agent(self, name="host1"):
        try:
            return self.ask("agent.get", {"agent": name})
        except (Lost, Refused):  # it has never connected yet, or the manager does not answer now
            return {"status": "not known", "engine_ok": False}

    # ---- points ----
    def arm(self, program, what):
        self.log_of(program).unlink(missing_ok=True)
        new = self.plans[program].with_suffix(".new")
        new.write_text(f"{uuid.uuid4().hex} {what}\n")
        new.rename(self.plans[program])

    def disarm(self, program):
        """Afterwards no program dies at a point: one that is dying has already logged the point."""
        with open(f"{self.plans[program]}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.plans[program].unlink(missing_ok=True)

    def log_of(self, program):
        return pathlib.Path(f"{self.plans[program]}.log")

    def passed(self, program):
        log = self.log_of(program)
        return log.read_text().splitlines() if log.exists() else []

    # ---- clients ----
    def ask(self, verb, body=None, key="", seconds=10.0):
        return ask(self.endpoint, verb, body, key, seconds)

    def server(self, name):
        return self.ask("server.get", {"server": name})

    def operation(self, op):
        return self.ask("op.get", {"id": op})

    def send(self, verb, body, key, seconds=10.0):
        """The operation that the request made; it counts as acknowledged from here on."""
        op = self.ask(verb, body, key, seconds)["operation"]["id"]
        self.acknowledged.setdefault(op, None)
        return op

    def end_of(self, op):
        def ended():
            try:
                o = self.operation(op)
            except Lost:
                return None
            return o if o["status"] in ENDED else None

        o = wait_for(f"operation {op} ends", ended, END_SECONDS)
        self.acknowledged[op] = o["status"]
        return o

    def do(self, verb, body):
        """An operation without any crash."""
        o = self.end_of(self.send(verb, body, uuid.uuid4().hex))
        promise(o["status"] == "succeeded", f"{verb} {body} succeeds undisturbed", o)
        return o

    # ---- operations ----
    def begin(self, operation):
        """(name, record before, body) of a server that is ready for the operation."""
        if operation.title == "adopt":
            name = self.new_name()
            return name, None, self.adopt_body(name)
        if not operation.start:
            name = self.new_name()
            return name, None, self.create_body(name)
        name = self.at_rest(operation.start)
        if operation.title == "move":
            return name, self.server(name), {"server": name, "data_path": self.other_root(name)}
        return name, self.server(name), {"server": name, **operation.body}

    # ---- servers at rest ----
    def new_name(self):
        return f"srv-{uuid.uuid4().hex[:8]}"

    def create_body(self, name):
        return {"name": name, "agent": "host1", "template": "witness"}

    def adopt_body(self, name):
        """For a container that was made by hand, with its data in its own folder."""
        container, folder, game = f"hand-{name}", self.dir / "by-hand" / name, self.next_port
        self.next_port += 2
        folder.mkdir(parents=True)
        self.docker("network", "create", self.network, check=False)  # there already, mostly
        self.docker("run", "-d", "--name", container, "--network", self.network, "-p", f"{game}:{game}/udp", "-p",
                    f"{game + 1}:{game + 1}/udp", "-v", f"{folder}:/data", "zedops/busybox:test", "sh", "-c", WITNESS)
        self.strangers[name] = container, folder
        wait_for(f"{container} runs", (folder / "started").exists)
        return {"name": name, "agent": "host1", "template": "witness", "container": container, "game_port": game}

    def tree(self, name, agent="host1"):
        root = self.roots.get(name)
        return pathlib.Path(root) / name if root else super().tree(name, agent)

    def other_root(self, name):
        """The target of its move; from now on its tree is expected there."""
        here, other = super().tree(name).parent, self.dir / "fast"
        self.roots[name] = str(here if self.roots.get(name) == str(other) else other)
        return self.roots[name]

    def at_rest(self, status):
        """A server in this status: one from the pool, or one that is brought into it."""
        if self.pool.get(status):
            return self.pool[status].pop()
        if status == "running":
            name = self.new_name()
            self.do("server.create", self.create_body(name))
            self.in_data(name, "started", 1)
            return name
        name = self.at_rest("running")
        if status == "stopped":
            self.do("server.stop", {"server": name})
        elif status == "deleted":
            self.do("server.rm", {"server": name})
        elif status == "missing":
            self.engine.take_away(self.server(name)["container_id"])
        self.status(name, status, operation=None)
        return name

    def rests(self, name, status):
        if status != "purged":
            self.pool.setdefault(status, []).append(name)

    def lines(self, name, file):
        path = self.data(name) / file
        return len(path.read_text().splitlines()) if path.exists() else 0

    def in_data(self, name, file, count):
        return wait_for(f"{name} has written {file}", lambda: self.lines(name, file) >= count)

    # ---- promises ----
    def check_history(self):
        self.history.read(self.listener.heard())

    def lost_operations(self):
        """The acknowledged operations that did not begin once and end once, for ever."""
        return [op for op, status in self.acknowledged.items()
                if not self.history.complete(op) or self.operation(op)["status"] not in (status or ENDED)]

    def check(self, name, server_id, before, operation):
        """What the operation promises is true, in the record and on the host, at the moment when it has ended."""
        containers = self.engine.containers_of(server_id)
        promise(len(containers) == operation.containers_after, f"{operation.containers_after} container(s)",
                [(c["Name"], c["State"]["Status"]) for c in containers])
        if operation.end == "purged":
            promise(self.tree(name).exists() == operation.data_after, "data is kept or gone as asked")
            self.check_gone(name, server_id)
            return
        s = self.server(server_id)
        promise(s["status"] == operation.end, f"the status is {operation.end}", s["status"], s["last_error"])
        promise(s["operation"] is None and s["last_error"] is None, "nothing is left open", s)
        ports = (s["game_port"], s["udp_port"])
        promise(before is None or ports == (before["game_port"], before["udp_port"]), "its ports stay its own", ports)
        promise(self.tree(name).exists(), "its data is there")
        if operation.title == "move":
            roots = {super().tree(name).parent, self.dir / "fast"}
            where = [r for r in roots if (r / name).exists()]
            promise([str(r) for r in where] == [s["server_data_path"]], "its tree is where the record says, and only there",
                    where)
        if operation.title == "adopt":
            self.check_adopted(name)
        roots = [r for r in (self.tree(name).parent, self.dir / "fast") if r.exists()]
        aside = [p.name for r in roots for p in r.iterdir() if name in p.name and p.name != name]
        promise(not aside, "no copy is left half made", aside)
        if containers:
            self.check_container(containers[0], s, operation)
            promise(not operation.same_container or s["container_id"] == before["container_id"], "it is the same container")
        self.check_witness(name, operation)

    def check_adopted(self, name):
        container, folder = self.strangers[name]
        promise(self.docker("ps", "-aq", "--filter", f"name=^{container}$").split() == [], "the original is gone")
        promise((folder / "started").read_text() == "started\n" and (folder / "saved").read_text() == "saved\n",
                "it was stopped in order, once, and its data is where it was")

    def check_container(self, c, s, operation):
        promise(c["Id"] == s["container_id"], "the record names the container", c["Id"], s["container_id"])
        promise(s["name"] in c["Name"] and "old" not in c["Name"], "it has its own name", c["Name"])
        promise(c["State"]["Running"] == operation.alive_after, "it runs, or not, as the record says", c["State"])
        bound = {int(k.split("/")[0]): int(v[0]["HostPort"]) for k, v in c["HostConfig"]["PortBindings"].items()}
        promise(set(bound.values()) == {s["game_port"], s["udp_port"]}, "it has the record's ports", bound)

    def check_witness(self, name, operation):
        """No game was killed without a stop signal first: each start but the current one has its orderly end."""
        alive = 1 if operation.alive_after else 0
        wait_for(f"{name}: every start but {alive} has its orderly end",
                 lambda: self.lines(name, "started") == self.lines(name, "saved") + alive, 5)

    def check_gone(self, name, server_id):
        """Its name is free; a request by id says that it was purged."""
        promise(self.server(server_id)["status"] == "purged", "it is purged")
        try:
            s = self.server(name)
        except Refused as e:
            promise(e.code == "not_found", "its name is free", e)
        else:
            promise(False, "its name is free", s)

    def check_ports(self):
        """No port is given twice among all servers that are not purged."""
        taken = {}
        for s in self.ask("server.ls", {"all": True})["servers"]:
            for p in s["ports"]:
                other = taken.setdefault((p["proto"], p["number"]), s["name"])
                promise(other == s["name"], "a port is given once", p, other, s["name"])

    def check_store(self):
        r = self.ctl_raw("store", "verify", "--data-dir", self.db)
        promise(r.returncode == 0, "the store is sound", r.stdout, r.stderr)
