import { Toast } from "radix-ui";
import { useSyncExternalStore } from "react";
import { Button } from "./parts";

interface Note {
  id: number;
  text: string;
  hint?: string;
  bad?: boolean;
  undo?: () => void;
}
const UNDO_MS = 15_000;
const SHOWN_MS = 6_000;

let notes: Note[] = [];
let last = 0;
const listeners = new Set<() => void>();
const set = (next: Note[]) => {
  notes = next;
  for (const l of listeners) l();
};

export function toast(text: string, more: Omit<Note, "id" | "text"> = {}) {
  set([...notes.slice(-3), { id: ++last, text, ...more }]);
}
export function toastError(e: unknown) {
  const x = e as { message?: string; hint?: string };
  toast(x.message ?? "The request failed.", { hint: x.hint, bad: true });
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (l) => {
      listeners.add(l);
      return () => listeners.delete(l);
    },
    () => notes,
  );
  const close = (id: number) => set(notes.filter((n) => n.id !== id));
  return (
    <>
      {shown.map((n) => (
        <Toast.Root
          key={n.id}
          className={`toast ${n.bad ? "bad-edge" : ""}`}
          duration={n.undo ? UNDO_MS : n.bad ? UNDO_MS : SHOWN_MS}
          onOpenChange={(open) => open || close(n.id)}
        >
          <div className="grow">
            <Toast.Title>{n.text}</Toast.Title>
            {n.hint && <Toast.Description className="quiet small">{n.hint}</Toast.Description>}
          </div>
          {n.undo && (
            <Toast.Action asChild altText="Undo">
              <Button onClick={n.undo}>Undo</Button>
            </Toast.Action>
          )}
          <Toast.Close asChild>
            <Button kind="bare" aria-label="Close">
              ✕
            </Button>
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="toasts" />
    </>
  );
}
