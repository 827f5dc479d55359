import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import type { Server } from "../api/client";
import { now, useWorld } from "../api/live";
import { SHOWN_MS, type Usage, useShownUsage } from "../api/usage";
import { bytes, image, inOrder, plural, ports, sizeOf } from "../model/format";
import { spark } from "../model/usage";
import { lookOf, lookOfAgent, trouble } from "../model/words";
import { Actions, SyncButton } from "../ui/actions";
import { BulkBar } from "../ui/bulk";
import { Age, Badge, Button, Skeleton } from "../ui/parts";
import { useMay } from "../ui/session";

const ROW_PX = 39;
const ATTENTION_MAX = 6;

type Column = "status" | "name" | "host" | "data" | "age";
const ORDER: Record<Column, (a: Server, b: Server) => number> = {
  status: (a, b) => inOrder(lookOf(a).word, lookOf(b).word),
  name: (a, b) => inOrder(a.name, b.name),
  host: (a, b) => inOrder(a.agent, b.agent),
  data: (a, b) => (b.data_bytes ?? 0) - (a.data_bytes ?? 0),
  age: (a, b) => (b.created_at ?? "").localeCompare(a.created_at ?? ""),
};

function useFilters() {
  const [params, set] = useSearchParams();
  return {
    get: (key: string) => params.get(key) ?? "",
    put: (key: string, value: string) =>
      set(
        (p) => {
          const next = new URLSearchParams(p);
          if (value) next.set(key, value);
          else next.delete(key);
          return next;
        },
        { replace: true },
      ),
  };
}

export function Servers() {
  // A flood of events must not hold up a click or a scroll: the list is made when there is time for it.
  const world = useDeferredValue(useWorld());
  const mayMake = useMay("operate");
  const [, go] = useLocation();
  const { get, put } = useFilters();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const text = get("q").toLowerCase();
  const host = get("host");
  const withDeleted = get("deleted") === "1";
  const sort = (get("sort") || "name") as Column;

  const all = useMemo(() => [...world.servers.values()], [world.servers]);
  const deleted = all.filter((s) => s.status === "deleted").length;
  const shown = useMemo(
    () =>
      all
        .filter(
          (s) =>
            (withDeleted || s.status !== "deleted") &&
            (!host || s.agent === host) &&
            (!text || `${s.name} ${s.agent} ${lookOf(s).word} ${image(s)} ${s.id}`.toLowerCase().includes(text)),
        )
        .sort((a, b) => (ORDER[sort] ?? ORDER.name)(a, b) || ORDER.name(a, b)),
    [all, withDeleted, host, text, sort],
  );
  const counts = useMemo(() => {
    const n = new Map<string, number>();
    for (const s of all) if (s.status !== "deleted") n.set(s.status, (n.get(s.status) ?? 0) + 1);
    return [...n].map(([status, count]) => `${count} ${status}`).join(" · ");
  }, [all]);
  const attention = useMemo(() => all.filter((s) => s.status !== "deleted" && trouble(s)), [all]);

  if (!world.loaded) return <Skeleton lines={8} />;
  if (all.length === 0) return <NoServers agents={world.agents.size} />;
  return (
    <>
      <div className="row">
        <h1>Servers</h1>
        <span className="quiet">{counts}</span>
        <span className="grow" />
        <SyncButton />
        <Button kind="primary" why={mayMake ? "" : "no right to operate"} onClick={() => go("/servers/new")}>
          New server
        </Button>
      </div>
      {attention.length > 0 && (
        <section className="panel attention" aria-label="Needs attention">
          <header style={{ borderBottom: 0 }}>
            <h2>Needs attention</h2>
          </header>
          {attention.slice(0, ATTENTION_MAX).map((s) => (
            <div className="item" key={s.id}>
              <Badge look={lookOf(s)} />
              <Link href={`/servers/${s.id}`} style={{ fontWeight: 600 }}>
                {s.name}
              </Link>
              <span className="quiet grow">{trouble(s)}</span>
              <Actions server={s} compact />
            </div>
          ))}
          {attention.length > ATTENTION_MAX && (
            <div className="item quiet">and {attention.length - ATTENTION_MAX} more, below</div>
          )}
        </section>
      )}
      <div className="row">
        <input
          className="input"
          style={{ width: 280 }}
          type="search"
          data-search
          aria-label="Filter servers"
          placeholder="Filter: name, host, status, image…  ( / )"
          value={get("q")}
          onChange={(e) => put("q", e.target.value)}
        />
        <select
          className="input"
          style={{ width: 160 }}
          aria-label="Host"
          value={host}
          onChange={(e) => put("host", e.target.value)}
        >
          <option value="">every host</option>
          {[...world.agents.values()].map((a) => (
            <option key={a.id}>{a.name}</option>
          ))}
        </select>
        <label className="check">
          <input type="checkbox" checked={withDeleted} onChange={(e) => put("deleted", e.target.checked ? "1" : "")} />
          show deleted ({deleted})
        </label>
        <span className="grow" />
        <span className="quiet small">{plural(shown.length, "server")}</span>
      </div>
      {chosen.size > 0 && <BulkBar chosen={shown.filter((s) => chosen.has(s.id))} onDone={() => choose(new Set())} />}
      <Rows
        servers={shown}
        sort={sort}
        onSort={(c) => put("sort", c === "name" ? "" : c)}
        chosen={chosen}
        onChoose={choose}
      />
    </>
  );
}

function Rows({
  servers,
  sort,
  onSort,
  chosen,
  onChoose,
}: {
  servers: Server[];
  sort: Column;
  onSort: (c: Column) => void;
  chosen: ReadonlySet<string>;
  onChoose: (ids: ReadonlySet<string>) => void;
}) {
  const all = servers.length > 0 && servers.every((s) => chosen.has(s.id));
  const turn = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  const { agents } = useWorld();
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: servers.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = rows.getVirtualItems();
  const usage = useShownUsage(
    items.flatMap((i) => (servers[i.index]?.status === "running" ? [servers[i.index]?.id ?? ""] : [])),
  );
  const before = items[0]?.start ?? 0;
  const after = rows.getTotalSize() - (items.at(-1)?.end ?? 0);
  const head = (column: Column, title: string, className = "") => (
    <th className={className} aria-sort={sort === column ? "ascending" : undefined}>
      <button type="button" onClick={() => onSort(column)}>
        {title}
        {sort === column ? " ↓" : ""}
      </button>
    </th>
  );
  return (
    <div
      className="panel scroll rows"
      ref={box}
      style={{ maxHeight: "calc(100dvh - 230px)", minHeight: 220 }}
      tabIndex={0}
      role="region"
      aria-label="List of servers"
    >
      <table className="table">
        <thead>
          <tr>
            <th className="wide">
              <input
                type="checkbox"
                aria-label="Choose all"
                checked={all}
                onChange={() => onChoose(all ? new Set() : new Set(servers.map((s) => s.id)))}
              />
            </th>
            {head("status", "Status")}
            {head("name", "Name")}
            {head("host", "Host", "wide")}
            <th className="wide roomy">Image</th>
            <th className="wide">Ports</th>
            <th className="wide roomy">CPU, memory</th>
            {head("data", "Data", "wide")}
            {head("age", "Age", "wide medium")}
            <th>
              <span className="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {before > 0 && (
            <tr>
              <td colSpan={10} style={{ height: before, padding: 0 }} />
            </tr>
          )}
          {items.map((item) => {
            const s = servers[item.index];
            if (!s) return null;
            const agent = agents.get(s.agent_id);
            const away = agent !== undefined && agent.status !== "online";
            return (
              <tr key={s.id} className={away ? "dim" : ""} data-server={s.name}>
                <td className="wide" style={{ width: 34 }}>
                  <input
                    type="checkbox"
                    aria-label={`Choose ${s.name}`}
                    checked={chosen.has(s.id)}
                    onChange={() => turn(s.id)}
                  />
                </td>
                <td>
                  <Badge look={lookOf(s)} />
                  {s.operation && <span className="quiet small"> · {s.operation.kind}…</span>}
                </td>
                <td>
                  <Link href={`/servers/${s.id}`}>{s.name}</Link>
                  {s.pending_rebuild && <span className="warn small"> rebuild pending</span>}
                  <div className={`only-phone small ${lookOf(s).tone}`}>{lookOf(s).word}</div>
                </td>
                <td className="wide">
                  <Link href={`/hosts/${s.agent_id}`} style={{ fontWeight: 400 }}>
                    {s.agent}
                  </Link>
                  {away && agent && (
                    <span className="small quiet">
                      {" "}
                      {lookOfAgent(agent).word}, last seen <Age time={agent.last_seen} />
                    </span>
                  )}
                </td>
                <td className="wide roomy quiet cut" title={image(s)}>
                  {image(s)}
                </td>
                <td className="wide quiet nowrap">{ports(s.ports)}</td>
                <td className="wide roomy quiet nowrap">
                  <Now of={usage.get(s.id)} />
                </td>
                <td className="wide quiet nowrap">{sizeOf(s)}</td>
                <td className="wide medium quiet">
                  <Age time={s.created_at} />
                </td>
                <td>
                  <Actions server={s} compact />
                </td>
              </tr>
            );
          })}
          {after > 0 && (
            <tr>
              <td colSpan={10} style={{ height: after, padding: 0 }} />
            </tr>
          )}
        </tbody>
      </table>
      {servers.length === 0 && <div className="empty">No matching servers. Remove a filter.</div>}
    </div>
  );
}

const SPARK = { width: 44, height: 14 };

// CPU of the last minutes as a line, and the current usage.
function Now({ of }: { of: Usage | undefined }) {
  const newest = of?.points.at(-1)?.used;
  if (!of || !newest) return null;
  const words = `${(newest.cpu_millis / 1000).toFixed(2)} · ${bytes(newest.memory_bytes)}`;
  return (
    <>
      <svg {...SPARK} className="spark" aria-hidden="true">
        <path d={spark(of.points, of.every, "cpu_millis", now(), SHOWN_MS, SPARK.width, SPARK.height)} />
      </svg>{" "}
      {words}
    </>
  );
}

function NoServers({ agents }: { agents: number }) {
  const [, go] = useLocation();
  const may = useMay("operate");
  return (
    <div className="panel empty">
      <h1>No servers yet</h1>
      {agents === 0 ? (
        <>
          <p>First, a Docker host needs an agent. Run on the manager's machine, then on the host:</p>
          <code>zedctl agent token --name host1 → zedops-agent join LINE</code>
        </>
      ) : (
        <>
          <p>Create the first one here, or with: zedctl server create NAME --agent HOST --image REPO</p>
          <Button kind="primary" why={may ? "" : "no right to operate"} onClick={() => go("/servers/new")}>
            New server
          </Button>
        </>
      )}
    </div>
  );
}
