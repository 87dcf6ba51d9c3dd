// Draws the charts of the report from the JSON in the page, with Observable Plot.
// Colours are the variables of style.css, so that light, dark and print need no
// second drawing; widths are those of the page.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const whole = new Intl.NumberFormat("en-GB");
  const share = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const dayOfMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
  const date = (seconds) => new Date(seconds * 1000);

  let printing = false; // charts are lower then
  const isNarrow = (width) => width < 520;
  const tip = { fill: "var(--surface)", stroke: "var(--line)", textPadding: 8, fontSize: 13, lineWidth: 26 };
  const frame = (width) => ({
    width, marginTop: 12, marginRight: 12, marginBottom: 34, style: { background: "none", color: "var(--muted)", fontSize: "12px" },
  });

  // axis puts few dates under a chart, more on a wide one, and times only where
  // there are hardly any dates.
  const axis = (width, [from, to]) => {
    const most = isNarrow(width) ? 4 : 9, days = (to - from) / 86400, form = { tickSize: 0, tickPadding: 8 };
    if (days < 2.5) return Plot.axisX({ ...form, ticks: Math.ceil(most / 2), tickFormat: (t) => `${hour.format(t)}\n${dayOfMonth.format(t)}` });
    if (days < 20) return Plot.axisX({ ...form, ticks: d3.utcDay.every(Math.ceil(days / most)), tickFormat: (t) => dayOfMonth.format(t) });
    return Plot.axisX({ ...form, ticks: most });
  };

  function progress(d, width) {
    const f = d.forecast;
    const points = d.points.map(([t, percent, moved]) => ({ t: date(t), percent, moved }));
    const last = points[points.length - 1];
    const line = (rows) => rows.map(([t, y]) => ({ t: date(t), y }));
    const marks = [
      Plot.gridY([0, 25, 50, 75, 100], { stroke: "var(--line)", strokeOpacity: 1 }),
      Plot.axisY([0, 25, 50, 75, 100], { tickFormat: (v) => `${v} %`, tickSize: 0, label: null }),
      axis(width, d.domain),
      Plot.areaY(points, { x: "t", y: "percent", fill: "var(--accent)", fillOpacity: 0.12 }),
    ];
    // caption stands above what it is about, inside the picture.
    const caption = ([t, y], text) => {
      const part = (t - d.domain[0]) / (d.domain[1] - d.domain[0]);
      const above = { x: "t", y: "y", text: () => text, dy: -17, fill: "var(--ink)", stroke: "var(--surface)", strokeWidth: 5, fontSize: 13, fontWeight: 600 };
      return Plot.text([{ t: date(t), y }], part > 0.8 ? { ...above, textAnchor: "end", dx: 8 } : above);
    };
    if (f) {
      if (f.band.length) {
        const band = f.band.map(([t, low, high]) => ({ t: date(t), low, high }));
        marks.push(Plot.areaY(band, { x: "t", y1: "low", y2: "high", fill: "var(--accent)", fillOpacity: 0.22, className: "band" }));
      }
      if (f.line.length) {
        marks.push(Plot.lineY(line(f.line), { x: "t", y: "y", stroke: "var(--accent)", strokeWidth: 2, strokeDasharray: "5 5" }));
      }
      marks.push(Plot.ruleX([last.t], { stroke: "var(--muted)", strokeOpacity: 0.6, strokeDasharray: "2 3" }));
      if (f.mark) {
        marks.push(
          Plot.dot([f.mark], { x: ([t]) => date(t), y: ([, y]) => y, r: 5, fill: "var(--surface)", stroke: "var(--accent)", strokeWidth: 2.5 }),
        );
      }
      marks.push(caption(f.mark || f.line[f.line.length - 1], f.label));
    }
    marks.push(
      Plot.lineY(points, { x: "t", y: "percent", stroke: "var(--accent)", strokeWidth: 2.5, strokeLinejoin: "round" }),
      Plot.ruleX(d.partial.map(date), { y1: 0, y2: 5, stroke: "var(--warn)", strokeWidth: isNarrow(width) ? 1.5 : 2 }),
      Plot.dot([last], { x: "t", y: "percent", r: 5, fill: "var(--accent)", stroke: "var(--surface)", strokeWidth: 2 }),
      Plot.tip(points, Plot.pointerX({
        x: "t", y: "percent", ...tip, fill: "var(--surface)",
        title: (p) => `${minute.format(p.t)} UTC\n${share.format(p.percent)} %: ${whole.format(p.moved)} users`,
      })),
    );
    return Plot.plot({
      ...frame(width), marginTop: 34, height: printing ? 190 : isNarrow(width) ? 270 : 350, marginLeft: 52,
      x: { type: "utc", domain: d.domain.map(date), label: null }, y: { domain: [0, 100], label: null }, marks,
    });
  }

  function moves(d, width) {
    const step = d.days * 86400;
    const rows = d.rows.map(([t, moved, average, open]) => ({ from: date(t), to: date(t + step), middle: date(t + step / 2), moved, average, open }));
    const gap = Math.min(0.75, width / rows.length / 14);
    const bars = { x1: "from", x2: "to", y: "moved", insetLeft: gap, insetRight: gap, fill: "var(--accent)" };
    const most = Math.max(1, ...rows.map((r) => r.moved));
    return Plot.plot({
      ...frame(width), height: printing ? 170 : isNarrow(width) ? 215 : 250, marginLeft: 52,
      x: { type: "utc", domain: d.domain.map(date), label: null },
      y: { domain: [0, most * 1.08], label: null, ticks: 4 },
      marks: [
        Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks: 4 }),
        Plot.axisY({ ticks: 4, tickSize: 0, label: null, tickFormat: (v) => (Number.isInteger(v) ? short.format(v) : "") }),
        axis(width, d.domain),
        Plot.rectY(rows.filter((r) => !r.open), bars),
        Plot.rectY(rows.filter((r) => r.open), { ...bars, fillOpacity: 0.45 }),
        Plot.lineY(rows.filter((r) => r.average !== null), { x: "middle", y: "average", stroke: "var(--ink)", strokeWidth: 2, curve: "monotone-x" }),
        Plot.ruleY([0], { stroke: "var(--muted)" }),
        Plot.tip(rows, Plot.pointerX({
          x: "middle", y: "moved", ...tip,
          title: (r) => `${d.days > 1 ? "Week from " : ""}${day.format(r.from)}${r.open ? ", not over yet" : ""}\n${whole.format(r.moved)} moved`,
        })),
      ],
    });
  }

  function funnel(d, width) {
    const narrow = isNarrow(width);
    const most = Math.max(1, ...d.rows.map((r) => r.count));
    const text = (r) => whole.format(r.count) + (r.share && `${narrow ? "\n" : "  ·  "}${r.share}`);
    return Plot.plot({
      ...frame(width), marginTop: 4, marginBottom: 4, height: d.rows.length * (narrow ? 44 : printing ? 32 : 40) + 8,
      marginLeft: narrow ? 98 : 150, marginRight: narrow ? 92 : 160,
      x: { domain: [0, most], axis: null }, y: { domain: d.rows.map((r) => r.label), label: null, padding: narrow ? 0.4 : 0.32 },
      marks: [
        Plot.axisY({ tickSize: 0, fontSize: narrow ? 13 : 14, fill: "var(--ink)", label: null, lineWidth: narrow ? 6.5 : 12, tickPadding: 10 }),
        Plot.barX(d.rows, { x: () => most, y: "label", fill: "var(--quiet-soft)", fillOpacity: 0.55, rx: 4 }),
        Plot.barX(d.rows.filter((r) => r.count > 0), { x: "count", y: "label", fill: (r) => `var(--bar-${r.tone})`, rx: 4 }),
        Plot.text(d.rows, { x: () => most, y: "label", text, textAnchor: "start", dx: 8, lineHeight: 1.25, fill: "var(--ink)", fontSize: 13, fontWeight: 600 }),
      ],
    });
  }

  const kinds = { progress, moves, funnel };
  const draw = (box, width) => {
    const d = data[box.dataset.chart];
    const svg = kinds[box.dataset.chart](d, width);
    // The picture is one thing with one description; its table has the rest.
    svg.querySelectorAll("[aria-label]").forEach((e) => e.removeAttribute("aria-label"));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", d.label);
    box.replaceChildren(svg);
  };

  const boxes = [...document.querySelectorAll("[data-chart]")];
  const drawAll = (width) => boxes.forEach((box) => draw(box, width || Math.floor(box.clientWidth)));
  const drawn = new Map();
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const width = Math.floor(target.clientWidth);
      if (width > 0 && drawn.get(target) !== width) {
        drawn.set(target, width);
        draw(target, width);
      }
    }
  });
  boxes.forEach((box) => observer.observe(box));
  addEventListener("beforeprint", () => {
    printing = true;
    drawAll(640); // what A4 leaves, in the pixels of CSS
  });
  addEventListener("afterprint", () => {
    printing = false;
    drawAll(0);
  });
})();
