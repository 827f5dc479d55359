import { useMutation, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { api } from "../api/client";
import { type Deployment, type Service, useDeployments } from "../api/deploy";
import { bytes } from "../model/format";
import { lookOfDeployment, lookOfHealth } from "../model/words";
import { Progress, Stepper } from "../ui/deploy";
import { Ask } from "../ui/dialogs";
import { Age, Badge, Button, Facts, Failed, Panel, Skeleton } from "../ui/parts";
import { useMay } from "../ui/session";
import { toast, toastError } from "../ui/toasts";

export default function ServicePage({ id }: { id: string }) {
  const service = useDeployments<Service>(`/api/services/${id}`);
  const deployments = useDeployments<{ deployments: Deployment[] }>("/api/deployments", { service: id });
  const [shown, show] = useState<number>();
  if (service.error) return <Failed error={service.error} />;
  if (!service.data || !deployments.data) return <Skeleton />;
  const s = service.data;
  const list = deployments.data.deployments;
  const d = list.find((x) => x.number === shown) ?? list[0];
  return (
    <>
      <div className="row">
        <h1>
          <Link href="/projects">{s.project}</Link> / {s.name}
        </h1>
        <Badge look={lookOfHealth(s.health)} />
        <span className="quiet">{s.stopped ? "stopped by a user" : s.health_reason}</span>
        <span className="grow" />
        {s.kind === "container" && s.current > 0 && <Power s={s} />}
        {s.url && (
          <a className="button" href={s.url}>
            Open the site
          </a>
        )}
      </div>
      <div className="grid">
        <Panel title="The service">
          <div className="body">
            <Facts
              rows={[
                ["Served", s.current ? `#${s.current}` : "nothing yet"],
                [
                  "Host",
                  <Link key="h" href={`/hosts/${s.agent_id}`}>
                    {s.agent}
                  </Link>,
                ],
                ["Address", s.url],
                ["Health check", checkOf(s)],
                ["Kept", `${s.retention} successful deployments`],
                ...(s.kind === "container" ? ofContainer(s) : []),
                ...(s.kind === "static_site" && s.settings.route !== "none" ? [routeOf(s)] : []),
                ...(s.preview_of ? [["Preview of", s.preview_of] as [string, string]] : []),
                ...(s.expires_at ? [["Removed", <Age key="x" time={s.expires_at} />] as [string, ReactNode]] : []),
                ...built(s),
                ...(s.waiting ? [["Waiting", "a deployment, until this one has ended"] as [string, string]] : []),
                ["Deploy", <code key="d">{`zedctl deploy ${s.project}/${s.name} --dir DIR`}</code>],
              ]}
            />
          </div>
        </Panel>
        {d && <One d={d} service={s} />}
      </div>
      <Panel title="Deployments">
        <div className="scroll">
          <table className="table">
            <thead>
              <tr>
                <th>Number</th>
                <th>Status</th>
                <th>Source</th>
                <th className="wide">Who</th>
                <th className="wide">Environment</th>
                <th>Started</th>
              </tr>
            </thead>
            <tbody>
              {list.map((x) => (
                <tr key={x.id} aria-selected={x === d}>
                  <td>
                    <Button kind="bare" onClick={() => show(x.number)}>
                      #{x.number}
                    </Button>
                    {x.current && <span className="small good"> served</span>}
                  </td>
                  <td>
                    <Badge look={lookOfDeployment(x)} />
                    {x.error && <div className="small bad">{x.error.message}</div>}
                    {!x.ended_at && <Progress d={x} />}
                  </td>
                  <td>
                    {x.source.name}{" "}
                    <span className="quiet small">
                      {x.source.digest.slice(7, 19) || x.source.commit.slice(0, 10) || bytes(x.source.bytes)}
                    </span>
                  </td>
                  <td className="wide quiet">{x.trigger}</td>
                  <td className="wide quiet">{x.environment}</td>
                  <td className="quiet">
                    <Age time={x.created_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {list.length === 0 && <div className="empty">Nothing has been deployed yet.</div>}
        </div>
      </Panel>
    </>
  );
}

function routeOf(s: Service): [string, string] {
  const c = s.settings;
  return ["Route", c.route === "none" ? `port ${s.port}` : `${c.route}: ${c.hosts.join(", ")}`];
}

function checkOf(s: Service): string {
  if (s.settings.health_tcp) return "its port accepts a connection";
  return s.settings.health_command.join(" ") || s.health_path || "/";
}

function ofContainer(s: Service): [string, string][] {
  const c = s.settings;
  const rows: [string, string][] = [
    ["Container port", String(c.container_port)],
    routeOf(s),
    ["Environment", Object.keys(c.env).join(", ") || "none"],
  ];
  if (c.memory_max) rows.push(["Memory", bytes(c.memory_max)]);
  if (c.before_start.length > 0) rows.push(["Before start", c.before_start.join(" ")]);
  if (c.after_switch.length > 0) rows.push(["After switch", c.after_switch.join(" ")]);
  if (c.cpu_millis) rows.push(["CPU", `${c.cpu_millis / 1000} cores`]);
  return rows;
}

function built(s: Service): [string, string][] {
  const rows: [string, string][] = [];
  if (s.settings.build.length > 0) rows.push(["Build", `${s.settings.build.join(" ")} in ${s.settings.builder}`]);
  if (s.hook.url) rows.push(["Deployed by", `pushes to ${s.hook.branch} of ${s.hook.url}`]);
  return rows;
}

// Stops or starts its container.
function Power({ s }: { s: Service }) {
  const may = useMay("operate");
  const word = s.stopped ? "start" : "stop";
  const act = useMutation({
    mutationFn: () => api("POST", `/api/services/${s.id}/${word}`, { body: {} }),
    onError: toastError,
    onSuccess: () => toast("Request accepted."),
  });
  const why = may ? (s.operation ? "an operation is in progress" : "") : "no right to operate";
  return (
    <Button why={why} onClick={() => act.mutate()}>
      {s.stopped ? "Start" : "Stop"}
    </Button>
  );
}

const LOG_PAUSE_MS = 2000;

// The log of its phases; while it runs, updated regularly.
function Log({ d }: { d: Deployment }) {
  const [open, show] = useState(false);
  const log = useQuery({
    queryKey: ["deploy-log", d.id],
    queryFn: () =>
      api<{ lines: { text: string; at: string }[] }>("GET", `/api/deployments/${d.id}/logs`, {
        query: { tail: "500" },
      }),
    enabled: open,
    refetchInterval: d.ended_at ? false : LOG_PAUSE_MS,
  });
  return (
    <details onToggle={(e) => show(e.currentTarget.open)}>
      <summary>Log of the phases</summary>
      {log.error && <Failed error={log.error} />}
      {log.data && (
        <pre className="log" tabIndex={0}>
          {log.data.lines.map((l) => l.text).join("\n")}
        </pre>
      )}
    </details>
  );
}

function One({ d, service }: { d: Deployment; service: Service }) {
  const may = useMay("operate");
  const [asked, ask] = useState(false);
  const act = useMutation({
    mutationFn: (to: { path: string; body: unknown }) => api("POST", to.path, { body: to.body }),
    onError: toastError,
    onSuccess: () => toast("Request accepted."),
  });
  const why = may ? (service.operation ? "another operation is in progress" : "") : "no right to operate";
  const whyNot = may ? "" : "no right to operate";
  return (
    <Panel
      title={`#${d.number}`}
      actions={
        <>
          {!d.ended_at && (
            <Button
              why={may ? "" : "no right to operate"}
              onClick={() => act.mutate({ path: `/api/operations/${d.id}/cancel`, body: {} })}
            >
              Cancel
            </Button>
          )}
          {d.can_roll_back && (
            <Button why={why} onClick={() => ask(true)}>
              Roll back to this
            </Button>
          )}
          {d.ended_at && !d.current && (
            <Button
              why={whyNot}
              onClick={() =>
                act.mutate({
                  path: "/api/deployments",
                  body: {
                    service: service.id,
                    upload: d.source.upload,
                    environment: d.environment,
                    git: d.source.url,
                    revision: d.source.commit || d.source.revision,
                    folder: d.source.folder,
                    image: d.source.image,
                    digest: d.source.digest,
                  },
                })
              }
            >
              Deploy again
            </Button>
          )}
        </>
      }
    >
      <div className="body stack" style={{ gap: 12 }}>
        {d.error && <Failed error={d.error} />}
        <Stepper d={d} />
        <Log d={d} />
        <Facts rows={Object.entries(d.phase_metadata).map(([key, value]) => [key.replaceAll("_", " "), value])} />
      </div>
      {asked && (
        <Ask
          title={`Roll back to #${d.number}?`}
          onClose={() => ask(false)}
          buttons={
            <Button
              kind="primary"
              onClick={() => {
                act.mutate({ path: `/api/services/${service.id}/rollback`, body: { to: d.number } });
                ask(false);
              }}
            >
              Roll back
            </Button>
          }
        >
          <p>
            #{service.current} is replaced by #{d.number} at once, without a build.{" "}
            {service.kind === "container" && service.settings.route === "none"
              ? "The service is down for a moment between the end of the one and the start of the other."
              : "No request fails meanwhile."}
          </p>
        </Ask>
      )}
    </Panel>
  );
}
