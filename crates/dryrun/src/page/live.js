"use strict";
// Asks for progress.json, draws it, and says so when nobody writes it any more. All text goes in as text; nothing is ever parsed as markup.
(() => {
  const POLL = 2000, TIMEOUT = 10000, ROWS = 12, INCIDENTS = 50, POINTS = 180;
  const SVG = "http://www.w3.org/2000/svg";
  const $ = (id) => document.getElementById(id);
  const MARK = { pass: "✔", warn: "▲", fail: "✖", invalid: "?" };

  let progress = null;   // the last one that could be read
  let received = 0;      // when, on this page's own clock
  let age = 0;           // how old it was then, by the server's clock
  let failing = 0;       // since when the server cannot be reached, 0: it can
  let why = "";          // how that shows
  let spoken = "";       // what screen readers were told last
  let drawn = "";        // what the charts show

  // As review::escape::visible: one line, nothing hidden.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{10ffff}]/gu;
  const NAMED = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const visible = (text) => String(text).replace(HIDDEN, (c) => {
    const code = c.codePointAt(0);
    return NAMED[c] || (code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}");
  });
  const cut = (text, limit) => {
    const letters = Array.from(String(text).slice(0, limit * 4));
    return visible(letters.slice(0, limit).join("")) + (letters.length > limit ? "…" : "");
  };

  const finite = (value) => (typeof value === "number" && Number.isFinite(value) ? value : 0);
  const count = (value) => Math.round(finite(value)).toLocaleString("en");
  const trim = (value, digits) => String(Number(finite(value).toFixed(digits)));
  const lasting = (seconds) => {
    const s = Math.max(0, Math.floor(finite(seconds)));
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    return (d ? d + "d " : "") + (h ? h + "h " : "") + (m || (!d && !h) ? m + "m " : "") + (s % 60) + "s";
  };
  const brief = (seconds) => {
    const s = Math.abs(finite(seconds));
    if (s === 0) return "0 s";
    if (s < 1) return trim(s * 1000, 0) + " ms";
    if (s < 120) return trim(s, 1) + " s";
    if (s < 7200) return trim(s / 60, 1) + " min";
    if (s < 345600) return trim(s / 3600, 1) + " h";
    return trim(s / 86400, 1) + " d";
  };
  const sized = (bytes) => {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let value = finite(bytes), unit = 0;
    while (value >= 999.5 && unit + 1 < units.length) { value /= 1000; unit += 1; }
    return trim(value, unit && value < 99.95 ? 1 : 0) + " " + units[unit];
  };
  const short = (value) => value >= 1e9 ? trim(value / 1e9, 1) + " G" : value >= 1e6 ? trim(value / 1e6, 1) + " M"
    : value >= 1e4 ? trim(value / 1e3, 1) + " k" : trim(value, value >= 10 ? 1 : 3);
  const clock = (time) => { const at = new Date(time); return Number.isNaN(at.getTime()) ? "unknown" : at.toISOString().slice(0, 19).replace("T", " ") + " UTC"; };

  const element = (name, attributes, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const shape = (name, attributes, ...children) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const foreign = (text, limit) => element("bdi", {}, cut(text, limit || 600));
  const set = (id, ...children) => $(id).replaceChildren(...children);

  const standing = (word) => ({ starting: "pass", running: "pass", pass: "pass", warn: "warn", fail: "fail" })[word] || "invalid";
  const badge = (word) => element("span", { class: "badge t-" + standing(word) }, (MARK[standing(word)] || "?") + " " + cut(word, 16));
  const complete = () => progress && progress.phase === "complete";

  // ── charts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  const roundUp = (max) => {
    if (!(max > 0) || !Number.isFinite(max)) return 1;
    const power = 10 ** Math.floor(Math.log10(max));
    return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= max) || max;
  };
  const num = (value) => trim(value, 2);

  function axis(points) {
    const first = points[0], last = points[points.length - 1];
    const from = finite(first.at), to = finite(last.at) + finite(last.seconds) * 1000;
    const width = Math.max(to - from, 1);
    return {
      from, to,
      share: (at) => Math.min(1, Math.max(0, (at - from) / width)),
      ago: (at) => { const s = Math.round((to - at) / 1000); return s <= 0 ? "last" : "−" + brief(s); },
    };
  }

  function labels(svg, x, y) {
    for (let quarter = 0; quarter <= 4; quarter += 1) {
      const anchor = quarter === 0 ? "start" : quarter === 4 ? "end" : "middle";
      const at = x.from + (x.to - x.from) * quarter / 4;
      const text = quarter === 4 ? (complete() ? "end" : "last") : "−" + brief((x.to - at) / 1000);
      svg.append(shape("text", { x: quarter * 25 + "%", y, "text-anchor": anchor }, text));
    }
  }

  // A stepped area with its scale. Where nothing was measured nothing is drawn.
  function panel(svg, x, points, value, unit, top, bottom) {
    const peak = points.reduce((max, point) => Math.max(max, finite(value(point))), 0);
    const ceiling = roundUp(peak), height = bottom - top;
    for (const share of [0, 0.5, 1]) {
      const y = num(bottom - height * share);
      svg.append(shape("line", { class: share ? "grid" : "base", x1: 0, x2: "100%", y1: y, y2: y }));
    }
    let path = "", right = null;
    points.forEach((point, i) => {
      const end = finite(point.at) + finite(point.seconds) * 1000;
      const next = points[i + 1];
      const to = next && finite(next.at) - end <= finite(point.seconds) * 1000 ? finite(next.at) : end;
      const from = num(x.share(point.at) * 1000);
      const y = num(height * (1 - Math.min(1, finite(value(point)) / ceiling)));
      if (right === null) path += `M${from} ${height}V${y}`;
      else if (right === from) path += `V${y}`;
      else path += `V${height}ZM${from} ${height}V${y}`;
      right = num(x.share(to) * 1000);
      path += `H${right}`;
    });
    path += `V${height}Z`;
    svg.append(shape("svg", { x: 0, y: top, width: "100%", height, viewBox: `0 0 1000 ${height}`, preserveAspectRatio: "none" },
      shape("path", { class: "area", "vector-effect": "non-scaling-stroke", d: path })));
    for (const share of [0.5, 1]) {
      svg.append(shape("text", { class: "over", x: 0, y: num(bottom - height * share - 4) }, short(ceiling * share) + unit));
    }
    return peak;
  }

  function strip(svg, x, points, label, tone, value, y) {
    const total = points.reduce((sum, point) => sum + finite(value(point)), 0);
    svg.append(
      shape("text", { x: 0, y: y + 12 }, label),
      shape("text", { class: "strong", x: "100%", y: y + 12, "text-anchor": "end" }, count(total)),
      shape("rect", { class: "track", x: 0, y: y + 18, width: "100%", height: 8 }));
    for (const point of points) {
      if (finite(value(point)) <= 0) continue;
      const from = x.share(point.at) * 100, to = x.share(finite(point.at) + finite(point.seconds) * 1000) * 100;
      svg.append(shape("rect", { class: `${tone} edge e-${tone}`, x: num(from) + "%", y: y + 18, width: num(to - from) + "%", height: 8 }));
    }
    return total;
  }

  function drawing(id, title, finding, height) {
    return shape("svg", { class: "chart", role: "img", "aria-labelledby": `${id}-title ${id}-desc`, width: "100%", height },
      shape("title", { id: id + "-title" }, title), shape("desc", { id: id + "-desc" }, finding));
  }

  function figure(id, title, finding, svg, heads, rows) {
    const old = $(id);
    const open = old.querySelector("details")?.open;
    const parts = [element("figcaption", {}, element("h3", {}, title), element("p", {}, finding))];
    if (svg) {
      svg.querySelector("desc").textContent = finding;
      parts.push(element("div", { class: "plot" }, svg));
    }
    if (rows.length) {
      const table = element("table", {},
        element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, foreign(cell, 80)))))));
      const details = element("details", {}, element("summary", {}, "Data"), element("div", { class: "data" }, table));
      if (open) details.open = true;
      parts.push(details);
    }
    old.replaceChildren(...parts);
  }

  const chunks = (points) => {
    const size = Math.max(1, Math.ceil(points.length / ROWS)), out = [];
    for (let i = 0; i < points.length; i += size) out.push(points.slice(i, i + size));
    return out;
  };
  const most = (points, value) => points.reduce((max, point) => Math.max(max, finite(value(point))), 0);
  const total = (points, value) => points.reduce((sum, point) => sum + finite(value(point)), 0);
  const perSecond = (point) => (finite(point.seconds) > 0 ? finite(point.lines) / point.seconds : 0);

  // At most so many points that neighbours can be told apart: sums stay sums, peaks stay peaks.
  function joined(points) {
    const size = Math.max(1, Math.ceil(points.length / POINTS)), out = [];
    for (let i = 0; i < points.length; i += size) {
      const part = points.slice(i, i + size), one = { at: finite(part[0].at) };
      for (const key of ["seconds", "lines", "warnings", "errors"]) one[key] = total(part, (point) => point[key]);
      for (const key of ["gap_seconds", "memory_mb", "cpu_percent"]) one[key] = most(part, (point) => point[key]);
      out.push(one);
    }
    return out;
  }

  function charts() {
    const points = joined((Array.isArray(progress.history) ? progress.history : []).filter((point) => point && finite(point.at)));
    const some = points.length > 0, x = some ? axis(points) : null;
    const none = "Nothing measured yet.";

    let finding = none, svg = null, rows = [];
    if (some) {
      svg = drawing("c-rate", "Log rate", "", 240);
      const peak = panel(svg, x, points, perSecond, " lines/s", 16, 150);
      const warnings = strip(svg, x, points, "▲ warnings", "warn", (point) => point.warnings, 158);
      const errors = strip(svg, x, points, "✖ errors", "fail", (point) => point.errors, 190);
      labels(svg, x, 236);
      const seconds = total(points, (point) => point.seconds);
      finding = `${trim(seconds ? total(points, (point) => point.lines) / seconds : 0, 1)} lines a second on average, ${trim(peak, 1)} at the peak; ${count(warnings)} warnings and ${count(errors)} errors.`;
      rows = chunks(points).map((part) => [x.ago(part[0].at), trim(total(part, (p) => p.lines) / Math.max(total(part, (p) => p.seconds), 1e-9), 1), count(total(part, (p) => p.warnings)), count(total(part, (p) => p.errors))]);
    }
    figure("rate", "Log rate", finding, svg, ["From", "Lines/s", "Warnings", "Errors"], rows);

    finding = none; svg = null; rows = [];
    if (some) {
      svg = drawing("c-gaps", "Silences", "", 174);
      const peak = panel(svg, x, points, (point) => point.gap_seconds, " s", 16, 150);
      labels(svg, x, 170);
      finding = `The longest silence shown is ${brief(peak)}, the longest of the run ${brief(progress.longest_gap_seconds)}.`;
      rows = chunks(points).map((part) => [x.ago(part[0].at), brief(most(part, (p) => p.gap_seconds))]);
    }
    figure("gaps", "Silences", finding, svg, ["From", "Longest silence"], rows);

    for (const [id, title, value, unit, word] of [
      ["memory", "Memory", (point) => point.memory_mb, " MiB", "Resident memory of the whole tree"],
      ["cpu", "CPU", (point) => point.cpu_percent, " %", "CPU of the whole tree, in percent of one core,"],
    ]) {
      finding = none; svg = null; rows = [];
      if (some && points.some((point) => finite(value(point)) > 0)) {
        svg = drawing("c-" + id, title, "", 174);
        const peak = panel(svg, x, points, value, unit, 16, 150);
        labels(svg, x, 170);
        finding = `${word} peaked at ${trim(peak, 1)}${unit}, now ${trim(value(points[points.length - 1]), 1)}${unit}.`;
        rows = chunks(points).map((part) => [x.ago(part[0].at), trim(most(part, value), 1)]);
      }
      figure(id, title, finding, svg, ["From", title + "," + unit], rows);
    }
    levels();
  }

  function levels() {
    const bad = /^(error|err|exception|critical|crit|fatal|alert|emerg|emergency|panic|severe|50|60)$/i, soon = /^warn(ing)?$/i;
    const tone = (level) => (bad.test(level) ? "fail" : soon.test(level) ? "warn" : "neutral");
    const all = Object.entries(progress.level_counts || {}).filter(([, n]) => finite(n) > 0).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const sum = all.reduce((n, [, more]) => n + more, 0);
    const of = (which) => all.filter(([level]) => tone(level) === which).reduce((n, [, more]) => n + more, 0);
    // Whatever is bad is drawn, also where other levels would push it out.
    const shown = all.length <= ROWS ? all : [...all].sort((a, b) => (tone(b[0]) !== "neutral") - (tone(a[0]) !== "neutral") || b[1] - a[1]).slice(0, ROWS);
    if (!shown.length) return figure("levels", "Levels", "No line yet.", null, [], []);
    const finding = `${count(of("fail"))} of ${count(sum)} lines say error or worse, ${count(of("warn"))} say warning.`;
    const svg = drawing("c-levels", "Levels", finding, shown.length * 34);
    const greatest = Math.max(...shown.map(([, n]) => n));
    shown.forEach(([level, n], i) => {
      const y = i * 34, mark = { fail: "✖ ", warn: "▲ ", neutral: "" }[tone(level)];
      svg.append(
        shape("text", { class: "strong", x: 0, y: y + 12 }, mark + cut(level, 24)),
        shape("text", { class: "strong", x: "100%", y: y + 12, "text-anchor": "end" }, count(n)),
        shape("rect", { class: "track", x: 0, y: y + 18, width: "100%", height: 8, rx: 2 }),
        shape("rect", { class: tone(level), x: 0, y: y + 18, width: 2, height: 8 }),
        shape("rect", { class: tone(level), x: 0, y: y + 18, width: num(n / greatest * 100) + "%", height: 8, rx: 2 }));
    });
    return figure("levels", "Levels", finding, svg, ["Level", "Lines"], shown.map(([level, n]) => [level, count(n)]));
  }

  // ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  // How old what is shown is, by the server's clock when it came and by ours since.
  const old = () => age + (performance.now() - received) / 1000;
  function stopped() {
    if (!progress || complete()) return false;
    const interval = finite(progress.interval_seconds);
    return old() > (interval > 0 ? interval * 3 + 10 : 3600);
  }

  function tick() {
    const feed = $("feed");
    const lost = failing && performance.now() - failing > POLL * 2;
    const dead = stopped();
    let text;
    if (!progress) text = failing ? `No progress can be read (${why}). Asking again.` : "Waiting for the first progress.";
    else if (lost) text = `The harness cannot be reached since ${lasting((performance.now() - failing) / 1000)} (${why}). What you see is ${lasting(old())} old.`;
    else if (dead) text = `The feed has stopped: nobody has written progress for ${lasting(old())}. The harness may be gone; “gonogo dry-run finalize” ends such a run.`;
    else if (complete()) text = `Complete. Written ${clock(progress.now)}.`;
    else text = `Live: written ${lasting(old())} ago, number ${count(progress.sequence)}.`;
    feed.textContent = text;
    feed.className = "feed" + (lost || dead || (!progress && failing) ? " bad" : "");
    document.body.classList.toggle("stopped", Boolean(lost || dead));
    if (progress) {
      // What was said last is no status any more once nobody stands behind it.
      const word = lost || dead ? "invalid" : standing(progress.status), said = cut(progress.status, 16).toUpperCase();
      $("state").className = "state t-" + word;
      set("say", ...(lost || dead
        ? [element("span", { class: "word" }, "? UNKNOWN"), ` — ${said} when it was last heard of`]
        : [element("span", { class: "word" }, `${MARK[word]} ${said}`),
          complete() ? " — the verdict is there" : progress.phase === "startup" ? " — starting" : word === "pass" ? "" : " so far"]));
      // While the feed lives, time goes on between two writings; when it stops, so does this.
      const since = complete() || dead || lost ? 0 : old();
      const elapsed = finite(progress.elapsed_seconds) + since, target = finite(progress.target_duration_seconds);
      $("bar").value = target > 0 ? Math.min(1, elapsed / target) : 1;
      $("elapsed").textContent = `${lasting(elapsed)} of ${lasting(target)}`;
      $("left").textContent = complete() ? "over" : `${lasting(target - elapsed)} left`;
      document.title = `${MARK[word]} ${dead || lost ? "stopped" : cut(progress.status, 16)} — dry run`;
    }
    const speak = (lost ? "The harness cannot be reached. " : dead ? "The feed has stopped. " : "") + (progress ? `Status ${cut(progress.status, 16)}, ${cut(progress.phase, 16)}.` : "");
    if (speak !== spoken) { spoken = speak; $("speak").textContent = speak; }
  }

  function tile(name, value, note) {
    return element("div", {}, element("dt", {}, name), element("dd", {}, value, ...(note ? [element("small", {}, note)] : [])));
  }

  function show() {
    $("body").hidden = false;
    const label = (progress.config_metadata || {}).run_label || (progress.config_metadata || {}).label;
    set("title", "Dry run", ...(label ? [" — ", foreign(label, 120)] : []));
    set("command", foreign((Array.isArray(progress.command) ? progress.command : []).join(" "), 300));

    const incidents = Array.isArray(progress.incidents) ? progress.incidents.filter((one) => one && typeof one === "object") : [];
    const open = incidents.filter((one) => one.open && !one.accepted).length;
    const resources = progress.resources || {};
    const tiles = [
      tile("Lines", count(progress.total_lines), sized(progress.total_bytes)),
      tile("Lines a second", trim(progress.lines_per_second, 1), "over the last minute"),
      tile("Longest silence", brief(progress.longest_gap_seconds), progress.last_line_at ? "last line " + clock(progress.last_line_at).slice(11, 19) : "no line yet"),
      tile("Incidents", count(incidents.length + finite(progress.incidents_not_kept)), open ? (open === 1 ? "1 goes on" : `${count(open)} go on`) : "none goes on"),
    ];
    if (typeof resources.memory_mb === "number") tiles.push(tile("Memory", trim(resources.memory_mb, 1) + " MiB", typeof resources.processes === "number" ? count(resources.processes) + (resources.processes === 1 ? " process" : " processes") : ""));
    if (typeof resources.cpu_percent === "number") tiles.push(tile("CPU", trim(resources.cpu_percent, 1) + " %", "of one core"));
    if (typeof resources.disk_free_bytes === "number") tiles.push(tile("Disk free", sized(resources.disk_free_bytes), typeof resources.disk_full_in_seconds === "number" ? "full in " + brief(resources.disk_full_in_seconds) : ""));
    set("tiles", ...tiles);

    const when = (one) => one.last_at || one.occurred_at || "";
    const recent = [...incidents].sort((a, b) => (when(a) < when(b) ? 1 : when(a) > when(b) ? -1 : 0)).slice(0, INCIDENTS);
    set("incidents", ...(recent.length ? [element("div", { class: "wrap", tabindex: 0, role: "region", "aria-label": "Incidents" },
      element("table", { class: "stack", role: "table" },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...["Severity", "Last seen", "Times", "What"].map((head) => element("th", { scope: "col", role: "columnheader" }, head)))),
        element("tbody", { role: "rowgroup" }, ...recent.map((one) => element("tr", { role: "row" },
          element("td", { role: "cell" }, badge(one.severity), ...(one.accepted ? [element("div", { class: "note" }, "accepted by ", foreign(one.accepted, 80))] : []), ...(one.open ? [element("div", { class: "note" }, "goes on")] : [])),
          element("td", { role: "cell", class: "nowrap" }, clock(when(one))),
          element("td", { role: "cell", class: "nowrap" }, "× " + count(one.count || 1)),
          element("td", { role: "cell", class: "what" }, foreign(one.message)))))))]
      : [element("p", { class: "note" }, "None so far.")]));
    const rest = incidents.length - recent.length + finite(progress.incidents_not_kept);
    if (rest > 0) $("incidents").append(element("p", { class: "note" }, `and ${count(rest)} earlier ones.`));

    const outcome = $("outcome");
    outcome.replaceChildren();
    if (complete()) {
      const line = (name, status) => element("li", {}, name + ": ", badge(status));
      const list = element("ul", {});
      if (progress.summary) list.append(line("Summary", progress.summary.status));
      if (progress.sign_off) {
        list.append(line("Sign-off", progress.sign_off.status));
        for (const finding of (progress.sign_off.findings || []).slice(0, 50)) list.append(element("li", {}, badge(finding.severity), " ", foreign(finding.message)));
      } else list.append(element("li", {}, "No sign-off was made."));
      if (typeof progress.exit_code === "number") list.append(element("li", {}, progress.exit_code < 0 ? `Ended by signal ${-progress.exit_code}` : `Exit code ${progress.exit_code}`));
      outcome.append(element("h2", {}, "Outcome"), list);
    }
    const mark = JSON.stringify([progress.sequence, progress.now, progress.phase]);
    if (mark !== drawn) { drawn = mark; charts(); }
    tick();
  }

  async function ask() {
    let next = POLL;
    try {
      const answer = await fetch("progress.json", { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT) });
      if (!answer.ok) throw new Error(answer.status === 404 ? "nothing has been written yet" : "answer " + answer.status);
      const value = await answer.json();
      if (!value || typeof value !== "object" || typeof value.phase !== "string") throw new Error("the answer is no progress");
      progress = value;
      received = performance.now();
      age = Math.max(0, finite(Number(answer.headers.get("progress-age-ms"))) / 1000);
      failing = 0;
      show();
      if (complete()) next = POLL * 5;
    } catch (error) {
      if (!failing) failing = performance.now();
      why = error.name === "TimeoutError" ? "no answer in ten seconds" : error instanceof TypeError ? "no connection" : cut(error.message, 120);
      tick();
    }
    setTimeout(ask, document.hidden ? Math.max(next, 5000) : next);
  }

  setInterval(tick, 1000);
  ask();
})();
