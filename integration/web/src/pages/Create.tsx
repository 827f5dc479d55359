import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { api, type Schemas } from "../api/client";
import { useWorld } from "../api/live";
import { type Env, EnvTable } from "../ui/env";
import { Button, Failed, Field, Panel, Skeleton } from "../ui/parts";
import { useMay } from "../ui/session";
import { useTemplates } from "../ui/templates";

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

export default function Create() {
  const [params] = useSearchParams();
  const adopts = params.has("adopt");
  const templates = useTemplates();
  const { agents, servers } = useWorld();
  const [, go] = useLocation();
  const may = useMay("operate");
  const hosts = [...agents.values()].sort((a, b) => a.name.localeCompare(b.name));
  const [container, setContainer] = useState(params.get("adopt") ?? "");
  const [name, setName] = useState("");
  const [agent, setAgent] = useState(params.get("agent") ?? "");
  const [picked, pick] = useState("");
  const [image, setImage] = useState("");
  const [tag, setTag] = useState("");
  const [env, setEnv] = useState<Env>({});
  const [port, setPort] = useState("");
  const [plan, setPlan] = useState<Schemas["operation_reply"]>();
  const [error, setError] = useState<unknown>();
  const list = templates.data?.templates ?? [];
  const template = list.find((t) => t.name === (picked || list[0]?.name));
  const host = agent || hosts.find((a) => a.status === "online")?.name || "";

  const suggestion = useQuery({
    queryKey: ["suggest", host, template?.name],
    queryFn: () =>
      api<Schemas["suggest_reply"]>("GET", "/api/ports/suggest", {
        query: { agent: host, template: template?.name },
      }),
    enabled: !adopts && host !== "" && template !== undefined && template.ports.length > 0,
    retry: false,
  });
  const number = Number(port);
  const check = useQuery({
    queryKey: ["port", host, number],
    queryFn: () =>
      api<Schemas["ports_reply"]>("POST", "/api/ports/check", {
        body: {
          agent: host,
          ports: [
            { number, proto: "udp" },
            { number, proto: "tcp" },
          ],
        },
      }),
    enabled: !adopts && Number.isInteger(number) && number > 0 && number < 65_536 && host !== "",
    retry: false,
  });
  const taken = check.data?.ports.find((p) => p.taken_by !== "free");

  if (templates.isPending) return <Skeleton />;
  if (templates.error) return <Failed error={templates.error} />;
  const same = [...servers.values()].find((s) => s.name === name && s.agent === host);
  const nameProblem =
    name && !NAME.test(name)
      ? "letters, digits and - only, at most 63"
      : same
        ? `${host} has a server of this name (${same.status})`
        : "";
  const needed = (template?.env_required ?? []).filter((k) => !env[k] && !template?.env[k]);
  const why = !may
    ? "no right to operate"
    : !name
      ? "give it a name"
      : nameProblem ||
        (!host ? "choose a host" : "") ||
        (adopts && !container ? "give the container" : "") ||
        (!adopts && !image && !template?.image ? "give an image" : "") ||
        (!adopts && needed.length ? `${needed.join(", ")} must be set` : "");

  const body = {
    name,
    agent: host,
    template: template?.name ?? "generic",
    ...(image && { image }),
    ...(tag && { image_tag: tag }),
    ...(Object.keys(env).length && { config: env }),
    ...(port && { game_port: number }),
    ...(adopts && { container }),
  };
  const send = async (dry: boolean) => {
    setError(undefined);
    try {
      const r = await api<Schemas["operation_reply"]>("POST", adopts ? "/api/servers/adopt" : "/api/servers", {
        body,
        query: { dry_run: dry },
        headers: dry ? {} : { "Idempotency-Key": crypto.randomUUID() },
      });
      if (dry) setPlan(r);
      else go(`/servers/${r.server.id}`);
    } catch (e) {
      setPlan(undefined);
      setError(e);
    }
  };
  const changed =
    <T,>(set: (v: T) => void) =>
    (v: T) => {
      setPlan(undefined);
      set(v);
    };
  const next = suggestion.data?.suggestions[0]?.game_port;
  // Never empty: a line that comes and goes would move the buttons away under the pointer.
  const portHelp = adopts
    ? "empty: the container's"
    : !port
      ? `empty: the next free one${next ? `, ${next}` : ""}`
      : check.data
        ? "free"
        : check.isFetching
          ? "checking…"
          : "1 to 65535";
  return (
    <>
      <h1>{adopts ? "Adopt a container" : "New server"}</h1>
      {adopts && (
        <div className="note">
          The container is stopped and made again as a server, and its data is taken over. If anything fails, the
          container is restored as it was.
        </div>
      )}
      <div className="cards" role="radiogroup" aria-label="Template">
        {list.map((t) => (
          <button
            key={t.name}
            type="button"
            role="radio"
            aria-checked={t === template}
            className="card"
            onClick={() => changed(pick)(t.name)}
          >
            <b>{t.name}</b>
            <div className="quiet small">{t.description}</div>
          </button>
        ))}
      </div>
      <div className="grid">
        <Panel title="What">
          <div className="body stack">
            {adopts && (
              <Field label="Container" help="its name or id on that host">
                {(id) => (
                  <input
                    id={id}
                    className="input"
                    value={container}
                    onChange={(e) => changed(setContainer)(e.target.value)}
                  />
                )}
              </Field>
            )}
            <Field label="Name" problem={nameProblem}>
              {(id) => (
                <input
                  id={id}
                  className="input"
                  value={name}
                  autoComplete="off"
                  onChange={(e) => changed(setName)(e.target.value.trim())}
                />
              )}
            </Field>
            <Field label="Host">
              {(id) => (
                <select id={id} className="input" value={host} onChange={(e) => changed(setAgent)(e.target.value)}>
                  {hosts.length === 0 && <option value="">no hosts yet</option>}
                  {hosts.map((a) => (
                    <option key={a.id} value={a.name} disabled={a.status !== "online"}>
                      {a.name} · {a.status === "online" ? `${a.servers} servers` : a.status}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <div className="row" style={{ alignItems: "start", flexWrap: "nowrap" }}>
              <div className="grow">
                <Field
                  label="Image"
                  help={
                    adopts
                      ? "empty: the container's"
                      : template?.image
                        ? "empty: the template's"
                        : "registry.example/games/zomboid"
                  }
                >
                  {(id) => (
                    <input
                      id={id}
                      className="input"
                      value={image}
                      placeholder={template?.image}
                      onChange={(e) => changed(setImage)(e.target.value.trim())}
                    />
                  )}
                </Field>
              </div>
              <div style={{ width: 120 }}>
                <Field label="Tag">
                  {(id) => (
                    <input
                      id={id}
                      className="input"
                      value={tag}
                      placeholder={adopts ? "" : template?.image_tag}
                      onChange={(e) => changed(setTag)(e.target.value.trim())}
                    />
                  )}
                </Field>
              </div>
            </div>
            {template && template.ports.length > 0 && (
              <Field
                label="Game port"
                help={portHelp}
                problem={taken ? `${taken.number}/${taken.proto} is taken by ${taken.detail || taken.taken_by}` : ""}
              >
                {(id) => (
                  <input
                    id={id}
                    className="input"
                    inputMode="numeric"
                    value={port}
                    onChange={(e) => changed(setPort)(e.target.value.replace(/\D/g, ""))}
                  />
                )}
              </Field>
            )}
          </div>
        </Panel>
        <Panel title="Environment">
          <div className="body">
            <EnvTable value={env} onChange={changed(setEnv)} template={template} />
          </div>
        </Panel>
      </div>
      {error !== undefined && <Failed error={error} />}
      {plan && (
        <Panel title="What will happen">
          <div className="body">
            <ol style={{ margin: 0, paddingLeft: 20 }}>
              {plan.plan.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ol>
          </div>
        </Panel>
      )}
      <div className="row">
        <Button why={why} kind={plan ? "" : "primary"} onClick={() => void send(true)}>
          See what will happen
        </Button>
        <Button why={why || (plan ? "" : "see what will happen first")} kind="primary" onClick={() => void send(false)}>
          {adopts ? "Adopt" : "Create"}
        </Button>
      </div>
    </>
  );
}
