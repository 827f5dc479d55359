import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { api, type Schemas } from "../api/client";
import { now } from "../api/live";
import { bytes } from "../model/format";
import { RANGES, type Series, series } from "../model/usage";
import { Failed, Panel, Skeleton } from "../ui/parts";

type Used = Schemas["usage_sample"];
type Reply = Schemas["usage_reply"];

interface Chart {
  title: string;
  figures: { name: string; of: keyof Used; colour: string }[];
  text: (n: number) => string;
  most?: keyof Used; // its upper limit, if that is known
  full?: boolean; // whether the chart is drawn up to that
}

const cores = (n: number) => `${(n / 1000).toFixed(n < 10_000 ? 2 : 1)}`;
const rate = (n: number) => `${bytes(n)}/s`;
const CPU: Chart = {
  title: "CPU, cores",
  figures: [{ name: "CPU", of: "cpu_millis", colour: "--accent" }],
  text: cores,
};
const MEMORY: Chart = {
  title: "Memory",
  figures: [{ name: "Memory", of: "memory_bytes", colour: "--busy" }],
  text: bytes,
  most: "memory_max",
};
const OF_SERVER: Chart[] = [
  CPU,
  MEMORY,
  {
    title: "Network",
    figures: [
      { name: "received", of: "received", colour: "--good" },
      { name: "sent", of: "sent", colour: "--warn" },
    ],
    text: rate,
  },
  {
    title: "Disk",
    figures: [
      { name: "read", of: "read", colour: "--good" },
      { name: "written", of: "written", colour: "--warn" },
    ],
    text: rate,
  },
];
const OF_HOST: Chart[] = [
  { ...CPU, most: "cpu_max", full: true },
  { ...MEMORY, full: true },
  { title: "Load", figures: [{ name: "load", of: "load_millis", colour: "--busy" }], text: cores },
  {
    title: "Disk of the data",
    figures: [{ name: "used", of: "disk_bytes", colour: "--accent" }],
    text: bytes,
    most: "disk_max",
    full: true,
  },
];

// Polled only while it is shown; its agent then reports every two seconds.
const LIVE_MS = 2_000;
const LATER_MS = 15_000;

// `brief`: the last half hour of CPU and memory, as part of another page.
export default function Usage({
  path,
  host = false,
  brief = false,
}: {
  path: string;
  host?: boolean;
  brief?: boolean;
}) {
  const [range, setRange] = useState(0);
  const chosen = RANGES[range] ?? { last: "30m", name: "", ms: 0 };
  const live = range === 0 && !brief;
  const { data, error } = useQuery({
    queryKey: ["usage", path, chosen.last],
    queryFn: () => api<Reply>("GET", `${path}/usage`, { query: { last: chosen.last, live: live ? 1 : undefined } }),
    refetchInterval: live ? LIVE_MS : LATER_MS,
    placeholderData: (before) => before,
  });
  return (
    <Panel
      title="Usage"
      actions={
        brief ? undefined : (
          <select
            className="input"
            style={{ width: 130 }}
            aria-label="How far back"
            value={range}
            onChange={(e) => setRange(Number(e.target.value))}
          >
            {RANGES.map((r, i) => (
              <option key={r.last} value={i}>
                {r.name}
              </option>
            ))}
          </select>
        )
      }
    >
      <div className="body">
        {error ? <Failed error={error} /> : null}
        {!data && !error && <Skeleton />}
        {data?.points.length === 0 && (
          <span className="quiet">No data for this period. It begins with the second sample of a container.</span>
        )}
        {data && data.points.length > 0 && (
          <div className="charts">
            {(host ? OF_HOST : brief ? [CPU, MEMORY] : OF_SERVER).map((c) => (
              <Plot key={c.title} chart={c} reply={data} ms={chosen.ms} />
            ))}
          </div>
        )}
      </div>
    </Panel>
  );
}

// "CPU, cores: 0.42 now, 1.20 at most"
function words(chart: Chart, reply: Reply) {
  const newest = reply.points.at(-1)?.used;
  return chart.figures
    .map((f) => {
      const most = reply.points.reduce((n, p) => Math.max(n, p.used[f.of]), 0);
      const of = chart.most && newest?.[chart.most] ? ` of ${chart.text(newest[chart.most])}` : "";
      return `${f.name} ${chart.text(newest?.[f.of] ?? 0)}${of}, at most ${chart.text(most)}`;
    })
    .join("; ");
}

function Plot({ chart, reply, ms }: { chart: Chart; reply: Reply; ms: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const range = useRef(ms);
  range.current = ms;
  const shown = useRef<Series>([[]]);
  shown.current = series(
    reply.points,
    reply.every,
    chart.figures.map((f) => f.of),
  );
  const most = chart.most && chart.full ? (reply.points.at(-1)?.used[chart.most] ?? 0) : 0;
  const limit = useRef(most);
  limit.current = most;

  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(chart, at.clientWidth, range, limit), shown.current as uPlot.AlignedData, at);
    };
    make();
    const size = new ResizeObserver(() => plot.current?.setSize({ width: at.clientWidth, height: HEIGHT }));
    size.observe(at);
    const colours = new MutationObserver(make);
    colours.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", make);
    return () => {
      size.disconnect();
      colours.disconnect();
      system.removeEventListener("change", make);
      plot.current?.destroy();
    };
  }, [chart]);
  useEffect(() => plot.current?.setData(shown.current as uPlot.AlignedData));

  return (
    <figure className="chart">
      <figcaption>
        <b>{chart.title}</b> <span className="quiet small">{words(chart, reply)}</span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${chart.title}: ${words(chart, reply)}`} />
    </figure>
  );
}

const HEIGHT = 130;
const DAY_MS = 86_400_000;
const POWERS = Array.from({ length: 46 }, (_, n) => 2 ** n); // steps of an axis of bytes

function options(chart: Chart, width: number, range: { current: number }, limit: { current: number }): uPlot.Options {
  // The canvas takes our colours only as the browser has computed them.
  const probe = document.createElement("i");
  document.body.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const quiet = colour("--quiet");
  const line = colour("--line");
  const strokes = chart.figures.map((f) => colour(f.colour));
  probe.remove();
  const time = (s: number) =>
    new Date(s * 1000).toLocaleString(undefined, {
      ...(range.current > DAY_MS ? { day: "numeric", month: "short" } : {}),
      hour: "2-digit",
      minute: "2-digit",
    });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "usage" }, drag: { x: false, y: false } },
    scales: {
      x: { range: () => [(now() - range.current) / 1000, now() / 1000] },
      y: { range: (_u, _min, max) => [0, Math.max(limit.current, max * 1.1, 1)] },
    },
    axes: [
      { stroke: quiet, grid: { show: false }, ticks: { stroke: line }, values: (_u, at) => at.map(time), space: 90 },
      {
        stroke: quiet,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        size: 74,
        space: 28,
        ...(chart.text === cores ? {} : { incrs: POWERS }),
        values: (_u, at) => at.map((n) => chart.text(n)),
      },
    ],
    series: [
      {},
      ...chart.figures.map((f, i) => ({
        label: f.name,
        stroke: strokes[i],
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}
