import { Link } from "wouter";
import { type Deployment, type Project, type Service, useDeployments } from "../api/deploy";
import { lookOfDeployment, lookOfHealth } from "../model/words";
import { Progress } from "../ui/deploy";
import { Age, Badge, Failed, Skeleton } from "../ui/parts";

export default function Projects() {
  const projects = useDeployments<{ projects: Project[] }>("/api/projects");
  const services = useDeployments<{ services: Service[] }>("/api/services");
  if (projects.error || services.error) return <Failed error={projects.error ?? services.error} />;
  if (!projects.data || !services.data) return <Skeleton />;
  const list = projects.data.projects;
  return (
    <>
      <div className="row">
        <h1>Projects</h1>
        <span className="quiet">
          {list.filter((p) => p.health === "healthy").length} of {list.length} healthy
        </span>
      </div>
      {list.length === 0 ? (
        <div className="panel empty">
          <h2>No projects yet</h2>
          <p>From a folder with an index.html to a running site:</p>
          <code>zedctl project create shop</code>
          <code>zedctl service create shop/web --agent HOST</code>
          <code>zedctl deploy shop/web --dir DIR</code>
        </div>
      ) : (
        list.map((p) => (
          <section key={p.id} className="panel">
            <header>
              <h2>{p.name}</h2>
              <Badge look={lookOfHealth(p.health)} />
              <span className="quiet grow">{p.health_reason || p.description}</span>
              {p.last_deployed_at && (
                <span className="quiet small">
                  deployed <Age time={p.last_deployed_at} />
                </span>
              )}
            </header>
            <div className="scroll">
              <table className="table">
                <thead>
                  <tr>
                    <th>Service</th>
                    <th>Health</th>
                    <th>Served</th>
                    <th>Newest deployment</th>
                    <th className="wide">Host</th>
                    <th className="wide">Address</th>
                  </tr>
                </thead>
                <tbody>
                  {services.data.services
                    .filter((s) => s.project === p.name)
                    .map((s) => (
                      <tr key={s.id}>
                        <td>
                          <Link href={`/services/${s.id}`}>{s.name}</Link>
                        </td>
                        <td>
                          <Badge look={lookOfHealth(s.health)} title={s.health_reason} />
                        </td>
                        <td>{s.current ? `#${s.current}` : <span className="quiet">nothing yet</span>}</td>
                        <td>{s.last_deployment && <Newest d={s.last_deployment} />}</td>
                        <td className="wide quiet">{s.agent}</td>
                        <td className="wide">{s.url && <a href={s.url}>{s.url}</a>}</td>
                      </tr>
                    ))}
                </tbody>
              </table>
              {p.services.length === 0 && (
                <div className="empty">
                  No services: <code>zedctl service create {p.name}/NAME --agent HOST</code>
                </div>
              )}
            </div>
          </section>
        ))
      )}
    </>
  );
}

function Newest({ d }: { d: Deployment }) {
  return (
    <div className="stack" style={{ gap: 4 }}>
      <span>
        #{d.number} <Badge look={lookOfDeployment(d)} />{" "}
        <span className="quiet small">
          <Age time={d.created_at} />
        </span>
      </span>
      {!d.ended_at && <Progress d={d} />}
    </div>
  );
}
