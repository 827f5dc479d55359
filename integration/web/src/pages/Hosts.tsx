import { Link } from "wouter";
import { useWorld } from "../api/live";
import { lookOfAgent } from "../model/words";
import { SyncButton } from "../ui/actions";
import { Age, Badge, Skeleton } from "../ui/parts";

export function Hosts() {
  const { agents, servers, loaded } = useWorld();
  if (!loaded) return <Skeleton />;
  const counts = new Map<string, { all: number; running: number }>();
  for (const s of servers.values()) {
    const n = counts.get(s.agent_id) ?? { all: 0, running: 0 };
    n.all++;
    if (s.status === "running") n.running++;
    counts.set(s.agent_id, n);
  }
  const list = [...agents.values()].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <>
      <div className="row">
        <h1>Hosts</h1>
        <span className="quiet">
          {list.filter((a) => a.status === "online").length} of {list.length} online
        </span>
        <span className="grow" />
        <SyncButton />
      </div>
      {list.length === 0 ? (
        <div className="panel empty">
          <h2>No hosts yet</h2>
          <p>On the manager's machine, then on the new host, as root:</p>
          <code>zedctl agent token --name host1</code>
          <code>zedops-agent join LINE</code>
        </div>
      ) : (
        <div className="panel scroll">
          <table className="table">
            <thead>
              <tr>
                <th>Status</th>
                <th>Name</th>
                <th>Servers</th>
                <th className="wide">Engine</th>
                <th className="wide">Data path</th>
                <th className="wide">Agent</th>
                <th>Compared</th>
              </tr>
            </thead>
            <tbody>
              {list.map((a) => (
                <tr key={a.id} className={a.status === "online" ? "" : "dim"}>
                  <td>
                    <Badge look={lookOfAgent(a)} />
                    {a.status !== "online" && (
                      <span className="small quiet">
                        {" "}
                        seen <Age time={a.last_seen} />
                      </span>
                    )}
                  </td>
                  <td>
                    <Link href={`/hosts/${a.id}`}>{a.name}</Link> <span className="quiet small wide">{a.hostname}</span>
                  </td>
                  <td>
                    {counts.get(a.id)?.running ?? 0} running of {counts.get(a.id)?.all ?? 0}
                  </td>
                  <td className="wide quiet">{a.engine_ok ? a.engine_version : a.engine_problem}</td>
                  <td className="wide quiet mono">{a.data_path}</td>
                  <td className="wide quiet">{a.version}</td>
                  <td className="quiet">
                    <Age time={a.last_sync} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
