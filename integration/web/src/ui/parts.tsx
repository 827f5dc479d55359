// Small parts of every page.
import { Tooltip } from "radix-ui";
import { type ButtonHTMLAttributes, type ReactNode, useEffect, useId, useState } from "react";
import { now } from "../api/live";
import { absolute, ago } from "../model/format";
import type { Look } from "../model/words";

export function Badge({ look, title }: { look: Look; title?: string }) {
  return (
    <span className={`badge ${look.tone}`} title={title}>
      <span className="glyph" aria-hidden="true">
        {look.glyph}
      </span>
      <span className="word">{look.word}</span>
    </span>
  );
}

export function Tip({ text, children }: { text: string; children: ReactNode }) {
  if (!text) return <>{children}</>;
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tip" sideOffset={4} collisionPadding={8}>
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

// A disabled button can still be reached, and shows why it is disabled.
export function Button({
  why = "",
  kind = "",
  onClick,
  children,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { why?: string; kind?: string }) {
  const note = useId();
  return (
    <>
      <Tip text={why}>
        <button
          type="button"
          {...rest}
          className={`button ${kind}`}
          aria-disabled={why ? true : undefined}
          aria-describedby={why ? note : undefined}
          onClick={why ? (e) => e.preventDefault() : onClick}
        >
          {children}
        </button>
      </Tip>
      {why && (
        <span className="hidden" id={note}>
          {why}
        </span>
      )}
    </>
  );
}

export function useNow(period = 1_000) {
  const [time, set] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => set(now()), period);
    return () => clearInterval(timer);
  }, [period]);
  return time;
}

export function Age({ time }: { time: string | null | undefined }) {
  const at = useNow(5_000);
  return (
    <time dateTime={time ?? undefined} title={absolute(time)} className="nowrap">
      {ago(time, Math.max(at, now()))}
    </time>
  );
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {rows
        .filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false)
        .map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Panel({ title, actions, children }: { title?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="panel">
      {title && (
        <header>
          <h2 className="grow">{title}</h2>
          {actions}
        </header>
      )}
      {children}
    </section>
  );
}

export function Failed({ error }: { error: unknown }) {
  const e = error as { message?: string; hint?: string };
  return (
    <div className="note bad-edge" role="alert">
      <strong>{e.message ?? "The request failed."}</strong>
      {e.hint && <div className="quiet">{e.hint}</div>}
    </div>
  );
}

export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div className="stack" aria-busy="true" style={{ gap: 12, padding: 14 }}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={String(i)} className="skeleton" style={{ width: `${90 - ((i * 17) % 50)}%` }} />
      ))}
    </div>
  );
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, set] = useState(false);
  return (
    <Button
      kind="bare"
      onClick={() => {
        void navigator.clipboard?.writeText(text).then(() => {
          set(true);
          setTimeout(() => set(false), 1_500);
        });
      }}
    >
      {done ? "Copied" : label}
    </Button>
  );
}

export function Field({
  label,
  help,
  problem,
  children,
}: {
  label: string;
  help?: ReactNode;
  problem?: string;
  children: (id: string) => ReactNode;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {problem ? <span className="problem">{problem}</span> : help && <span className="help">{help}</span>}
    </div>
  );
}

const NEARLY = 0.75;
const FULL = 0.9;

// How much of something is used; a dash when that is not known.
export function Meter({
  name,
  used,
  of,
  text,
}: {
  name: string;
  used: number | undefined;
  of: number | undefined;
  text: (n: number) => string;
}) {
  if (used === undefined || !of) return <span className="quiet">–</span>;
  const share = Math.min(1, used / of);
  const words = `${text(used)} of ${text(of)}`;
  return (
    <span className="meter" title={words}>
      <span
        className={`bar ${share >= FULL ? "bad" : share >= NEARLY ? "warn" : "idle"}`}
        role="img"
        aria-label={`${name}: ${words}`}
      >
        <span style={{ width: `${share * 100}%` }} />
      </span>
      <span className="small quiet">{Math.round(share * 100)} %</span>
    </span>
  );
}
