import { Link } from "wouter";
import { useWorld } from "../api/live";
import { useMetrics } from "../api/metrics";
import { bytes } from "../model/format";
import { lookOfAgent } from "../model/words";
import { SyncButton } from "../ui/actions";
import { Age, Badge, Meter, Skeleton } from "../ui/parts";

export function Hosts() {
  const { agents, servers, loaded } = useWorld();
  const metrics = useMetrics();
  if (!loaded) return <Skeleton />;
  const figure = (agent: string, name: string) =>
    metrics.data?.find((m) => m.name === `zedops_host_${name}` && m.labels.agent === agent)?.value;
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
                <th className="wide">CPU</th>
                <th className="wide">Memory</th>
                <th className="wide">Disk</th>
                <th className="wide medium">Engine</th>
                <th className="wide roomy">Data path</th>
                <th className="wide roomy">Agent</th>
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
                  <td className="wide">
                    <Meter
                      name={`CPU of ${a.name}`}
                      used={figure(a.name, "cpu_cores")}
                      of={figure(a.name, "cpu_cores_max")}
                      text={(n) => n.toFixed(1)}
                    />
                  </td>
                  <td className="wide">
                    <Meter
                      name={`Memory of ${a.name}`}
                      used={figure(a.name, "memory_bytes")}
                      of={figure(a.name, "memory_bytes_max")}
                      text={bytes}
                    />
                  </td>
                  <td className="wide">
                    <Meter
                      name={`Disk of ${a.name}`}
                      used={figure(a.name, "disk_bytes")}
                      of={figure(a.name, "disk_bytes_max")}
                      text={bytes}
                    />
                  </td>
                  <td className="wide medium quiet">{a.engine_ok ? a.engine_version : a.engine_problem}</td>
                  <td className="wide roomy quiet mono">{a.data_path}</td>
                  <td className="wide roomy quiet">{a.version}</td>
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
