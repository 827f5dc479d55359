// Colours of terminals in log lines. Everything else that a terminal would obey is dropped.
export interface Span {
  text: string;
  style: { color?: string; fontWeight?: number };
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const SEQUENCE = /\u001b\[([0-9;?]*)([A-Za-z])|\u001b\][^\u0007]*\u0007|[\u0000-\u0008\u000b-\u001f\u007f]/g;
const COLOURS = [
  "var(--quiet)",
  "var(--bad)",
  "var(--good)",
  "var(--warn)",
  "var(--busy)",
  "var(--gone)",
  "var(--accent)",
  "var(--text)",
];

export const plainOf = (line: string) => line.replace(SEQUENCE, "").replace(/\n$/, "");

export function spansOf(line: string): Span[] {
  const out: Span[] = [];
  let style: Span["style"] = {};
  let at = 0;
  const add = (text: string) => {
    if (text) out.push({ text, style });
  };
  const text = line.replace(/\n$/, "");
  for (const m of text.matchAll(SEQUENCE)) {
    add(text.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[2] !== "m") continue;
    for (const code of (m[1] ?? "").split(";").map(Number)) {
      if (code === 0) style = {};
      else if (code === 1) style = { ...style, fontWeight: 700 };
      else if (code >= 30 && code <= 37) style = { ...style, color: COLOURS[code - 30] };
      else if (code >= 90 && code <= 97) style = { ...style, color: COLOURS[code - 90] };
      else if (code === 39) style = { fontWeight: style.fontWeight };
    }
  }
  add(text.slice(at));
  return out;
}
