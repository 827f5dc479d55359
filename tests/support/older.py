"""A proxy between agents and manager that removes from their messages what the first release did not have: each sees
the other as older than itself."""
import pathlib
import threading

import msgpack
import zmq

FIRST = pathlib.Path(__file__).resolve().parents[1] / "golden/wire/first/arrays.hex"


def first_messages(kind):
    """How many fields each message had, by its number."""
    out = {}
    for line in FIRST.read_text().splitlines():
        name, _, text = line.partition(" ")
        parts = name.split(".")
        if parts[0] == kind and len(parts) == 3:
            out[int(parts[1])] = len(msgpack.unpackb(bytes.fromhex(text), raw=True, strict_map_key=False)[1])
    return out


class Older:
    """`listen` is for agents, `manager` the endpoint that they would have dialled."""

    def __init__(self, listen, manager):
        self.manager = manager
        self.fields = {kind: first_messages(kind) for kind in ("from_agent", "to_agent")}
        self.cut = {kind: 0 for kind in self.fields}      # messages that lost fields
        self.unknown = {kind: set() for kind in self.fields}
        self.context, self.stopping = zmq.Context(), threading.Event()
        self.agents = self.context.socket(zmq.ROUTER)
        self.agents.bind(listen)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def as_before(self, kind, frames):
        version, _, session, body = frames
        number, fields = msgpack.unpackb(body, raw=True, strict_map_key=False)
        if number not in self.fields[kind]:
            self.unknown[kind].add(number)
            return None
        known = self.fields[kind][number]
        self.cut[kind] += len(fields) > known
        return [version, str(number).encode(), session, msgpack.packb([number, fields[:known]], use_bin_type=False)]

    def run(self):
        managers, poller = {}, zmq.Poller()
        poller.register(self.agents, zmq.POLLIN)
        while not self.stopping.is_set():
            for socket, _ in poller.poll(50):
                frames = socket.recv_multipart()
                if socket is self.agents:
                    agent, frames = frames[0], frames[1:]
                    if agent not in managers:
                        s = managers[agent] = self.context.socket(zmq.DEALER)
                        s.routing_id = agent
                        s.connect(self.manager)
                        poller.register(s, zmq.POLLIN)
                    if said := self.as_before("from_agent", frames):
                        managers[agent].send_multipart(said)
                else:
                    agent = next(a for a, s in managers.items() if s is socket)
                    if said := self.as_before("to_agent", frames):
                        self.agents.send_multipart([agent, *said])
        self.context.destroy(linger=0)

    def stop(self):
        self.stopping.set()
        self.thread.join(10)
