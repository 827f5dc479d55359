// Actions on several servers at once: each is judged and answered by itself.
import { useState } from "react";
import { api, type Failure, type Server } from "../api/client";
import { plural } from "../model/format";
import { Ask } from "./dialogs";
import { Button } from "./parts";
import { useSigned } from "./session";
import { toast, toastError } from "./toasts";

const VERBS = ["start", "stop", "restart", "rebuild", "rm"];
const AT_ONCE = 200; // as many as the manager accepts in one request
const labelOf = (word: string) => (word === "rm" ? "Delete" : word.charAt(0).toUpperCase() + word.slice(1));

interface Row {
  server: string;
  error?: Failure;
}

export function BulkBar({ chosen, onDone }: { chosen: Server[]; onDone: () => void }) {
  const { verbs, session } = useSigned();
  const [asked, ask] = useState<string>();
  const perform = async (word: string) => {
    ask(undefined);
    const names = new Map(chosen.map((s) => [s.id, s.name]));
    const refused: Row[] = [];
    try {
      for (let at = 0; at < chosen.length; at += AT_ONCE) {
        const servers = chosen.slice(at, at + AT_ONCE).map((s) => s.id);
        const r = await api<{ results: Row[] }>("POST", "/api/servers/bulk", {
          body: { verb: word, servers },
          headers: { "Idempotency-Key": crypto.randomUUID() },
        });
        refused.push(...r.results.filter((x) => x.error));
      }
    } catch (e) {
      return toastError(e);
    }
    const done = chosen.length - refused.length;
    toast(
      `${labelOf(word)}: ${plural(done, "server")} accepted${refused.length ? `, ${refused.length} refused` : ""}.`,
      {
        bad: refused.length > 0,
        hint: refused
          .slice(0, 3)
          .map((x) => `${names.get(x.server) ?? x.server}: ${x.error?.message}`)
          .join("; "),
      },
    );
    onDone();
  };
  const fits = (word: string) => {
    const verb = verbs.find((v) => v.verb === `server.${word}`);
    return chosen.filter((s) => verb?.states?.includes(s.status)).length;
  };
  const whyNot = (word: string) => {
    const verb = verbs.find((v) => v.verb === `server.${word}`);
    if (!verb || !session.rights.includes(verb.right)) return `no right to ${verb?.right ?? word}`;
    return fits(word) === 0 ? `only when they are ${verb.states_text}` : "";
  };
  return (
    <div className="note row" role="toolbar" aria-label="For the chosen servers">
      <b className="grow">{plural(chosen.length, "server")} chosen</b>
      {VERBS.map((word) => (
        <Button
          key={word}
          why={whyNot(word)}
          kind={word === "rm" ? "danger" : ""}
          onClick={() => (word === "start" ? void perform(word) : ask(word))}
        >
          {labelOf(word)}
        </Button>
      ))}
      <Button kind="bare" onClick={onDone}>
        Choose none
      </Button>
      {asked && (
        <Ask
          title={`${labelOf(asked)} ${plural(chosen.length, "server")}?`}
          onClose={() => ask(undefined)}
          buttons={
            <Button kind={asked === "rm" ? "danger primary" : "primary"} onClick={() => void perform(asked)}>
              {labelOf(asked)}
            </Button>
          }
        >
          <p style={{ margin: 0 }}>
            {chosen
              .slice(0, 12)
              .map((s) => s.name)
              .join(", ")}
            {chosen.length > 12 && ` and ${chosen.length - 12} more`}
          </p>
          {fits(asked) < chosen.length && (
            <p className="quiet" style={{ margin: 0 }}>
              {chosen.length - fits(asked)} of them are not in a state for this and will be refused.
            </p>
          )}
          {asked === "rm" && (
            <p style={{ margin: 0 }}>Data, names and ports stay until they are purged; each can be restored.</p>
          )}
        </Ask>
      )}
    </div>
  );
}
