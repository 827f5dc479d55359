// Numbers and times as people read them.
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return "unknown";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i > 0 && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

// Of a server's data; without a size when it was not measured yet.
export const sizeOf = (s: { data_exists: boolean; data_state: string; data_bytes: number | null }) =>
  !s.data_exists ? s.data_state : s.data_bytes === null ? "present" : bytes(s.data_bytes);

const STEPS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [size, unit] of STEPS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return "0 s";
}
export function ago(time: string | null | undefined, now: number): string {
  if (!time) return "never";
  const ms = now - Date.parse(time);
  return ms < -1500 ? `in ${duration(-ms)}` : ms < 1500 ? "now" : `${duration(ms)} ago`;
}
export const absolute = (time: string | null | undefined) =>
  time ? new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";

// "16261–16262/udp, 27015/tcp"
export function ports(list: readonly { number?: number; proto?: string }[]): string {
  const groups: { first: number; last: number; proto: string }[] = [];
  for (const p of [...list].sort(
    (a, b) => (a.proto ?? "").localeCompare(b.proto ?? "") || (a.number ?? 0) - (b.number ?? 0),
  )) {
    const g = groups.at(-1);
    if (g && g.proto === p.proto && p.number === g.last + 1) g.last = p.number;
    else groups.push({ first: p.number ?? 0, last: p.number ?? 0, proto: p.proto ?? "" });
  }
  return groups
    .sort((a, b) => a.first - b.first)
    .map((g) => `${g.first === g.last ? g.first : `${g.first}–${g.last}`}/${g.proto}`)
    .join(", ");
}
export const image = (s: { image: string; image_tag: string }) => (s.image ? `${s.image}:${s.image_tag}` : "");
// As people count: pz2 before pz10. One collator: making one takes longer than comparing.
export const inOrder = new Intl.Collator(undefined, { numeric: true }).compare;

export const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
