import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
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
        <span className="quiet">{s.health_reason}</span>
        <span className="grow" />
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
                ["Health check", s.health_path || "/"],
                ["Kept", `${s.retention} successful deployments`],
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
                <th>Begun</th>
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
                    <span className="quiet small">{x.source.commit.slice(0, 10) || bytes(x.source.bytes)}</span>
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
          {list.length === 0 && <div className="empty">Nothing was deployed yet.</div>}
        </div>
      </Panel>
    </>
  );
}

function One({ d, service }: { d: Deployment; service: Service }) {
  const may = useMay("operate");
  const [asked, ask] = useState(false);
  const act = useMutation({
    mutationFn: (to: { path: string; body: unknown }) => api("POST", to.path, { body: to.body }),
    onError: toastError,
    onSuccess: () => toast("It is on its way."),
  });
  const why = may ? (service.operation ? "another deployment or rollback is at work" : "") : "you may only look";
  return (
    <Panel
      title={`#${d.number}`}
      actions={
        <>
          {!d.ended_at && (
            <Button
              why={may ? "" : "you may only look"}
              onClick={() => act.mutate({ path: `/api/operations/${d.id}/cancel`, body: {} })}
            >
              Cancel
            </Button>
          )}
          {d.can_roll_back && (
            <Button why={why} onClick={() => ask(true)}>
              Roll back to it
            </Button>
          )}
          {d.ended_at && !d.current && (
            <Button
              why={why}
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
                  },
                })
              }
            >
              Deploy it again
            </Button>
          )}
        </>
      }
    >
      <div className="body stack" style={{ gap: 12 }}>
        {d.error && <Failed error={d.error} />}
        <Stepper d={d} />
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
            #{service.current} is replaced by #{d.number} at once, without a build. No request fails meanwhile.
          </p>
        </Ask>
      )}
    </Panel>
  );
}
