// Which buttons a server has, and why one cannot be pressed: from the manager's own table of verbs.
import type { Agent, Server, Session, Verb } from "../api/client";
import { ended } from "./words";

export interface Action {
  verb: string; // "start"
  label: string;
  danger: "none" | "interrupts" | "destroys";
  why: string; // why it cannot be pressed; empty: it can
  help: string;
}

// What is offered first in each state; the rest of the table is in the menu.
const FIRST: Partial<Record<Server["status"], string[]>> = {
  running: ["stop", "restart", "rebuild", "rm"],
  stopped: ["start", "rm"],
  missing: ["start", "recreate", "stop", "restart", "purge"],
  failed: ["start", "edit", "purge"],
  deleted: ["restore", "purge"],
};
const MENU = ["start", "stop", "restart", "rebuild", "recreate", "edit", "rm", "restore", "purge"];

const LABEL: Record<string, string> = { rm: "Delete", edit: "Edit" };
function label(word: string, s: Server): string {
  if (word === "purge" && s.status === "deleted") return "Purge now";
  if (word === "start" && s.status === "missing") return "Start (recreate)";
  if (word === "edit" && s.status === "failed") return "Edit & retry";
  return LABEL[word] ?? word.charAt(0).toUpperCase() + word.slice(1);
}

export function whyNot(verb: Verb, s: Server, agent: Agent | undefined, session: Session): string {
  if (!session.rights.includes(verb.right)) return `your role does not have the right to ${verb.right}`;
  if (s.operation && !ended(s.operation)) return `${s.operation.kind} is in progress`;
  if (verb.states && !verb.states.includes(s.status)) return `only when it is ${verb.states_text}`;
  if (verb.verb === "server.start" && s.status === "missing" && !s.data_exists)
    return "there is no data to start from; purge it, or start it empty with zedctl server start --fresh";
  if (verb.needs_agent && agent && agent.status !== "online") return `${agent.name} is ${agent.status}`;
  if (verb.needs_agent && agent && !agent.engine_ok) return `the Docker Engine of ${agent.name} does not answer`;
  return "";
}

export function actionsOf(
  s: Server,
  agent: Agent | undefined,
  verbs: readonly Verb[],
  session: Session,
): { first: Action[]; more: Action[] } {
  const make = (word: string): Action | undefined => {
    const verb = verbs.find((v) => v.verb === `server.${word}`);
    return (
      verb && {
        verb: word,
        label: label(word, s),
        danger: verb.danger ?? "none",
        why: whyNot(verb, s, agent, session),
        help: verb.help,
      }
    );
  };
  const first = FIRST[s.status] ?? [];
  const all = (words: string[]) => words.map(make).filter((a): a is Action => a !== undefined);
  return { first: all(first), more: all(MENU.filter((w) => !first.includes(w))) };
}
