import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { useWorld } from "../api/live";
import { useMetrics } from "../api/metrics";
import { bytes, duration } from "../model/format";
import { quantile, type Sample } from "../model/metrics";
import { ended, lookOfAgent } from "../model/words";
import { SyncButton } from "../ui/actions";
import { Age, Badge, Facts, Failed, Panel, Skeleton, useNow } from "../ui/parts";

const LOOK_EVERY_MS = 10_000; // while the page is shown

export default function Monitoring() {
  const { agents, operations } = useWorld();
  const now = useNow();
  const status = useQuery({
    queryKey: ["status"],
    queryFn: () => api<Schemas["manager_status"]>("GET", "/api/status"),
    refetchInterval: LOOK_EVERY_MS,
  });
  const metrics = useMetrics();
  if (status.error) return <Failed error={status.error} />;
  const s = status.data;
  if (!s) return <Skeleton />;
  const m: Sample[] = metrics.data ?? [];
  const one = (name: string) => m.find((x) => x.name === `zedops_${name}`)?.value ?? 0;
  const sum = (name: string) => m.filter((x) => x.name === `zedops_${name}`).reduce((n, x) => n + x.value, 0);
  const of = (agent: string, name: string) =>
    m.find((x) => x.name === `zedops_agent_${name}` && x.labels.agent === agent)?.value ?? 0;
  const commits = one("journal_commits_total");
  const ms = (n: number | undefined) =>
    n === undefined
      ? "nothing yet"
      : n === Number.POSITIVE_INFINITY
        ? "more than 30 s"
        : `≤ ${n < 1 ? `${Math.round(n * 1000)} ms` : `${n} s`}`;
  const late = [...operations.values()].filter((o) => !ended(o) && o.deadline && Date.parse(o.deadline) < now);
  return (
    <>
      <div className="row">
        <h1>Monitoring</h1>
        <span className="grow" />
        <SyncButton />
      </div>
      <div className="grid">
        <Panel title="Manager">
          <div className="body">
            <Facts
              rows={[
                ["Role", `leader, term ${s.term}`],
                ["Version", s.version],
                ["Up", s.started_at && duration(now - Date.parse(s.started_at))],
                [
                  "Servers",
                  Object.entries(s.servers)
                    .map(([k, n]) => `${n} ${k}`)
                    .join(", ") || "none",
                ],
                ["Agents", `${s.agents_online} of ${s.agents} online`],
                ["Operations open", String(s.operations_open)],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Store">
          <div className="body">
            <Facts
              rows={[
                ["Size", bytes(s.store_bytes)],
                ["Path", <code key="d">{s.data_dir}</code>],
                ["Commits", String(commits)],
                [
                  "Duration of a commit",
                  commits
                    ? `${((one("journal_commit_seconds_total") / commits) * 1000).toFixed(1)} ms, ${(one("journal_commit_seconds_max") * 1000).toFixed(0)} ms at most`
                    : "nothing yet",
                ],
                ["Waiting", String(one("journal_waiting"))],
                ["Events", `${s.oldest_seq} to ${s.last_seq}`],
              ]}
            />
          </div>
        </Panel>
        <Panel title="Accuracy">
          <div className="body">
            <Facts
              rows={[
                [
                  "Detection",
                  `median ${ms(quantile(m, "zedops_detection_seconds", 0.5))}, 99 % ${ms(quantile(m, "zedops_detection_seconds", 0.99))}`,
                ],
                [
                  "Divergence",
                  sum("agent_divergence") ? (
                    <span key="v" className="bad">
                      {sum("agent_divergence")} servers in another state than shown, at the last sync
                    </span>
                  ) : (
                    "none"
                  ),
                ],
                ["Changes found only by sync", String(sum("sync_corrections_total"))],
                ["Actors restarted", String(one("actor_restarts_total"))],
                ["Requests refused", String(one("requests_refused_total"))],
                [
                  "Overdue operations",
                  late.length ? (
                    <span key="l" className="warn">
                      {late.length}
                    </span>
                  ) : (
                    "none"
                  ),
                ],
              ]}
            />
          </div>
        </Panel>
      </div>
      <Panel title="Syncs">
        <div className="scroll">
          <table className="table">
            <thead>
              <tr>
                <th>Host</th>
                <th>Status</th>
                <th>Last sync</th>
                <th className="wide">Duration</th>
                <th className="wide">In another state than shown</th>
                <th className="wide">Unclaimed containers</th>
              </tr>
            </thead>
            <tbody>
              {[...agents.values()].map((a) => (
                <tr key={a.id}>
                  <td>
                    <Link href={`/hosts/${a.id}`}>{a.name}</Link>
                  </td>
                  <td>
                    <Badge look={lookOfAgent(a)} />
                  </td>
                  <td className="quiet">
                    <Age time={a.last_sync} />
                  </td>
                  <td className="wide quiet">{Math.round(of(a.name, "sync_seconds") * 1000)} ms</td>
                  <td className="wide quiet">{of(a.name, "divergence")}</td>
                  <td className="wide quiet">{of(a.name, "unclaimed_containers")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      <p className="quiet small">
        For Prometheus: <code>/metrics</code> with a viewer's token. For probes: <code>/healthz</code>,{" "}
        <code>/readyz</code>.
      </p>
    </>
  );
}
