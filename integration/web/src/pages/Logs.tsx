import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { address, type Server } from "../api/client";
import { plainOf, spansOf } from "../model/ansi";
import { Button } from "../ui/parts";

const KEPT_MAX = 20_000;
interface Line {
  at: string;
  stream: string;
  text: string;
  n: number;
}

export default function Logs({ server }: { server: Server }) {
  const [lines, setLines] = useState<Line[]>([]);
  const [note, setNote] = useState("");
  const [search, setSearch] = useState("");
  const [wrap, setWrap] = useState(true);
  const [times, setTimes] = useState(false);
  const [follows, setFollows] = useState(true);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const source = new EventSource(address(`/api/servers/${server.id}/logs`, { follow: 1, tail: 1000 }));
    let count = 0;
    let waiting: Line[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    source.addEventListener("welcome", () => setNote(""));
    source.addEventListener("lines", (e) => {
      setNote("");
      for (const l of JSON.parse((e as MessageEvent<string>).data)) waiting.push({ ...l, n: ++count });
      timer ??= setTimeout(() => {
        timer = undefined;
        const fresh = waiting;
        waiting = [];
        setLines((before) => [...before, ...fresh].slice(-KEPT_MAX));
      }, 60);
    });
    source.addEventListener("trouble", (e) => setNote(JSON.parse((e as MessageEvent<string>).data).message));
    source.onerror = () => setNote(source.readyState === EventSource.CLOSED ? "There are no logs." : "reconnecting…");
    return () => {
      source.close();
      clearTimeout(timer);
    };
  }, [server.id]);

  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    return wanted ? lines.filter((l) => plainOf(l.text).toLowerCase().includes(wanted)) : lines;
  }, [lines, search]);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => 18,
    overscan: 30,
  });
  useEffect(() => {
    if (follows && shown.length) rows.scrollToIndex(shown.length - 1, { align: "end" });
  }, [shown.length, follows, rows]);

  return (
    <div className="stack" style={{ gap: 8 }}>
      <div className="row">
        <input
          className="input"
          style={{ width: 240 }}
          type="search"
          data-search
          aria-label="Search the logs"
          placeholder="Search"
          value={search}
          onChange={(e) => setSearch(e.target.value)}
        />
        <label className="check">
          <input type="checkbox" checked={wrap} onChange={(e) => setWrap(e.target.checked)} /> wrap
        </label>
        <label className="check">
          <input type="checkbox" checked={times} onChange={(e) => setTimes(e.target.checked)} /> times
        </label>
        <label className="check">
          <input type="checkbox" checked={follows} onChange={(e) => setFollows(e.target.checked)} /> follow
        </label>
        <span className="grow quiet small">{note || `${shown.length} lines`}</span>
        <Button
          onClick={() => download(`${server.name}.log`, lines.map((l) => `${l.at} ${plainOf(l.text)}`).join("\n"))}
        >
          Download
        </Button>
      </div>
      <div
        className={`log ${wrap ? "" : "nowrap-lines"}`}
        ref={box}
        tabIndex={0}
        role="log"
        aria-label={`Logs of ${server.name}`}
        onWheel={(e) => e.deltaY < 0 && setFollows(false)}
        onScroll={(e) => {
          const at = e.currentTarget;
          if (at.scrollTop + at.clientHeight >= at.scrollHeight - 4) setFollows(true);
        }}
      >
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map((item) => {
            const l = shown[item.index];
            if (!l) return null;
            return (
              <div
                key={l.n}
                ref={rows.measureElement}
                data-index={item.index}
                className="line"
                style={{ position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${item.start}px)` }}
              >
                {times && <span className="quiet">{l.at.slice(11, 23)} </span>}
                <Text text={l.text} search={search} stderr={l.stream === "stderr"} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Text({ text, search, stderr }: { text: string; search: string; stderr: boolean }) {
  const level = /\b(error|fatal|exception)\b/i.test(text) ? "bad" : /\bwarn(ing)?\b/i.test(text) ? "warn" : "";
  return (
    <span className={level || (stderr ? "quiet" : "")}>
      {spansOf(text).map((s, i) => (
        <span key={String(i)} style={s.style}>
          {marked(s.text, search)}
        </span>
      ))}
    </span>
  );
}

function marked(text: string, search: string): ReactNode {
  if (!search) return text;
  const at = text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return text;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {marked(text.slice(at + search.length), search)}
    </>
  );
}

function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const a = Object.assign(document.createElement("a"), { href: url, download: name });
  a.click();
  URL.revokeObjectURL(url);
}
