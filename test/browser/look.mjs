// Opens pages in Chromium and says what it saw, one line of JSON for each look.
// It judges nothing: report_test.go does.
//
// stdin: {"chromium": path, "pages": [{"name", "path"}], "screens": [{"name", "width", "height"}], "shots": folder or ""}
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";

const job = JSON.parse(readFileSync(0, "utf8"));
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// inPage runs in the page.
function inPage() {
  const box = (e) => e.getBoundingClientRect();
  const charts = [...document.querySelectorAll("[data-chart]")].map((chart) => {
    const svg = chart.querySelector("svg");
    if (!svg) return { name: chart.dataset.chart, width: 0, height: 0, marks: 0, label: "", outside: [], overlapping: [] };
    const card = box(chart.closest("section"));
    const texts = [...svg.querySelectorAll("text")].flatMap((t) => (t.querySelector("tspan") ? [...t.querySelectorAll("tspan")] : [t]))
      .filter((t) => t.textContent.trim() !== "").map((t) => ({ text: t.textContent, box: box(t) })).filter((t) => t.box.width > 0);
    const overlapping = [];
    texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {
      const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (x > 1 && y > 4) overlapping.push(`${a.text} | ${b.text}`);
    }));
    const { width, height } = box(svg);
    return {
      name: chart.dataset.chart, width, height, label: svg.getAttribute("aria-label") ?? "",
      marks: [...svg.querySelectorAll("path, rect, circle")].filter((m) => box(m).width + box(m).height > 0).length,
      outside: texts.filter((t) => t.box.left < card.left || t.box.right > card.right).map((t) => t.text),
      overlapping,
    };
  });
  const root = document.documentElement;
  return {
    charts, scroll_width: root.scrollWidth, client_width: root.clientWidth, language: root.lang, title: document.title,
    headings: [...document.querySelectorAll("h1, h2, h3")].map((h) => Number(h.tagName[1])),
    sections: [...document.querySelectorAll("main > section")].map((s) => s.id || s.getAttribute("aria-labelledby") || s.getAttribute("aria-label")),
    tables: document.querySelectorAll("[data-chart]").length, alternatives: document.querySelectorAll("figure details table").length,
    text: document.body.innerText, background: getComputedStyle(document.body).backgroundColor,
  };
}

async function look(target, screen, scheme) {
  const context = await browser.newContext({
    viewport: { width: screen.width, height: screen.height }, colorScheme: scheme, reducedMotion: "reduce", locale: "en-GB",
    deviceScaleFactor: screen.width < 600 ? 2 : 1,
  });
  const url = pathToFileURL(target.path).href;
  const seen = { page: target.name, screen: screen.name, scheme, requests: [], console: [], errors: [] };
  await context.route("**/*", (route) => {
    if (route.request().url() === url) return route.continue();
    seen.requests.push(route.request().url().slice(0, 200));
    return route.abort();
  });
  const page = await context.newPage();
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && seen.console.push(m.text()));
  page.on("pageerror", (e) => seen.errors.push(String(e)));
  await page.goto(url, { waitUntil: "load" });
  // Charts are drawn when their size is known: two frames after the page is there.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  Object.assign(seen, await page.evaluate(inPage));
  if (job.shots) await page.screenshot({ path: join(job.shots, `${target.name}-${screen.name}-${scheme}.png`), fullPage: true });
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  seen.open_scroll_width = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  seen.violations = violations.map((v) => ({ rule: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)) }));
  await page.keyboard.press("Tab");
  seen.first_focus = await page.evaluate(() => document.activeElement.textContent);
  if (screen === job.screens[0]) {
    const options = { preferCSSPageSize: true, printBackground: true };
    if (job.shots) options.path = join(job.shots, `${target.name}-${scheme}.pdf`);
    const pdf = await page.pdf(options);
    seen.pdf = { bytes: options.path ? statSync(options.path).size : pdf.length, head: pdf.subarray(0, 5).toString(), pages: pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0 };
  }
  await context.close();
  console.log(JSON.stringify(seen));
}

const looks = job.pages.flatMap((target) => job.screens.flatMap((screen) => ["light", "dark"].map((scheme) => [target, screen, scheme])));
const eye = async () => {
  while (looks.length) await look(...looks.shift());
};
try {
  await Promise.all([eye(), eye(), eye()]);
} finally {
  await browser.close();
}
