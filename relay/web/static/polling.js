// Asks the relay for its picture once a second and tells the rest of the page, by events on the document:
// "overview" with the picture as detail. How it is drawn lives in lists.js and chart.js.

const EVERY = 1000;
const PATIENCE = 5000;
const connection = document.getElementById("connection");

function say(state, text) {
  // Only changes are written: a status region speaks each time it is touched.
  if (connection.dataset.state === state) return;
  connection.dataset.state = state;
  connection.textContent = text;
}

async function poll() {
  try {
    const answer = await fetch("/overview", { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
    if (!answer.ok) throw new Error(`the relay answered ${answer.status}`);
    const overview = await answer.json();
    say("live", "live");
    document.dispatchEvent(new CustomEvent("overview", { detail: overview }));
  } catch (error) {
    say("unreachable", "relay not reachable, retrying");
    console.warn("The relay could not be asked:", error.message);
  }
  setTimeout(poll, EVERY);
}

poll();
