// Draws totals and tables. What modules sent is untrusted: it becomes text nodes, never markup.

const numbers = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const stateWords = { opened: "waiting", running: "running", finished: "finished", failed: "failed" };

function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(content);
  return made;
}

function time(iso) {
  if (!iso) return "–";
  const moment = new Date(iso);
  const today = moment.toDateString() === new Date().toDateString();
  const utc = moment.toISOString().replace("T", " ").replace("Z", " UTC");
  return element("time", (today ? clock : calendar).format(moment), { datetime: moment.toISOString(), title: utc });
}

function bytes(count) {
  if (count < 1000) return `${numbers.format(count)} bytes`;
  const step = Math.min(Math.floor(Math.log10(count) / 3), 4);
  return `${(count / 1000 ** step).toFixed(1)} ${["", "kB", "MB", "GB", "TB"][step]}`;
}

function pretty(text, cut) {
  if (cut) return `${text}…\n\n(only the beginning is shown)`;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function expandable(text, cut) {
  const details = element("details");
  const oneLine = text.slice(0, 400).replace(/\s+/g, " ");
  details.append(element("summary", oneLine || "(empty)"));
  // The long form is made when it is asked for: most rows are never opened.
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      details.append(element("pre", pretty(text, cut), { tabindex: "0", "aria-label": "Whole event" }));
    }
  });
  return details;
}

function badge(word, kind = word) {
  return element("span", word, { class: "badge", "data-kind": kind });
}

function state(component) {
  const shown = document.createDocumentFragment();
  shown.append(badge(stateWords[component.state], component.state));
  if (component.error) {
    const lastLine = component.error.trim().split("\n").pop();
    shown.append(element("span", ` ${lastLine}`, { class: "error", title: component.error }));
  }
  return shown;
}

const tables = {
  components: {
    key: (one) => `${one.id} ${one.state}`,
    cells: (one) => [one.component, state(one), time(one.opened_at), time(one.finished_at)],
  },
  events: {
    key: (one) => one.id,
    cells: (one) => [time(one.received_at), one.intake, expandable(one.text, one.cut)],
  },
  playbook_runs: {
    key: (one) => one.request_id,
    cells: (one) => [time(one.received_at), one.name, expandable(one.text, one.cut)],
  },
  logs: {
    key: (one) => JSON.stringify(one),
    cells: (one) => [time(one.date), one.component, badge(one.level), element("span", one.message, { class: "message" })],
  },
};

function row(key, cells) {
  const made = element("tr", "", { "data-key": key });
  for (const cell of cells) made.append(element("td", cell));
  return made;
}

function placeholder(body) {
  const made = element("tr", "", { "data-key": "" });
  made.append(element("td", body.dataset.empty, { colspan: body.dataset.columns, class: "none" }));
  return made;
}

function fill(body, table, items) {
  // Rows that stay are kept as they are, so that an opened event, the focus and a selection survive the polls.
  const known = new Map([...body.rows].map((one) => [one.dataset.key, one]));
  const seen = new Map();
  const wanted = items.map((item) => {
    const plain = table.key(item);
    const repeat = seen.get(plain) ?? 0;
    seen.set(plain, repeat + 1);
    const key = `${plain}#${repeat}`;
    return known.get(key) ?? row(key, table.cells(item));
  });
  const keep = new Set(wanted);
  // A row that is being read stays, below the newer ones, until it is closed.
  for (const one of body.rows) if (!keep.has(one) && one.querySelector("details[open]")) wanted.push(one);
  if (!wanted.length) wanted.push(known.get("") ?? placeholder(body));
  for (const one of [...body.rows]) if (!wanted.includes(one)) one.remove();
  wanted.forEach((one, position) => {
    if (body.rows[position] !== one) body.insertBefore(one, body.rows[position] ?? null);
  });
}

function write(id, text) {
  const target = document.getElementById(id);
  if (target.textContent !== text) target.textContent = text;
}

document.addEventListener("overview", ({ detail: overview }) => {
  const { totals } = overview;
  write("total-events", numbers.format(totals.events));
  write("total-event-bytes", bytes(totals.event_bytes));
  write("total-playbook-runs", numbers.format(totals.playbook_runs));
  const running = overview.components.filter((one) => one.state === "running").length;
  write("total-components", numbers.format(totals.components));
  write("total-running", `${running} running`);
  write("total-log-lines", numbers.format(totals.log_lines));
  for (const [name, table] of Object.entries(tables)) {
    fill(document.getElementById(name.replace("_", "-")), table, overview[name]);
  }
  const waiting = overview.components.every((one) => one.state === "opened");
  document.getElementById("empty").hidden = !waiting || totals.events + totals.playbook_runs + totals.log_lines > 0;
});
