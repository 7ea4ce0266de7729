// Names for the fields that have a list: asked for when a field is used, so that no page waits for them.
import { visible } from "./characters.js";

export function suggest() {
  for (const input of document.querySelectorAll("input[data-suggest]")) {
    let waiting;
    let asked = null;
    const ask = async () => {
      if (asked === input.value) return;
      asked = input.value;
      input.list.replaceChildren(...(await names(input)).map((name) => new Option(visible(name), name)));
    };
    input.addEventListener("focus", ask);
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(ask, 150);
    });
  }
}

async function names(input) {
  const url = new URL(input.dataset.suggest, location.href);
  if (input.value) url.searchParams.set("search", input.value);
  try {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (!answer.ok) return [];
    const told = await answer.json();
    return (told.rows ?? told.facets ?? []).map((one) => one.value);
  } catch {
    return [];
  }
}
