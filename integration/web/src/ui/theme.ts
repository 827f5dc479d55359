// Light, dark, or as the system is.
export type Theme = "system" | "light" | "dark";
const KEY = "zedops-theme";
export const theme = (): Theme => (localStorage.getItem(KEY) as Theme | null) ?? "system";
export function applyTheme(to: Theme = theme()) {
  if (to === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, to);
    document.documentElement.dataset.theme = to;
  }
}
