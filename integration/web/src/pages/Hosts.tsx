import { Link } from "wouter";
import { useWorld } from "../api/live";
import { useMetrics } from "../api/metrics";
import { bytes } from "../model/format";
import { lookOfAgent } from "../model/words";
import { SyncButton } from "../ui/actions";
import { Age, Badge, Meter, Skeleton } from "../ui/parts";

const METERS = [
  { title: "CPU", figure: "cpu_cores", text: (n: number) => n.toFixed(1) },
  { title: "Memory", figure: "memory_bytes", text: bytes },
  { title: "Disk", figure: "disk_bytes", text: bytes },
];

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
                {METERS.map((m) => (
                  <th key={m.title} className="wide">
                    {m.title}
                  </th>
                ))}
                <th className="wide medium">Engine</th>
                <th className="wide roomy">Data path</th>
                <th className="wide roomy">Agent</th>
                <th>Last sync</th>
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
                        last seen <Age time={a.last_seen} />
                      </span>
                    )}
                  </td>
                  <td>
                    <Link href={`/hosts/${a.id}`}>{a.name}</Link> <span className="quiet small wide">{a.hostname}</span>
                  </td>
                  <td>
                    {counts.get(a.id)?.running ?? 0} running of {counts.get(a.id)?.all ?? 0}
                  </td>
                  {METERS.map((m) => (
                    <td key={m.title} className="wide">
                      <Meter
                        name={`${m.title} of ${a.name}`}
                        used={figure(a.name, m.figure)}
                        of={figure(a.name, `${m.figure}_max`)}
                        text={m.text}
                      />
                    </td>
                  ))}
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
