// Prometheus' text, as far as the page shows it.
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parse(text: string): Sample[] {
  const out: Sample[] = [];
  for (const line of text.split("\n")) {
    const m = line.startsWith("#") ? null : LINE.exec(line);
    if (!m) continue;
    const labels: Record<string, string> = {};
    for (const l of (m[2] ?? "").matchAll(LABEL)) labels[l[1] ?? ""] = (l[2] ?? "").replace(/\\(.)/g, "$1");
    out.push({ name: m[1] ?? "", labels, value: Number(m[3]) });
  }
  return out;
}

// The bound below which a share of a histogram's observations lies; nothing: there are none.
export function quantile(samples: Sample[], name: string, share: number): number | undefined {
  const buckets = samples
    .filter((s) => s.name === `${name}_bucket`)
    .map((s) => ({ le: s.labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(s.labels.le), n: s.value }))
    .sort((a, b) => a.le - b.le);
  const all = buckets.at(-1)?.n ?? 0;
  return all > 0 ? buckets.find((b) => b.n >= all * share)?.le : undefined;
}
