// Forms that change something: their fields go to the API as JSON, and its answer is said beside them.
import { ask } from "./asking.js";

export function actThroughApi() {
  for (const form of document.querySelectorAll("form[data-api]")) {
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(form);
    });
  }
}

async function act(form) {
  const said = form.querySelector("output");
  const button = form.querySelector("button");
  if (form.dataset.sure && !confirm(form.dataset.sure.replace("{}", form.querySelector("[data-named]")?.value ?? ""))) return;
  button.disabled = true;
  try {
    const answer = await ask(form.dataset.method, form.dataset.api, form.dataset.method === "DELETE" ? undefined : told(form));
    said.className = "";
    if (answer.secret) showSecret(said, answer.secret);
    else if (form.dataset.follow) await follow(form, said, answer);
    else location.reload();
  } catch (error) {
    said.className = "bad";
    said.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

/** The fields as JSON: numbers are numbers, what may be there more than once is a list, what is empty is null. */
function told(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") {
      values[field.name] ??= [];
      if (field.checked) values[field.name].push(field.value);
    } else if (field.hasAttribute("data-list")) values[field.name] = field.value.split(/\s*,\s*/).filter(Boolean);
    else if (field.type === "number") values[field.name] = field.value === "" ? null : Number(field.value);
    else if (field.type === "datetime-local") values[field.name] = field.value ? new Date(field.value).toISOString() : null;
    else values[field.name] = field.value || null;
  }
  return values;
}

/** A secret is shown once: it is kept nowhere. */
function showSecret(said, secret) {
  const text = Object.assign(document.createElement("code"), { textContent: secret });
  said.replaceChildren("Copy it now, it is shown only this once: ", text);
}

/** What takes a while says how far it is. */
async function follow(form, said, begun) {
  let state = begun;
  while (state.state === "running" || (!state.receipt && !state.error)) {
    said.textContent = state.total ? `${state.done} of ${state.total} steps` : "Begun …";
    await new Promise((resolve) => setTimeout(resolve, 500));
    state = await ask("GET", `${form.dataset.follow}/${encodeURIComponent(state.id)}`);
  }
  if (state.error) throw new Error(state.error);
  said.textContent = `Done. Receipt: ${JSON.stringify(state.receipt)}`;
}
