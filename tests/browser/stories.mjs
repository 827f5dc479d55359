// The page in a real Chromium, as a user would use it. Run by browser_test.py, which has set up the world:
//   node stories.mjs '{"url":…, "link":…, "viewer":…, "shots":DIR}'
// It talks to its parent in lines: "do WHAT" requests something outside the browser, "ok"/"no" end a story.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const world = JSON.parse(process.argv[2]);
const require = createRequire(world.modules + "/");
const { chromium } = require("playwright-core");
const axeModule = require("@axe-core/playwright");
const AxeBuilder = axeModule.AxeBuilder ?? axeModule.default;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function outside(what) {
  console.log(`do ${what}`);
  return (await answers.next()).value;
}

const browser = await chromium.launch({ executablePath: world.chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
context.setDefaultTimeout(15_000);
let page = await context.newPage();
const problems = [];
const watch = (p) => {
  p.on("pageerror", (e) => problems.push(`error on the page: ${e.message}`));
  p.on("console", (m) => {
    if (m.type() === "error" && !/401|Failed to load|net::ERR/.test(m.text())) problems.push(`console: ${m.text()}`);
  });
};
watch(page);

const row = (name, p = page) => p.locator(`tr[data-server="${name}"]`);
const badge = (name, word, p = page) => row(name, p).locator(".badge", { hasText: word }).waitFor();
const live = (p = page) => p.locator("[role=status]", { hasText: "live" }).waitFor();
const click = (name, where = page) => where.getByRole("button", { name, exact: true }).click();
const plan = async () => {
  await click("See what will happen");
  const heading = page.getByRole("heading", { name: "What will happen", exact: true });
  const alert = page.getByRole("alert");
  await heading.or(alert).first().waitFor();
  check(await heading.isVisible(), (await alert.allTextContents()).join("; "));
};
const settled = async () => {
  await page.locator(".badge", { hasText: "running" }).first().waitFor();
  await page.locator("output").waitFor({ state: "detached" });
};
const check = (holds, what) => {
  if (!holds) throw new Error(what);
};

async function accessible(where) {
  for (const theme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: theme });
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa"]).analyze();
    const said = found.violations.map((v) => `${v.id}: ${v.nodes[0]?.html.slice(0, 120)} ${v.nodes[0]?.any[0]?.message ?? ""}`);
    check(said.length === 0, `${where} (${theme}): ${said.join("; ")}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

const stories = {
  "the first user chooses a password by his link and is in": async () => {
    await page.goto(world.link);
    await page.getByLabel("New password").fill("short");
    await page.getByRole("button").click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("New password").fill("some words of a sentence");
    await page.getByRole("button").click();
    await page.waitForURL("**/servers");
    await live();
  },
  "a server is made by the form, and its page shows the work": async () => {
    await page.goto(`${world.url}/servers/new`);
    await page.getByRole("radio", { name: /keeper/ }).click();
    await page.getByLabel("Name").fill("forge");
    await plan();
    await click("Create");
    await page.getByRole("heading", { name: "forge" }).waitFor();
    await settled();
  },
  "a container removed outside shows without a click, and Start brings it back": async () => {
    await page.goto(`${world.url}/servers`);
    await badge("forge", "running");
    const began = Number(await outside("docker rm forge"));
    await badge("forge", "missing, data is there");
    console.log(`note the badge changed ${Date.now() - began} ms after docker rm had begun`);
    check(await page.getByText("Needs attention").isVisible(), "it needs attention");
    await row("forge").getByRole("button", { name: "Start (recreate)" }).click();
    await row("forge").getByText("start…").waitFor();
    await row("forge").getByText("start…").waitFor({ state: "detached" });
    await badge("forge", "running");
  },
  "buttons that cannot act say why": async () => {
    await page.goto(`${world.url}/servers`);
    await outside("docker rm forge");
    await badge("forge", "missing, data is there");
    await row("forge").getByRole("link").first().click();
    const stop = page.getByRole("button", { name: /^Stop/ });
    check((await stop.getAttribute("aria-disabled")) === "true", "Stop is disabled on a missing server");
    await stop.hover();
    await page.getByRole("tooltip").getByText(/only when it is running/).waitFor();
    await page.getByRole("button", { name: /^Recreate/ }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Recreate" }).click();
    await settled();
  },
  "delete says what stays, and Undo brings it back": async () => {
    await page.goto(`${world.url}/servers`);
    await row("forge").getByRole("link").first().click();
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog");
    check(await dialog.getByRole("button", { name: "Cancel" }).evaluate((e) => e === document.activeElement), "Cancel has the focus");
    await dialog.getByText(/the data:/).waitFor();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.locator(".badge", { hasText: "deleted" }).first().waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await settled();
    check(/\/servers\/s/.test(page.url()), "after a restore its page is shown");
  },
  "deleted servers are hidden, counted and shown": async () => {
    await outside("server rm forge");
    await page.goto(`${world.url}/servers`);
    await page.getByText("show deleted (1)").waitFor();
    check((await row("forge").count()) === 0, "it is hidden");
    await page.getByLabel(/show deleted/).check();
    await badge("forge", "deleted");
    check(page.url().includes("deleted=1"), "the filter is in the address");
  },
  "a purge wants the name, and lists what goes": async () => {
    await row("forge").getByRole("link").first().click();
    await page.getByRole("button", { name: "Purge now" }).click();
    const dialog = page.getByRole("dialog");
    for (const what of ["Record", "Container", "Data", "Ports released"]) await dialog.getByText(what, { exact: true }).waitFor();
    const remove = dialog.getByRole("button", { name: /^Remove data/ });
    check((await remove.getAttribute("aria-disabled")) === "true", "not before the name is typed");
    check(await dialog.getByRole("button", { name: /^Keep data/ }).isVisible(), "there are three choices");
    await dialog.getByRole("textbox").fill("forge");
    await remove.click();
    await page.waitForURL("**/servers");
    check((await outside("server gone forge")) === "yes", "it is gone");
  },
  "an edit waits for a rebuild and says so": async () => {
    await outside("server create smith");
    await page.goto(`${world.url}/servers`);
    await row("smith").getByRole("link").first().click();
    await page.getByRole("tab", { name: "Configuration" }).click();
    await page.getByLabel("New key").fill("GREETING");
    await click("Add");
    await page.getByLabel("GREETING", { exact: true }).fill("hello");
    await page.getByText("(not set)").waitFor();
    await click("Save");
    await page.getByText(/applies at the next rebuild or recreate\./).first().waitFor();
    await page.getByText("What a rebuild would do").waitFor();
    await page.locator("main ol li").first().waitFor();
    await click("Rebuild now");
    await page.getByText("See what changes").waitFor({ state: "detached" });
  },
  "history goes back in time, and explain says why": async () => {
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText(/creating → running/).waitFor();
    await page.locator("li", { hasText: /creating → running/ }).getByRole("button").click();
    await page.getByText(/State at/).waitFor();
    await page.getByRole("tab", { name: "Explain" }).click();
    await page.getByText("What comes next").waitFor();
  },
  "logs are followed, searched and free of terminal codes": async () => {
    await page.getByRole("tab", { name: "Logs" }).click();
    await outside("say smith \u001b[31mred alert\u001b[0m <b>bold</b>");
    const line = page.locator(".log .line", { hasText: "red alert" });
    await line.waitFor();
    check((await line.textContent()).trim() === "red alert <b>bold</b>", "codes are colours, and text is text");
    await page.getByLabel("Search the logs").fill("red");
    await page.locator(".log mark", { hasText: "red" }).waitFor();
  },
  "ten tabs share one stream": async () => {
    const tabs = [];
    for (let i = 0; i < 9; i++) {
      const tab = await context.newPage();
      await tab.goto(`${world.url}/servers`);
      await live(tab);
      tabs.push(tab);
    }
    check(Number(await outside("streams")) <= 1, "there is one stream of events");
    await outside("docker rm smith");
    await badge("smith", "missing, data is there", tabs[0]);
    await badge("smith", "missing, data is there", tabs[8]);
    await Promise.all(tabs.map((t) => t.close()));
    await outside("server start smith");
  },
  "the manager is killed and comes back: no flicker, nothing lost": async () => {
    await page.goto(`${world.url}/servers`);
    await badge("smith", "running");
    await outside("manager kill");
    await page.locator("[role=status]", { hasText: "reconnecting" }).waitFor();
    check(await row("smith").isVisible(), "what is known stays on the screen");
    await outside("docker rm smith");
    await outside("manager start");
    await live();
    await badge("smith", "missing, data is there");
    await outside("server start smith");
    await badge("smith", "running");
  },
  "a host that is away dims its servers and says since when": async () => {
    await page.goto(`${world.url}/servers`);
    await badge("smith", "running");
    await outside("agent stop");
    await page.locator('tr.dim[data-server="smith"]').waitFor();
    await row("smith").getByText(/seen/).waitFor();
    await outside("agent start");
    await page.locator('tr[data-server="smith"]:not(.dim)').waitFor();
  },
  "several servers are stopped at once, each with its own answer": async () => {
    await outside("server create anvil");
    await page.goto(`${world.url}/servers`);
    await badge("anvil", "running");
    await page.getByLabel("Choose all").check();
    const bar = page.getByRole("toolbar");
    await bar.getByText("2 servers chosen").waitFor();
    await bar.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
    await badge("anvil", "stopped");
    await badge("smith", "stopped");
    await outside("server start smith");
    await badge("smith", "running");
  },
  "what a server and its host use is drawn": async () => {
    const id = await outside("server id smith");
    await page.goto(`${world.url}/servers/${id}`);
    await page.getByRole("tab", { name: "Usage" }).click();
    await page.getByRole("img", { name: /^CPU, cores: CPU/ }).waitFor({ timeout: 45_000 });
    check((await page.locator(".chart canvas").count()) === 4, "four charts");
    await page.getByRole("img", { name: /^Memory: Memory [1-9]/ }).waitFor();
    await page.goto(`${world.url}/hosts/${await outside("host id")}`);
    await page.getByRole("img", { name: /^CPU, cores: CPU .* of / }).waitFor();
    await page.getByRole("img", { name: /^Disk of the data: used/ }).waitFor();
    await page.getByLabel("How far back").selectOption({ label: "3 days" });
    await page.goto(`${world.url}/hosts`);
    await page.getByRole("img", { name: /^Disk of host1: .* of/ }).waitFor();
    await page.goto(`${world.url}/servers`);
    await row("smith").locator("svg.spark path[d^=M]").waitFor({ state: "attached" }); // a flat line has no height
    await row("smith").getByText(/\d\.\d\d · \d+.*iB/).waitFor();
    await page.goto(`${world.url}/servers/${id}`);
    await page.getByRole("img", { name: /^Memory: Memory [1-9]/ }).waitFor();
    await page.goto(`${world.url}/hosts/${await outside("host id")}`);
    await page.getByLabel("How far back").selectOption({ label: "3 days" });
    await page.getByText(/No data for this period|CPU, cores/).first().waitFor();
  },
  "a container made by hand is adopted from the host's page": async () => {
    const container = await outside("by-hand");
    await page.goto(`${world.url}/hosts/${await outside("host id")}`);
    await page.getByRole("link", { name: "adopt one by name" }).click();
    await page.getByRole("radio", { name: /keeper/ }).click();
    await page.getByLabel("Container").fill(container);
    await page.getByLabel("Name", { exact: true }).fill("adopted");
    await page.getByLabel("Game port").fill("21300");
    await plan();
    await click("Adopt");
    await page.getByRole("heading", { name: "adopted" }).waitFor();
    await settled();
    await page.goto(`${world.url}/servers`);
    await badge("adopted", "running");
    await outside("server rm adopted");
    await row("adopted").waitFor({ state: "detached" });
  },
  "a project's site is deployed while one looks, and rolled back": async () => {
    await page.goto(`${world.url}/projects`);
    await live();
    await outside("site");
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
    await outside("deploy one");
    await page.locator(".panel header .badge", { hasText: "healthy" }).waitFor();
    await page.getByRole("link", { name: "web", exact: true }).click();
    await page.getByRole("heading", { name: "#1" }).waitFor();
    await page.locator(".steps .done").nth(7).waitFor();
    await outside("deploy two");
    await page.getByRole("heading", { name: "#2" }).waitFor();
    check((await outside("site says")) === "two", "the second version is served");
    await click("#1");
    await click("Roll back to this");
    await click("Roll back", page.getByRole("dialog"));
    await page.locator("tr", { hasText: "#1" }).getByText("served").waitFor();
    check((await outside("site says")) === "one", "the first version is served again");
  },
  "keys find things": async () => {
    await page.goto(`${world.url}/servers`);
    await live();
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder(/A page, a server/).fill("smith");
    await page.getByRole("option", { name: /smith/, selected: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "smith" }).waitFor();
    await page.goto(`${world.url}/servers`);
    await live();
    const filter = page.getByRole("searchbox", { name: "Filter servers" });
    await filter.waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("nothing-like-this");
    check((await filter.inputValue()) === "nothing-like-this", "every key arrives in the filter");
    await page.getByText("No matching servers").waitFor();
  },
  "names and values are never markup": async () => {
    await page.goto(`${world.url}/servers?q=${encodeURIComponent("<img src=x onerror=alert(1)>")}`);
    await page.getByText("No matching servers").waitFor();
    check((await page.locator("main img").count()) === 0, "no markup");
  },
  "every page is accessible in both themes, and kept as a picture": async () => {
    const id = await outside("server id smith");
    const host = await outside("host id");
    const pages = ["servers", `servers/${id}`, `servers/${id}/usage`, `servers/${id}/history`, `servers/${id}/configuration`, `servers/${id}/explain`, "servers/new",
      "projects", "hosts", `hosts/${host}`, "operations", "audit", "monitoring", "settings", "api/docs"];
    for (const path of pages) {
      await page.goto(`${world.url}/${path}`);
      await live();
      await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
      await accessible(path);
      for (const width of [1440, 1024, 360]) {
        await page.setViewportSize({ width, height: 900 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        check(!wide, `${path} does not fit into ${width} pixels`);
        await page.screenshot({ path: `${world.shots}/${path.replaceAll("/", "-").replace(id, "x").replace(host, "x")}-${width}.png` });
      }
      await page.setViewportSize({ width: 1440, height: 900 });
    }
  },
  "who may only look has no button that acts": async () => {
    const other = await browser.newContext();
    const guest = await other.newPage();
    watch(guest);
    await guest.goto(world.viewer);
    await guest.getByLabel("New password").fill("some words of a sentence");
    await guest.getByRole("button").click();
    await guest.waitForURL("**/servers");
    await live(guest);
    await row("smith", guest).waitFor();
    check((await row("smith", guest).getByRole("button").count()) === 1, "the menu alone");
    const make = guest.getByRole("button", { name: /New server/ });
    check((await make.getAttribute("aria-disabled")) === "true", "he cannot make a server");
    check((await guest.getByRole("link", { name: "Audit" }).count()) === 0, "pages that are nothing for him are not there");
    await outside("viewer rm");
    await guest.getByRole("button", { name: "Sign in" }).waitFor();
    await other.close();
  },
  "a session that is over shows the way in, and what was open comes back": async () => {
    await page.goto(`${world.url}/operations`);
    await live();
    await outside("expire first");
    await page.getByLabel("Name").fill("first");
    await page.getByLabel("Password").fill("some words of a sentence");
    await click("Sign in");
    await page.getByRole("heading", { name: "Operations" }).waitFor();
    await live();
  },
  "signing out, a wrong password, signing in": async () => {
    await page.goto(`${world.url}/servers`);
    await live();
    await page.getByRole("button", { name: /Signed in as/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByLabel("Name").fill("first");
    await page.getByLabel("Password").fill("not the right one");
    await click("Sign in");
    await page.getByText("the name or the password is wrong").waitFor();
    await page.getByLabel("Password").fill("some words of a sentence");
    await click("Sign in");
    await live();
  },
};

// How long after the Engine's own event the page shows that a container is gone. Measured, never checked.
async function measure(rounds) {
  const took = [];
  await page.goto(`${world.url}/servers`);
  await live();
  for (let n = 0; n < rounds; n++) {
    await badge("smith", "running");
    const changed = page.evaluate(() => {
      const here = () => document.querySelector('tr[data-server="smith"]')?.textContent?.includes("missing");
      return new Promise((done) => {
        const look = new MutationObserver(() => here() && (look.disconnect(), done(Date.now())));
        look.observe(document.body, { subtree: true, childList: true, characterData: true });
      });
    });
    const gone = Number(await outside("timed-rm smith"));
    took.push((await changed) - gone);
    await outside("server start smith");
  }
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(0);
  console.log(`note the badge changed ${at(0.5)} ms (p50), ${at(0.99)} ms (p99) after the Engine's event, ${rounds} times`);
}

let failed = 0;
for (const [name, story] of Object.entries(stories)) {
  try {
    await story();
    if (problems.length) throw new Error(problems.splice(0).join("; "));
    console.log(`ok ${name}`);
  } catch (e) {
    failed++;
    await page.screenshot({ path: `${world.shots}/failed-${failed}.png` }).catch(() => {});
    console.log(`no ${name}: ${String(e.message).replaceAll("\n", " ")}`);
    problems.length = 0;
    await page.close().catch(() => {});
    page = await context.newPage();
    watch(page);
  }
}
if (world.rounds) await measure(world.rounds);
await browser.close();
process.exit(failed ? 1 : 0);
