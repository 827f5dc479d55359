// The buttons of a server, with their questions.
import { DropdownMenu } from "radix-ui";
import { useState } from "react";
import { useLocation } from "wouter";
import { api, type Schemas, type Server } from "../api/client";
import { useWorld } from "../api/live";
import { type Action, actionsOf } from "../model/actions";
import { ConfirmDelete, ConfirmInterrupt, ConfirmPurge } from "./dialogs";
import { Button, Tip } from "./parts";
import { useSigned } from "./session";
import { toast, toastError } from "./toasts";

const path = (s: Server, verb: string) => (verb === "rm" ? `/api/servers/${s.id}` : `/api/servers/${s.id}/${verb}`);
const method = (verb: string) => (verb === "rm" || verb === "purge" ? "DELETE" : "POST");

export async function act(s: Server, verb: string, query: Record<string, boolean> = {}) {
  return api<Schemas["operation_reply"]>(method(verb), path(s, verb), {
    query,
    headers: { "Idempotency-Key": crypto.randomUUID() },
  });
}

export function useAct() {
  const [, go] = useLocation();
  return async (s: Server, verb: string, query: Record<string, boolean> = {}) => {
    try {
      await act(s, verb, query);
      if (verb === "rm")
        toast(`${s.name} is being deleted; its data stays.`, {
          undo: () =>
            void act(s, "restore")
              .then(() => go(`/servers/${s.id}`))
              .catch(toastError),
        });
      if (verb === "restore") go(`/servers/${s.id}`);
      if (verb === "purge") go("/servers");
    } catch (e) {
      toastError(e);
    }
  };
}

export function Actions({ server, compact = false }: { server: Server; compact?: boolean }) {
  const { verbs, session } = useSigned();
  const agent = useWorld().agents.get(server.agent_id);
  const [, go] = useLocation();
  const [asked, ask] = useState<Action>();
  const perform = useAct();
  const { first, more } = actionsOf(server, agent, verbs, session);
  const shown = compact ? first.filter((a) => !a.why).slice(0, 1) : first;
  const rest = compact ? [...first.filter((a) => !shown.includes(a)), ...more] : more;
  const begin = (a: Action) => {
    if (a.why) return;
    if (a.verb === "edit") go(`/servers/${server.id}/configuration`);
    else if (a.danger !== "none") ask(a);
    else void perform(server, a.verb);
  };
  const close = () => ask(undefined);
  const done = (query?: Record<string, boolean>) => {
    if (asked) void perform(server, asked.verb, query);
    close();
  };
  return (
    <div className="row nowrap" style={{ flexWrap: compact ? "nowrap" : "wrap", justifyContent: "flex-end" }}>
      {shown.map((a, i) => (
        <Button
          key={a.verb}
          why={a.why}
          title={a.why ? undefined : a.help}
          kind={`${i === 0 && !compact && !a.why && a.danger !== "destroys" ? "primary" : ""} ${a.danger === "destroys" || a.verb === "rm" ? "danger" : ""}`}
          onClick={() => begin(a)}
        >
          {a.label}
        </Button>
      ))}
      <DropdownMenu.Root>
        <DropdownMenu.Trigger asChild>
          <button type="button" className="button bare" aria-label={`More for ${server.name}`}>
            ⋯
          </button>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
            {rest.map((a) => (
              <DropdownMenu.Item
                key={a.verb}
                aria-disabled={a.why ? true : undefined}
                onSelect={(e) => (a.why ? e.preventDefault() : begin(a))}
              >
                <span className={a.danger === "destroys" && !a.why ? "bad" : ""}>{a.label}</span>
                {a.why && <div className="small quiet">{a.why}</div>}
              </DropdownMenu.Item>
            ))}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {asked?.verb === "rm" && <ConfirmDelete server={server} onClose={close} onDone={done} />}
      {asked?.verb === "purge" && <ConfirmPurge server={server} onClose={close} onDone={done} />}
      {asked && asked.verb !== "rm" && asked.verb !== "purge" && (
        <ConfirmInterrupt server={server} label={asked.label} help={asked.help} onClose={close} onDone={done} />
      )}
    </div>
  );
}

export function SyncButton({ agent }: { agent?: string }) {
  const { verbs, session } = useSigned();
  const [busy, set] = useState(false);
  const right = verbs.find((v) => v.verb === "server.sync")?.right ?? "operate";
  return (
    <Tip text="Compare records with what the agents see, now. Not needed to see changes: they show by themselves.">
      <span>
        <Button
          why={session.rights.includes(right) ? (busy ? "a sync is in progress" : "") : `no right to ${right}`}
          onClick={async () => {
            set(true);
            try {
              const r = await api<{ success?: boolean; message?: string } & Partial<Schemas["sync_reply"]>>(
                "POST",
                agent ? `/api/agents/${agent}/sync` : "/api/monitoring/reconcile/trigger",
                agent ? { body: {} } : {},
              );
              const rows = r.agents ?? [];
              toast(
                r.message ??
                  `${rows.length} agent synced, ${rows.reduce((n, a) => n + a.changed.length, 0)} servers changed.`,
                { bad: r.success === false },
              );
            } catch (e) {
              toastError(e);
            } finally {
              set(false);
            }
          }}
        >
          {busy ? "Syncing…" : "Sync"}
        </Button>
      </span>
    </Tip>
  );
}
