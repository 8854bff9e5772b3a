// Draws the event rate with Plotly, which the page loads from the relay itself.

const chart = document.getElementById("chart");
const summary = document.getElementById("rate-summary");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let latest = null;
let drawn = "";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function localTime(moment) {
  // Plotly knows no time zones: it is given the viewer's wall clock.
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function trace({ start, bucket_seconds: seconds, counts }) {
  const begins = counts.map((_, position) => new Date(Date.parse(start) + position * seconds * 1000));
  const filling = counts.length - 1;
  return {
    type: "bar",
    x: begins.map((begin) => localTime(new Date(begin.getTime() + seconds * 500))),
    y: counts.map((count) => count / seconds),
    width: seconds * 1000 * 0.82,
    marker: { color: counts.map((_, position) => colour(position === filling ? "--accent-soft" : "--accent")) },
    customdata: begins.map((begin, position) => [
      `${clock.format(begin)} to ${clock.format(new Date(begin.getTime() + seconds * 1000))}`,
      `${counts[position].toLocaleString()} event${counts[position] === 1 ? "" : "s"}`,
      position === filling ? " so far" : "",
    ]),
    hovertemplate: "%{customdata[0]}<br>%{customdata[1]}%{customdata[2]}<br>%{y:.1f} per second<extra></extra>",
  };
}

function axis(title, rest) {
  return {
    title: { text: title, standoff: 12, font: { size: 12, color: colour("--quiet") } },
    tickfont: { size: 12, color: colour("--quiet") },
    gridcolor: colour("--line"),
    linecolor: colour("--line"),
    zeroline: false,
    fixedrange: true,
    automargin: true,
    ...rest,
  };
}

function layout({ start, bucket_seconds: seconds, counts }) {
  const end = new Date(Date.parse(start) + counts.length * seconds * 1000);
  const busiest = Math.max(...counts) / seconds;
  const { fontFamily: family } = getComputedStyle(document.body);
  return {
    height: 260,
    margin: { l: 12, r: 8, t: 8, b: 8 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family, color: colour("--text") },
    xaxis: axis(`Time received (${zone})`, {
      type: "date", range: [localTime(new Date(start)), localTime(end)], tickformat: "%H:%M",
      tickangle: 0, nticks: chart.clientWidth < 500 ? 6 : 11, showgrid: false,
    }),
    yaxis: axis("Events per second", { range: [0, Math.max(1, busiest * 1.1)], nticks: 5 }),
    hoverlabel: {
      bgcolor: colour("--panel"), bordercolor: colour("--quiet"), align: "left", font: { family, color: colour("--text") },
    },
    dragmode: false,
    bargap: 0,
  };
}

function describe({ bucket_seconds: seconds, counts }) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const busiest = Math.max(...counts) / seconds;
  return `${all.toLocaleString()} events in the last 10 minutes, at most ${busiest.toFixed(1)} per second.`;
}

function draw() {
  if (!latest || document.hidden) return;
  if (!window.Plotly) {
    chart.textContent = "The chart library did not load; reload the page to see the chart.";
    return;
  }
  const now = JSON.stringify(latest) + dark.matches;
  if (now === drawn) return;
  drawn = now;
  window.Plotly.react(chart, [trace(latest)], layout(latest), { displayModeBar: false, responsive: true });
  summary.textContent = describe(latest);
}

document.addEventListener("overview", ({ detail: overview }) => {
  latest = overview.rate;
  draw();
});
document.addEventListener("visibilitychange", draw);
dark.addEventListener("change", draw);
