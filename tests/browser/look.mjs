// Opens a page in Chromium, as people and their helpers would see it, and prints what was found as one JSON document.
// Arguments: the page's address, the browser, a directory for pictures, the directory of node modules.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [address, browserPath, pictures, modules] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const VIEWS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 360, height: 740 } },
  { name: "narrow-dark", colorScheme: "dark", viewport: { width: 360, height: 740 } },
];

const browser = await chromium.launch({
  executablePath: browserPath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const found = { console: [], requests: [], views: {}, keyboard: [], filter: {}, plain: "" };

for (const { name, ...options } of VIEWS) {
  const context = await browser.newContext({ ...options, bypassCSP: false });
  const page = await context.newPage();
  page.on("console", (message) => found.console.push(message.text()));
  page.on("pageerror", (error) => found.console.push(String(error)));
  page.on("request", (request) => found.requests.push(request.url()));
  await page.goto(address, { waitUntil: "load" });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  // The page's policy lets no other script in; the debugger's own evaluation is not bound by it.
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  found.views[name] = {
    violations: result.violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((n) => n.target) })),
    passes: result.passes.length,
    unsure: result.incomplete.map(({ id }) => id),
    height: await page.evaluate(() => document.documentElement.scrollHeight),
    overflow: await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
    font: await page.evaluate(() => getComputedStyle(document.body).fontFamily),
    ground: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
  };
  if (name === "light") {
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press("Tab");
      found.keyboard.push(
        await page.evaluate(() => {
          const focused = document.activeElement;
          const name = focused.getAttribute("aria-label") ?? focused.textContent.trim().slice(0, 40);
          return { name, outline: getComputedStyle(focused).outlineStyle };
        }),
      );
    }
  }
  if (name === "narrow-dark") {
    // What is folded is found by a word, and is folded again without it. The link has the filter, for a reload.
    const seen = () => page.evaluate(() => [...document.querySelectorAll("#agents ~ * .row, #agents ~ .row")]
      .filter((row) => row.checkVisibility()).map((row) => row.querySelector("strong").textContent));
    const apply = async (word) => {
      const before = await page.textContent("#found");
      await page.fill("#words", word);
      await page.waitForFunction((text) => document.getElementById("found").textContent !== text, before);
      return { seen: await seen(), text: await page.textContent("#found"), again: await page.getAttribute("#again", "href") };
    };
    const first = await seen();
    found.filter = { first, word: await apply("spare-7 claude"), cleared: await apply("") };
    await page.goto(`${address}?state=rchdp&target=claude#agents`);
    found.filter.asked = { seen: await seen(), text: await page.textContent("#found") };
  }
  await context.close();
}

const context = await browser.newContext({ javaScriptEnabled: false });
const page = await context.newPage();
await page.goto(address);
found.plain = await page.locator("main").innerText();
found.landmarks = {};
for (const role of ["banner", "navigation", "main", "contentinfo"]) {
  found.landmarks[role] = await page.getByRole(role).count();
}
found.headings = await page.getByRole("heading").allInnerTexts();
await browser.close();
console.log(JSON.stringify(found));
