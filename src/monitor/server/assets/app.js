// Loads the page again every two seconds while somebody can see it, and asks before a query is stopped.
"use strict";

const INTERVAL_MS = 2000;
const TIMEOUT_MS = 10000;

const main = document.querySelector("main");
const updated = document.getElementById("updated");
const pause = document.getElementById("pause");
let paused = false;
let loading = false;

// A token in the address bar would be seen by others, and the cookie does its work from now on.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

function say(text, failed) {
  updated.textContent = text;
  updated.classList.toggle("failed", failed);
}

// What a reader has opened, focused or scrolled stays as it is.
function replace(fresh) {
  const reachable = () => [...main.querySelectorAll("a, button, summary, [tabindex]")];
  const scrolled = () => [...main.querySelectorAll(".scroll, pre")];
  const open = [...main.querySelectorAll("details")].map((part) => part.open);
  const places = scrolled().map((part) => [part.scrollLeft, part.scrollTop]);
  const focused = reachable().indexOf(document.activeElement);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll("details").forEach((part, index) => {
    part.open = open[index] ?? part.open;
  });
  scrolled().forEach((part, index) => {
    [part.scrollLeft, part.scrollTop] = places[index] ?? [0, 0];
  });
  reachable()[focused]?.focus({ preventScroll: true });
}

// While somebody marks text or presses a button, the page must not change under the pointer.
function isUsed() {
  const selection = getSelection();
  const marks = !selection.isCollapsed && main.contains(selection.anchorNode);
  return paused || document.hidden || marks || main.querySelector(":active") !== null;
}

async function refresh() {
  if (loading || isUsed()) {
    return;
  }
  loading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) {
      throw new Error(`status ${answer.status}`);
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!isUsed()) {
      replace(page.querySelector("main"));
      document.title = page.title;
    }
    say(`updated ${new Date().toLocaleTimeString()}`, false);
  } catch (error) {
    say(`no answer, this is old: ${error.message}`, true);
  } finally {
    loading = false;
  }
}

if (main.hasAttribute("data-refresh")) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Continue" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    say(paused ? "paused" : "updates every 2 s", false);
    refresh();
  });
  say("updates every 2 s", false);
  setInterval(refresh, INTERVAL_MS);
  document.addEventListener("visibilitychange", refresh);
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
  }
});
