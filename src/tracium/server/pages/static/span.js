// What there is to know of one span: the server's own page of it, put into the panel beside the waterfall.
import { enliven } from "./main.js";

let wanted = "";
let waiting;

/** Show the span that a page's address and what is known of the span lead to; of many in a row, the last one only. */
export function showSpan(waterfall, known, { focus = false } = {}) {
  const panel = document.querySelector("[data-panel]");
  if (!panel) return;
  const place = new URL(waterfall.dataset.spanPage, location.href);
  for (const [name, value] of Object.entries(known)) place.searchParams.set(name, value);
  const address = place.href;
  if (wanted !== address) {
    wanted = address;
    clearTimeout(waiting);
    waiting = setTimeout(() => load(panel, address), 120);
  }
  if (focus) panel.focus();
}

async function load(panel, address) {
  panel.classList.add("busy");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (wanted !== address) return;
    const part = fresh.querySelector("[data-span-id]");
    panel.replaceChildren(...document.importNode(part ?? fresh.querySelector("main"), true).childNodes);
    enliven(panel);
    if (part) history.replaceState(null, "", withSpan(part.dataset.spanId));
  } catch {
    if (wanted !== address) return;
    panel.textContent = "The server does not answer. Is it still running? Choose the span again once it does.";
    // The same span can be asked for again.
    wanted = "";
  } finally {
    if (wanted === address || !wanted) panel.classList.remove("busy");
  }
}

function withSpan(spanId) {
  const place = new URL(location.href);
  place.searchParams.set("span", spanId);
  return place;
}
