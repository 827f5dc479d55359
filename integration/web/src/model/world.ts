// What the page knows of the manager, as a pure function of what was read and of the events since.
import type { Agent, Operation, Server } from "../api/client";

export interface World {
  servers: ReadonlyMap<string, Server>;
  agents: ReadonlyMap<string, Agent>;
  operations: ReadonlyMap<string, Operation>; // open ones, and those that ended while the page was open
  loaded: boolean;
}

export const nothing: World = { servers: new Map(), agents: new Map(), operations: new Map(), loaded: false };

export interface LiveEvent {
  type: string;
  subject: string;
  server?: Server | null;
  agent?: Agent | null;
  operation?: Operation | null;
}

const OPERATIONS_MAX = 200;

// One copy for a whole batch, however many events it has.
export function apply(world: World, events: readonly LiveEvent[]): World {
  if (events.length === 0) return world;
  const servers = new Map(world.servers);
  const agents = new Map(world.agents);
  const operations = new Map(world.operations);
  for (const e of events) {
    const id = e.subject.slice(e.subject.indexOf(".") + 1);
    if (e.server) {
      const known = servers.get(e.server.id);
      if (!known || known.revision <= e.server.revision) servers.set(e.server.id, e.server);
    } else if (e.server === null && e.subject.startsWith("server.")) servers.delete(id);
    if (e.agent) agents.set(e.agent.id, e.agent);
    else if (e.agent === null) agents.delete(id);
    if (e.operation) {
      operations.delete(e.operation.id);
      operations.set(e.operation.id, e.operation);
    }
  }
  for (const id of operations.keys()) {
    if (operations.size <= OPERATIONS_MAX) break;
    operations.delete(id);
  }
  return { servers, agents, operations, loaded: world.loaded };
}

export function loaded(servers: Server[], agents: Agent[], open: Operation[], since: readonly LiveEvent[]): World {
  return apply(
    {
      servers: new Map(servers.map((s) => [s.id, s])),
      agents: new Map(agents.map((a) => [a.id, a])),
      operations: new Map(open.map((o) => [o.id, o])),
      loaded: true,
    },
    since,
  );
}
