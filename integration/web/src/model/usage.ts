// The series that usage charts draw, with a gap where nothing is known.
import type { Schemas } from "../api/client";

type Point = Schemas["usage_reply"]["points"][number];
type Figure = keyof Point["used"];
export type Series = [number[], ...(number | null)[][]];

// Two points that are further apart than this many steps have a gap between them.
const GAP = 2.5;

export function series(points: Point[], every: number, figures: Figure[]): Series {
  const times: number[] = [];
  const values: (number | null)[][] = figures.map(() => []);
  const put = (at: number, used?: Point["used"]) => {
    times.push(at);
    figures.forEach((f, i) => {
      values[i]?.push(used ? used[f] : null);
    });
  };
  for (const p of points) {
    const at = Date.parse(p.at ?? "") / 1000;
    const before = times.at(-1);
    if (before !== undefined && at - before > (GAP * every) / 1000) put(before + every / 1000);
    put(at, p.used);
  }
  return [times, ...values];
}

export const RANGES = [
  { last: "30m", name: "30 minutes", ms: 30 * 60_000 },
  { last: "3h", name: "3 hours", ms: 3 * 3_600_000 },
  { last: "12h", name: "12 hours", ms: 12 * 3_600_000 },
  { last: "3d", name: "3 days", ms: 72 * 3_600_000 },
];

// A line of one figure as the path of an SVG, scaled to its own highest value; interrupted by gaps.
export function spark(
  points: Point[],
  every: number,
  of: Figure,
  now: number,
  ms: number,
  width: number,
  height: number,
) {
  const [times, values] = series(points, every, [of]);
  const most = Math.max(1, ...(values ?? []).map((v) => v ?? 0));
  let path = "";
  let open = false;
  times.forEach((at, i) => {
    const v = values?.[i] ?? null;
    const x = width - ((now - at * 1000) / ms) * width;
    if (v === null || x < 0) {
      open = false;
      return;
    }
    path += `${open ? "L" : "M"}${x.toFixed(1)} ${(height - (v / most) * height).toFixed(1)}`;
    open = true;
  });
  return path;
}
