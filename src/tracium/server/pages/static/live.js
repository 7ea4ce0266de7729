// A live page asks for itself again, and takes over what is marked with data-live. Nobody looks: nothing is asked.
let renewed = new Date();

export function renew(every, enliven) {
  let failures = 0;
  const round = async () => {
    if (!document.hidden && !isBusy()) failures = (await take(enliven)) ? 0 : failures + 1;
    // A server that is away is asked less and less often, down to once a minute.
    setTimeout(round, Math.min(every * 2 ** failures, 60_000));
  };
  setTimeout(round, every);
}

/** Whether the reader is in the middle of something that a renewal would take away. */
function isBusy() {
  const selection = getSelection();
  return Boolean(document.querySelector("dialog[open], .popover:focus-within") || (selection && !selection.isCollapsed));
}

async function take(enliven) {
  const main = document.querySelector("main");
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    // What broke off in the middle is not to take the place of what is whole.
    if (fresh.querySelector("[data-failed]")) throw new Error("a part of the page is missing");
    for (const old of main.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (next) swap(old, document.importNode(next, true), enliven);
    }
    sayStale(main, false);
    renewed = new Date();
    return true;
  } catch {
    sayStale(main, true);
    return false;
  }
}

/** A page that looks live and is not would be believed. */
function sayStale(main, isStale) {
  const said = main.querySelector(".toast");
  if (!isStale) said?.remove();
  else if (!said) {
    const toast = Object.assign(document.createElement("p"), { className: "toast" });
    toast.setAttribute("role", "status");
    toast.textContent = `The server does not answer. This is what there was at ${renewed.toLocaleTimeString()}; it is asked again.`;
    main.append(toast);
  }
}

function swap(old, next, enliven) {
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  next.querySelectorAll("details").forEach((one, index) => (one.open = open[index] ?? one.open));
  const current = [...old.querySelectorAll("tbody tr")].findIndex((row) => row.classList.contains("current"));
  old.replaceWith(next);
  enliven(next);
  const row = next.querySelectorAll("tbody tr")[current];
  if (row) {
    row.classList.add("current");
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
  }
}
