import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schemas, type Server } from "../api/client";
import { useWorld } from "../api/live";
import { actionsOf } from "../model/actions";
import { useAct } from "../ui/actions";
import { type Env, EnvTable } from "../ui/env";
import { Button, Failed, Field, Panel } from "../ui/parts";
import { useSigned } from "../ui/session";
import { useTemplates } from "../ui/templates";
import { toast } from "../ui/toasts";

export default function Configuration({ server: s }: { server: Server }) {
  const { verbs, session } = useSigned();
  const agent = useWorld().agents.get(s.agent_id);
  const template = useTemplates().data?.templates.find((t) => t.name === s.template);
  const [base, setBase] = useState(s);
  const [env, setEnv] = useState<Env>(s.config);
  const [repo, setRepo] = useState(s.image);
  const [tag, setTag] = useState(s.image_tag);
  const [recovery, setRecovery] = useState(s.recovery);
  const [error, setError] = useState<unknown>();
  const perform = useAct();
  const all = actionsOf(s, agent, verbs, session);
  const why = [...all.first, ...all.more].find((a) => a.verb === "edit")?.why ?? "";
  const rebuild = [...all.first, ...all.more].find((a) => a.verb === "rebuild");

  const config = Object.fromEntries(Object.entries(env).filter(([k, v]) => base.config[k] !== v));
  const unset = Object.keys(base.config).filter((k) => !(k in env));
  const changes: [string, string, string][] = [
    ...Object.entries(config).map(([k, v]): [string, string, string] => [k, base.config[k] ?? "", v]),
    ...unset.map((k): [string, string, string] => [k, base.config[k] ?? "", "(removed)"]),
  ];
  if (repo !== base.image) changes.push(["image", base.image, repo]);
  if (tag !== base.image_tag) changes.push(["tag", base.image_tag, tag]);
  if (recovery !== base.recovery) changes.push(["recovery", base.recovery, recovery]);

  const moved = s.revision !== base.revision && JSON.stringify(s.config) !== JSON.stringify(base.config);
  const reset = (to: Server) => {
    setBase(to);
    setEnv(to.config);
    setRepo(to.image);
    setTag(to.image_tag);
    setRecovery(to.recovery);
  };
  const save = async (then?: string) => {
    setError(undefined);
    try {
      const r = await api<Schemas["operation_reply"]>("PATCH", `/api/servers/${s.id}`, {
        body: {
          config,
          unset,
          ...(repo !== base.image && { image: repo }),
          ...(tag !== base.image_tag && { image_tag: tag }),
          ...(recovery !== base.recovery && { recovery }),
        },
        headers: { "Idempotency-Key": crypto.randomUUID() },
      });
      reset(r.server);
      if (then) await perform(r.server, then);
      else toast("Saved. It applies at the next rebuild or recreate.");
    } catch (e) {
      setError(e);
    }
  };
  const nothing = changes.length === 0 ? "nothing has changed" : "";
  return (
    <div className="stack">
      {moved && (
        <div className="note warn-edge row">
          <span className="grow">Another user has changed it meanwhile.</span>
          <Button onClick={() => reset(s)}>Load their version</Button>
        </div>
      )}
      {error !== undefined && <Failed error={error} />}
      {s.pending_rebuild && <Pending server={s} />}
      <div className="grid">
        <Panel title="Image">
          <div className="body stack">
            <Field label="Repository" help={s.container_image && `its container was made from ${s.container_image}`}>
              {(id) => <input id={id} className="input" value={repo} onChange={(e) => setRepo(e.target.value)} />}
            </Field>
            <Field label="Tag">
              {(id) => <input id={id} className="input" value={tag} onChange={(e) => setTag(e.target.value)} />}
            </Field>
            <Field label="When its container is gone" help="auto: the container is made again from its data">
              {(id) => (
                <select
                  id={id}
                  className="input"
                  value={recovery}
                  onChange={(e) => setRecovery(e.target.value as Server["recovery"])}
                >
                  <option value="manual">wait for a decision (manual)</option>
                  <option value="auto">make it again (auto)</option>
                </select>
              )}
            </Field>
          </div>
        </Panel>
        <Panel title="Changes">
          <div className="body stack">
            {changes.length === 0 && (
              <span className="quiet">None yet. Changes apply at the next rebuild or recreate.</span>
            )}
            <ul className="timeline">
              {changes.map(([key, from, to]) => (
                <li key={key} style={{ gridTemplateColumns: "140px 1fr" }}>
                  <code>{key}</code>
                  <span>
                    <span className="quiet">{from || "(not set)"}</span> → <b>{to}</b>
                  </span>
                </li>
              ))}
            </ul>
            <div className="row">
              <Button kind="primary" why={why || nothing} onClick={() => void save()}>
                Save
              </Button>
              <Button why={why || nothing || rebuild?.why} onClick={() => void save("rebuild")}>
                Save and rebuild now
              </Button>
              {s.pending_rebuild && changes.length === 0 && (
                <Button kind="primary" why={rebuild?.why} onClick={() => void perform(s, "rebuild")}>
                  Rebuild now
                </Button>
              )}
            </div>
          </div>
        </Panel>
      </div>
      <Panel title="Environment">
        <div className="body">
          <EnvTable value={env} onChange={setEnv} template={template} immutable />
        </div>
      </Panel>
    </div>
  );
}

// The changes that the container does not have yet: the manager's plan for a rebuild.
function Pending({ server }: { server: Server }) {
  const plan = useQuery({
    queryKey: ["rebuild-plan", server.id, server.revision],
    queryFn: () =>
      api<Schemas["operation_reply"]>("POST", `/api/servers/${server.id}/rebuild`, { query: { dry_run: 1 }, body: {} }),
    retry: false,
  });
  return (
    <Panel title="What a rebuild would do">
      <div className="body">
        {plan.error ? <Failed error={plan.error} /> : null}
        <ol style={{ margin: 0, paddingLeft: 20 }}>
          {plan.data?.plan.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ol>
      </div>
    </Panel>
  );
}
