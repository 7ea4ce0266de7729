// What there is to know of one span: the server's own page of it, put into the panel beside the waterfall.
import { enliven } from "./main.js";

let wanted = "";
let waiting;

/** Show a span; moving over many of them asks for the last one only. */
export function showSpan(waterfall, spanId, { focus = false } = {}) {
  const panel = document.querySelector("[data-panel]");
  if (!panel) return;
  if (wanted !== spanId) {
    wanted = spanId;
    clearTimeout(waiting);
    waiting = setTimeout(() => load(panel, `${waterfall.dataset.spans}/${encodeURIComponent(spanId)}`, spanId), 120);
    history.replaceState(null, "", withSpan(spanId));
  }
  if (focus) panel.focus();
}

async function load(panel, url, spanId) {
  panel.classList.add("busy");
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (wanted !== spanId) return;
    const part = fresh.querySelector("#span") ?? fresh.querySelector("main");
    panel.replaceChildren(...document.importNode(part, true).childNodes);
    enliven(panel);
  } catch {
    panel.textContent = "The server does not answer. Is it still running?";
  } finally {
    if (wanted === spanId) panel.classList.remove("busy");
  }
}

function withSpan(spanId) {
  const place = new URL(location.href);
  place.searchParams.set("span", spanId);
  return place;
}
