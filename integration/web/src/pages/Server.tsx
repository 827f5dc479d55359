import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { Link } from "wouter";
import { api, type Schemas, type Server } from "../api/client";
import { onEvent, useWorld } from "../api/live";
import { absolute, bytes, image, ports } from "../model/format";
import { ended, lookOf } from "../model/words";
import { Actions } from "../ui/actions";
import { AtWork } from "../ui/operation";
import { Age, Badge, Copy, Facts, Failed, Panel, Skeleton } from "../ui/parts";
import { useMay } from "../ui/session";

const Logs = lazy(() => import("./Logs"));
const Configuration = lazy(() => import("./Configuration"));
const Usage = lazy(() => import("./Usage"));
const AGES_MS = 20_000; // the texts contain ages
const TABS = ["overview", "usage", "logs", "history", "configuration", "explain"];

export default function ServerPage({ id, tab }: { id: string; tab: string }) {
  const { servers, loaded, operations } = useWorld();
  const s = servers.get(id) ?? [...servers.values()].find((x) => x.name === id);
  const mayLogs = useMay("logs");
  if (!loaded) return <Skeleton />;
  if (!s)
    return (
      <div className="panel empty">
        <h1>This server does not exist</h1>
        <p>It may have been purged: the audit shows by whom.</p>
        <Link className="link" href="/servers">
          All servers
        </Link>
      </div>
    );
  const open = s.operation ?? [...operations.values()].find((o) => o.target === s.id && !ended(o));
  return (
    <>
      <div className="row">
        <h1>{s.name}</h1>
        <Badge look={lookOf(s)} />
        <Because server={s} />
        <span className="grow" />
        <Actions server={s} />
      </div>
      {open && <AtWork operation={open} />}
      <Away server={s} />
      {s.last_error && s.status !== "running" && (
        <div className="note bad-edge">
          <strong>{s.last_error.message}</strong>
          {s.last_error.hint && <div className="quiet">{s.last_error.hint}</div>}
        </div>
      )}
      {s.status === "deleted" && (
        <div className="note warn-edge">
          Deleted <Age time={s.deleted_at} />. Its data, name and ports stay until{" "}
          <b title={absolute(s.purge_at)}>
            <Age time={s.purge_at} />
          </b>
          ; until then it can be restored as it was.
        </div>
      )}
      {s.pending_rebuild && <PendingRebuild server={s} />}
      <div className="tabs" role="tablist" aria-label={s.name}>
        {TABS.filter((t) => t !== "logs" || mayLogs).map((t) => (
          <Link
            key={t}
            role="tab"
            aria-selected={t === tab}
            href={`/servers/${s.id}${t === "overview" ? "" : `/${t}`}`}
          >
            {t.charAt(0).toUpperCase() + t.slice(1)}
          </Link>
        ))}
      </div>
      <Suspense fallback={<Skeleton />}>
        {tab === "overview" && <Overview server={s} />}
        {tab === "usage" && <Usage path={`/api/servers/${s.id}`} />}
        {tab === "logs" && <Logs server={s} />}
        {tab === "history" && <History server={s} />}
        {tab === "configuration" && <Configuration key={s.id} server={s} />}
        {tab === "explain" && <Explain server={s} />}
      </Suspense>
    </>
  );
}

// Read again whenever something happens to this server.
function useFresh<T>(key: string, s: Server, ask: () => Promise<T>) {
  const client = useQueryClient();
  useEffect(
    () =>
      onEvent((e) => {
        if (e.subject === `server.${s.id}` || e.server?.id === s.id)
          void client.invalidateQueries({ queryKey: [key, s.id] });
      }),
    [client, key, s.id],
  );
  return useQuery({ queryKey: [key, s.id], queryFn: ask, refetchInterval: AGES_MS });
}

const useExplanation = (s: Server) =>
  useFresh("explain", s, () => api<Schemas["explanation"]>("GET", `/api/servers/${s.id}/explain`));

function Because({ server }: { server: Server }) {
  const { data } = useExplanation(server);
  return <span className="quiet">{data?.summary}</span>;
}

function Away({ server }: { server: Server }) {
  const agent = useWorld().agents.get(server.agent_id);
  if (!agent || agent.status === "online") return null;
  return (
    <div className="note warn-edge">
      {agent.name} is {agent.status}, last seen <Age time={agent.last_seen} />. This page shows the state of that time.
    </div>
  );
}

function PendingRebuild({ server }: { server: Server }) {
  return (
    <div className="note warn-edge row">
      <span className="grow">Its configuration has changed; this applies at the next rebuild or recreate.</span>
      <Link className="button" href={`/servers/${server.id}/configuration`}>
        See what changes
      </Link>
    </div>
  );
}

function Overview({ server: s }: { server: Server }) {
  const { data } = useExplanation(s);
  const agent = useWorld().agents.get(s.agent_id);
  const address = s.game_port ? `${agent?.hostname || s.agent}:${s.game_port}` : "";
  return (
    <>
      {s.status === "running" && (
        <Suspense fallback={<Skeleton />}>
          <Usage path={`/api/servers/${s.id}`} brief />
        </Suspense>
      )}
      <div className="grid">
        <Panel title="Connect">
          <div className="body">
            <Facts
              rows={[
                [
                  "Address",
                  address && (
                    <span key="a" className="row">
                      <code>{address}</code>
                      <Copy text={address} />
                    </span>
                  ),
                ],
                ["Ports", ports(s.ports)],
                [
                  "Host",
                  <Link key="h" className="link" href={`/hosts/${s.agent_id}`}>
                    {s.agent}
                  </Link>,
                ],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Data">
          <div className="body">
            <Facts
              rows={[
                ["State", s.data_exists ? "present" : s.data_state],
                ["Size", s.data_exists && bytes(s.data_bytes)],
                [
                  "Path",
                  <span key="p" className="row">
                    <code>{s.server_data_path}</code>
                    <Copy text={s.server_data_path} />
                  </span>,
                ],
                [
                  "Problem",
                  s.data_problem && (
                    <span key="x" className="bad">
                      {s.data_problem}
                    </span>
                  ),
                ],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Container">
          <div className="body">
            <Facts
              rows={[
                [
                  "Id",
                  s.container_id ? (
                    <span key="c" className="row">
                      <code>{s.container_id.slice(0, 12)}</code>
                      <Copy text={s.container_id} />
                    </span>
                  ) : (
                    "none"
                  ),
                ],
                ["State", s.container_state],
                ["Image", image(s)],
                ["Made from", s.container_image !== image(s) && s.container_image],
                ["Started", s.started_at && <Age key="s" time={s.started_at} />],
                ["Health", s.health !== "none" && s.health],
                ["Restarts", s.restarts > 0 && s.restarts],
                ["Exit code", s.container_state === "exited" && String(s.exit_code)],
                ["Drift", s.drift],
                ["Seen", <Age key="o" time={s.observed_at} />],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Record">
          <div className="body">
            <Facts
              rows={[
                ["Id", <code key="i">{s.id}</code>],
                ["Template", s.template],
                ["Desired", s.desired_state],
                ["Recovery", s.recovery],
                ["Crash policy", s.crash_policy],
                ["Created", <Age key="m" time={s.created_at} />],
                ["Changed", <Age key="u" time={s.updated_at} />],
                ["Revision", s.revision],
              ]}
            />
          </div>
        </Panel>
        <Panel title="What led here">
          <div className="body">
            <ul className="timeline">
              {(data?.past ?? [])
                .slice(-8)
                .reverse()
                .map((l, i) => (
                  <li key={`${l.at}${i}`}>
                    <span className="quiet">
                      <Age time={l.at} />
                    </span>
                    <span>{l.text}</span>
                  </li>
                ))}
            </ul>
          </div>
        </Panel>
      </div>
    </>
  );
}

type Event = Schemas["event"];
const shortly = (e: Event) => {
  const d = e.data as Record<string, unknown>;
  const type = String((e as unknown as { type: string }).type)
    .replace(/^\w+\./, "")
    .replaceAll("_", " ");
  if ("from" in d && "to" in d) return `${d.from} → ${d.to}${d.reason ? `: ${d.reason}` : ""}`;
  if ("op" in d)
    return `${type}: ${(d.op as { kind: string; actor: string }).kind} by ${(d.op as { actor: string }).actor}`;
  if ("status" in d)
    return `${type}: ${d.status}${d.step ? `, ${d.step}` : ""}${(d.error as { message?: string } | null)?.message ? `: ${(d.error as { message: string }).message}` : ""}`;
  if ("to" in d) return `${type}: ${d.to}`;
  if ("container" in d) return `seen: container ${d.container ?? "gone"}, data ${d.data}`;
  if ("container_id" in d)
    return d.container_id ? `container ${String(d.container_id).slice(0, 12)}` : "no container any more";
  return type;
};

function History({ server }: { server: Server }) {
  const page = useFresh("history", server, () =>
    api<Schemas["event_page"]>("GET", `/api/servers/${server.id}/history`, { query: { limit: 200 } }),
  );
  const [at, setAt] = useState<string>();
  const then = useQuery({
    queryKey: ["then", server.id, at],
    queryFn: () => api<Server>("GET", `/api/servers/${server.id}`, { query: { at } }),
    enabled: at !== undefined,
  });
  if (page.error) return <Failed error={page.error} />;
  if (!page.data) return <Skeleton />;
  return (
    <div
      className="grid"
      style={{ gridTemplateColumns: at ? "repeat(auto-fit, minmax(min(340px, 100%), 1fr))" : "1fr" }}
    >
      <Panel title="What happened, newest first">
        <div className="body">
          <ol className="timeline">
            {page.data.events.map((e) => (
              <li key={e.seq}>
                <button
                  type="button"
                  className="button bare small"
                  title={absolute(e.time)}
                  onClick={() => setAt(e.time ?? undefined)}
                >
                  <Age time={e.time} />
                </button>
                <span>
                  {shortly(e)}
                  <span className="quiet small"> · {String((e.cause as { kind?: string }).kind ?? "")}</span>
                </span>
              </li>
            ))}
          </ol>
        </div>
      </Panel>
      {at && (
        <Panel
          title={`State at ${absolute(at)}`}
          actions={
            <button type="button" className="button bare" aria-label="Close" onClick={() => setAt(undefined)}>
              ✕
            </button>
          }
        >
          <div className="body">
            {then.error ? (
              <Failed error={then.error} />
            ) : !then.data ? (
              <Skeleton />
            ) : (
              <Facts
                rows={[
                  ["Status", <Badge key="b" look={lookOf(then.data)} />],
                  ["Desired", then.data.desired_state],
                  ["Container", then.data.container_id.slice(0, 12)],
                  ["Image", image(then.data)],
                  ["Data", then.data.data_exists ? bytes(then.data.data_bytes) : then.data.data_state],
                  ["Ports", ports(then.data.ports)],
                  ["Revision", then.data.revision],
                ]}
              />
            )}
          </div>
        </Panel>
      )}
    </div>
  );
}

function Lines({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Panel title={title}>
      <div className="body">
        <ul className="timeline">{children}</ul>
      </div>
    </Panel>
  );
}

function Explain({ server }: { server: Server }) {
  const e = useExplanation(server);
  if (e.error) return <Failed error={e.error} />;
  if (!e.data) return <Skeleton />;
  const line = (l: Schemas["explanation"]["past"][number], i: number) => (
    <li key={`${l.at}${i}`}>
      <span className="quiet">{l.at ? <Age time={l.at} /> : ""}</span>
      <span>
        {l.text} <span className="quiet small">· {l.kind.replaceAll("_", " ")}</span>
      </span>
    </li>
  );
  return (
    <div className="stack">
      <div className="note">{e.data.summary}</div>
      <Lines title="What led here, oldest first">{e.data.past.map(line)}</Lines>
      <Lines title="What comes next">
        {e.data.next.length ? (
          e.data.next.map(line)
        ) : (
          <li>
            <span />
            <span className="quiet">Nothing happens by itself.</span>
          </li>
        )}
      </Lines>
    </div>
  );
}
