// Keys for whoever does not want to reach for the mouse. None of them works while something is typed.
export function listenToKeys() {
  const help = document.querySelector("[data-help]");
  if (help) {
    help.hidden = false;
    help.addEventListener("click", showHelp);
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (act(event.key, event.target)) event.preventDefault();
  });
}

const showHelp = () => document.querySelector("#keys").showModal();
const isTyping = (target) => Boolean(target.closest?.("input, textarea, select, [contenteditable], dialog[open]"));

function act(key, target) {
  if (key === "/") return focusSearch();
  if (key === "?") return showHelp(), true;
  // The waterfall has keys of its own.
  if (target.closest?.("[role=treegrid]")) return false;
  if (key === "j" || (key === "ArrowDown" && isInTable(target))) return move(1);
  if (key === "k" || (key === "ArrowUp" && isInTable(target))) return move(-1);
  if (key === "e") return nextError();
  if (key === "Enter" && target.matches?.("tr.current")) return open(target);
  return false;
}

function focusSearch() {
  const field = document.querySelector("main [data-focus-key]") ?? document.querySelector("[data-focus-key]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

const rows = () => [...document.querySelectorAll("table[data-rows] > tbody > tr")];
const isInTable = (target) => target.matches?.("tr.current") || false;

function move(step) {
  const all = rows();
  const at = all.findIndex((row) => row.classList.contains("current"));
  return select(all, at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + step)));
}

function nextError() {
  const all = rows();
  const at = all.findIndex((row) => row.classList.contains("current"));
  const order = [...all.keys()].map((index) => (index + at + 1) % all.length);
  const found = order.find((index) => all[index]?.querySelector(".badge.bad"));
  return found === undefined ? false : select(all, found);
}

function select(all, index) {
  const row = all[index];
  if (!row) return false;
  for (const other of all) {
    other.classList.remove("current");
    other.removeAttribute("tabindex");
  }
  row.classList.add("current");
  row.tabIndex = -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function open(row) {
  const link = row.querySelector("a[href]");
  link?.click();
  return Boolean(link);
}
