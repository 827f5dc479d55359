import { useMutation } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { useWorld } from "../api/live";
import { ports } from "../model/format";
import { lookOf, lookOfAgent } from "../model/words";
import { Actions, SyncButton } from "../ui/actions";
import { Age, Badge, Button, Facts, Failed, Panel, Skeleton } from "../ui/parts";
import { useMay } from "../ui/session";

const Usage = lazy(() => import("./Usage"));

export default function Host({ id }: { id: string }) {
  const { agents, servers, loaded } = useWorld();
  const a = agents.get(id) ?? [...agents.values()].find((x) => x.name === id);
  // Unclaimed containers show only in a sync, which is a request of its own: it is sent only on demand.
  const mayCompare = useMay("operate");
  const sync = useMutation({
    mutationFn: () => api<Schemas["sync_reply"]>("POST", `/api/agents/${a?.id}/sync`, { body: {} }),
  });
  if (!loaded) return <Skeleton />;
  if (!a) return <div className="panel empty">This host does not exist.</div>;
  const mine = [...servers.values()].filter((s) => s.agent_id === a.id).sort((x, y) => x.name.localeCompare(y.name));
  const unclaimed = sync.data?.agents[0]?.unclaimed ?? [];
  return (
    <>
      <div className="row">
        <h1>{a.name}</h1>
        <Badge look={lookOfAgent(a)} />
        {a.status !== "online" && (
          <span className="quiet">
            last seen <Age time={a.last_seen} />; this page shows the state of that time
          </span>
        )}
        <span className="grow" />
        <SyncButton agent={a.id} />
      </div>
      <div className="grid">
        <Panel title="The host">
          <div className="body">
            <Facts
              rows={[
                ["Host name", a.hostname],
                [
                  "Engine",
                  a.engine_ok ? (
                    `${a.engine_version} (API ${a.api_version})`
                  ) : (
                    <span key="e" className="bad">
                      {a.engine_problem || "does not answer"}
                    </span>
                  ),
                ],
                ["Agent", a.version],
                ["Data path", <code key="p">{a.data_path}</code>],
                ["Last sync", <Age key="s" time={a.last_sync} />],
                ["Known since", <Age key="c" time={a.created_at} />],
                [
                  "Recovery held",
                  a.recovery_held && (
                    <span key="r" className="warn">
                      since <Age time={a.recovery_held} />: most of its servers were gone at once. To resume: zedctl
                      agent recover {a.name}
                    </span>
                  ),
                ],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Ports in use">
          <div className="body">
            {ports(mine.filter((s) => s.status !== "deleted").flatMap((s) => s.ports)) || (
              <span className="quiet">none</span>
            )}
          </div>
        </Panel>
      </div>
      <Suspense fallback={<Skeleton />}>
        <Usage path={`/api/agents/${a.id}`} host />
      </Suspense>
      <Panel title={`Servers (${mine.length})`}>
        <div className="scroll">
          <table className="table">
            <tbody>
              {mine.map((s) => (
                <tr key={s.id}>
                  <td>
                    <Badge look={lookOf(s)} />
                  </td>
                  <td>
                    <Link href={`/servers/${s.id}`}>{s.name}</Link>
                  </td>
                  <td className="quiet wide">{ports(s.ports)}</td>
                  <td>
                    <Actions server={s} compact />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {mine.length === 0 && <div className="empty">This host has no servers.</div>}
        </div>
      </Panel>
      <Panel title="Unclaimed containers">
        <div className="body stack">
          {sync.error ? <Failed error={sync.error} /> : null}
          {sync.data && unclaimed.length === 0 && (
            <span className="quiet">There are no containers with zedops labels that no server claims.</span>
          )}
          {!sync.data && (
            <div>
              <Button
                why={mayCompare ? (a.status === "online" ? "" : `${a.name} is ${a.status}`) : "no right to operate"}
                onClick={() => sync.mutate()}
              >
                Look for them
              </Button>
            </div>
          )}
          {unclaimed.map((name) => (
            <div className="row" key={name}>
              <code className="grow">{name}</code>
              <Link className="button" href={`/servers/new?adopt=${encodeURIComponent(name)}&agent=${a.name}`}>
                Adopt…
              </Link>
            </div>
          ))}
          <span className="quiet small">
            Any container can become a server, with its data:{" "}
            <Link className="link" href={`/servers/new?adopt=&agent=${a.name}`}>
              adopt one by name
            </Link>
            .
          </span>
        </div>
      </Panel>
    </>
  );
}
