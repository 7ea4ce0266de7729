// The spans of a trace over time. Rows have one height and only those in sight exist, so that 10,000 scroll like 10.
import { duration } from "./locale.js";
import { showSpan } from "./span.js";
import { Tree } from "./tree.js";

const ROW = 26;
const SPARE = 8;
const INDENT = 12;
const DEEPEST = 14;
const SVG = "http://www.w3.org/2000/svg";

/** Load the spans that an element names, and put the waterfall into the place of the table that it holds. */
export async function openWaterfall(element) {
  const busy = element.querySelector("[data-loading]");
  if (busy) busy.hidden = false;
  try {
    const answer = await fetch(element.dataset.waterfall, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error((await answer.json()).error);
    const columns = await answer.json();
    new Waterfall(element, columns);
  } catch (error) {
    // The table stays; it says the same.
    if (busy) busy.textContent = `The waterfall could not be loaded: ${error.message}`;
  }
}

class Waterfall {
  #element;
  #tree;
  #columns;
  #rows = [];
  #place = 0;
  #found = new Set();
  #orphans;
  #scheduled = false;
  #first = 0;
  #length = 1;

  constructor(element, columns) {
    this.#element = element;
    this.#columns = columns;
    this.#tree = new Tree(columns.depth);
    this.#orphans = new Set(columns.orphans);
    this.#measure();
    this.#build();
    this.#listen();
    this.#space();
    this.#scale();
    this.#draw();
    this.#begin(element.dataset.span ?? "");
  }

  /** Begin with the span that the panel shows, in the middle of what is to be seen. */
  #begin(spanId) {
    this.#go(Math.max(0, this.#columns.span_id.indexOf(spanId)), false);
    this.view.scrollTop = this.#place * ROW - this.view.clientHeight / 2;
    this.#draw();
  }

  /** The stretch of time of the trace. */
  #measure() {
    const { start, duration: length } = this.#columns;
    let first = Infinity;
    let last = -Infinity;
    for (let span = 0; span < start.length; span++) {
      first = Math.min(first, start[span]);
      last = Math.max(last, start[span] + Math.max(length[span], 0));
    }
    this.#first = first;
    this.#length = Math.max(last - first, 1e-6);
  }

  #build() {
    const bar = make("div", "waterfall-bar");
    this.search = make("input");
    Object.assign(this.search, { type: "search", placeholder: "Find spans", spellcheck: false });
    this.search.setAttribute("aria-label", "Find spans by name, service or id");
    this.search.dataset.focusKey = "";
    this.said = make("output");
    this.errors = make("button");
    this.errors.type = "button";
    const count = this.#columns.is_error.filter(Boolean).length;
    this.errors.textContent = count ? `Next error (${count})` : "No errors";
    this.errors.disabled = !count;
    this.errors.title = "e";
    this.folding = make("button");
    this.folding.type = "button";
    this.folding.textContent = "Fold";
    bar.append(this.search, this.said, this.errors, this.folding);

    this.scale = document.createElementNS(SVG, "svg");
    this.scale.setAttribute("class", "waterfall-scale");
    this.scale.setAttribute("aria-hidden", "true");

    this.view = make("div", "waterfall-view");
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "treegrid");
    this.view.setAttribute("aria-label", "Spans");
    this.view.setAttribute("aria-colcount", "2");
    this.space = make("div", "waterfall-space");
    this.space.setAttribute("role", "rowgroup");
    this.view.append(this.space);
    this.#element.classList.add("waterfall");
    this.#element.replaceChildren(bar, this.scale, this.view);
  }

  #listen() {
    this.view.addEventListener("scroll", () => this.#later(), { passive: true });
    this.view.addEventListener("keydown", (event) => this.#key(event));
    this.view.addEventListener("click", (event) => this.#click(event));
    this.search.addEventListener("input", () => this.#find());
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#next((row) => this.#found.has(row));
      if (event.key === "Escape") this.view.focus();
    });
    this.errors.addEventListener("click", () => this.#nextError());
    this.folding.addEventListener("click", () => this.#foldAll());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, textarea, select, dialog[open]");
      if (event.defaultPrevented || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "e" && this.#nextError()) event.preventDefault();
      if ((event.key === "j" || event.key === "k") && event.target === document.body) this.view.focus();
    }, true);
    new ResizeObserver(() => {
      this.#scale();
      this.#later();
    }).observe(this.view);
  }

  #later() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #space() {
    const height = this.#tree.visible.length * ROW;
    this.space.style.height = `${height}px`;
    this.view.style.height = `min(64vh, 720px, ${height + ROW}px)`;
    this.view.setAttribute("aria-rowcount", String(this.#tree.visible.length));
  }

  /** Fill the rows in sight; nodes are used again, and only what is other is written. */
  #draw() {
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW) - SPARE);
    const count = Math.min(Math.ceil(this.view.clientHeight / ROW) + 2 * SPARE, this.#tree.visible.length - first);
    while (this.#rows.length < count) this.#rows.push(this.#newRow());
    const used = this.#rows.length;
    for (let index = 0; index < used; index++) {
      // A place keeps its node while it is in sight: scrolling moves few of them.
      const place = first + ((((index - first) % used) + used) % used);
      this.#fill(this.#rows[index], place < first + count ? place : -1);
    }
  }

  #newRow() {
    const row = make("div", "span-row");
    row.setAttribute("role", "row");
    const name = make("div", "span-name");
    name.setAttribute("role", "gridcell");
    const fold = make("span", "fold");
    fold.setAttribute("aria-hidden", "true");
    const text = make("span", "text");
    const service = make("span", "service");
    name.append(fold, text, service);
    const track = make("div", "span-track");
    track.setAttribute("role", "gridcell");
    const svg = document.createElementNS(SVG, "svg");
    const rect = document.createElementNS(SVG, "rect");
    const label = document.createElementNS(SVG, "text");
    rect.setAttribute("y", "8");
    rect.setAttribute("height", "10");
    rect.setAttribute("rx", "2");
    label.setAttribute("y", "17");
    svg.append(rect, label);
    track.append(svg);
    row.append(name, track);
    this.space.append(row);
    return { row, name, fold, text, service, rect, label, place: -2, key: "" };
  }

  #fill(node, place) {
    const row = place < 0 ? -1 : this.#tree.visible[place];
    const folded = row >= 0 && this.#tree.isFolded(row);
    const key = `${place} ${row} ${folded} ${place === this.#place} ${this.#found.has(row)}`;
    if (node.key === key) return;
    node.key = key;
    node.row.hidden = row < 0;
    if (row < 0) return;
    const columns = this.#columns;
    const isError = columns.is_error[row];
    node.place = place;
    node.row.id = `row-${place}`;
    node.row.style.transform = `translateY(${place * ROW}px)`;
    node.row.className = `span-row${isError ? " error" : ""}${this.#found.has(row) ? " found" : ""}`;
    set(node.row, "aria-rowindex", place + 1);
    set(node.row, "aria-level", this.#tree.depth[row] + 1);
    set(node.row, "aria-selected", place === this.#place);
    if (this.#tree.hasBelow(row)) set(node.row, "aria-expanded", !folded);
    else node.row.removeAttribute("aria-expanded");
    node.name.style.paddingLeft = `${8 + Math.min(this.#tree.depth[row], DEEPEST) * INDENT}px`;
    node.fold.textContent = this.#tree.hasBelow(row) ? (folded ? "▸" : "▾") : "";
    node.text.textContent = columns.name[row] + (this.#orphans.has(row) ? " ⤴" : "");
    node.row.title = this.#orphans.has(row) ? `${columns.name[row]}\nits parent is not here` : columns.name[row];
    node.service.textContent = folded ? `+${this.#tree.below(row)}` : columns.service[row];
    this.#bar(node, row);
  }

  #bar({ rect, label }, span) {
    const { start, duration: length } = this.#columns;
    const left = ((start[span] - this.#first) / this.#length) * 100;
    const width = (Math.max(length[span], 0) / this.#length) * 100;
    rect.setAttribute("class", kindOf(this.#columns, span));
    rect.setAttribute("x", `${left.toFixed(3)}%`);
    rect.style.width = `max(2px, ${width.toFixed(3)}%)`;
    // The label stands behind the bar, or before it where there is no room, or in it.
    const end = left + width;
    const [x, offset, anchor] = end <= 82 ? [end, 6, "start"] : left > 12 ? [left, -5, "end"] : [end, -6, "end"];
    label.setAttribute("class", end > 82 && left <= 12 ? "inside" : "");
    label.setAttribute("x", `${x.toFixed(3)}%`);
    label.setAttribute("dx", String(offset));
    label.setAttribute("text-anchor", anchor);
    label.textContent = length[span] < 0 ? "unfinished" : duration(length[span]);
  }

  #scale() {
    const width = this.view.clientWidth;
    const left = Math.max(180, width * (matchMedia("(max-width: 720px)").matches ? 0.52 : 0.4));
    const steps = Math.max(1, Math.floor((width - left) / 110));
    const ticks = Array.from({ length: steps + 1 }, (_, index) => {
      const text = document.createElementNS(SVG, "text");
      text.setAttribute("x", String(left + ((width - left) * index) / steps));
      text.setAttribute("y", "15");
      text.setAttribute("text-anchor", index === 0 ? "start" : index === steps ? "end" : "middle");
      text.textContent = duration((this.#length * index) / steps);
      return text;
    });
    this.scale.replaceChildren(...ticks);
  }

  #click(event) {
    const target = event.target.closest(".span-row");
    if (!target) return;
    const place = Number(target.getAttribute("aria-rowindex")) - 1;
    this.#select(place);
    if (event.target.closest(".fold")) this.#fold(!this.#tree.isFolded(this.#tree.visible[place]));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.floor(this.view.clientHeight / ROW) - 1;
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const row = this.#tree.visible[this.#place];
    if (event.key in steps) this.#select(this.#place + steps[event.key]);
    else if (event.key === "ArrowRight") this.#fold(false) || this.#select(this.#place + (this.#tree.hasBelow(row) ? 1 : 0));
    else if (event.key === "ArrowLeft") this.#fold(true) || this.#go(Math.max(0, this.#tree.parent(row)));
    else if (event.key === "Enter") showSpan(this.#element, this.#columns.span_id[row], { focus: true });
    else return;
    event.preventDefault();
  }

  #fold(folded) {
    const row = this.#tree.visible[this.#place];
    if (!this.#tree.fold(row, folded)) return false;
    this.#space();
    this.#later();
    return true;
  }

  /** Fold all that is below the first level, or open it again. */
  #foldAll() {
    const folded = this.folding.textContent === "Fold";
    const row = this.#tree.visible[this.#place];
    this.#tree.foldAll(folded, 1);
    this.folding.textContent = folded ? "Unfold" : "Fold";
    this.#space();
    let at = row;
    while (this.#tree.placeOf(at) < 0) at = this.#tree.parent(at);
    this.#go(at);
  }

  /** Go to a row, wherever it is. */
  #go(row, show = true) {
    const place = this.#tree.reveal(row);
    this.#space();
    this.#select(place, show);
  }

  #select(place, show = true) {
    this.#place = Math.max(0, Math.min(this.#tree.visible.length - 1, place));
    const top = this.#place * ROW;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (top + ROW > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = top + ROW - this.view.clientHeight;
    this.#draw();
    this.view.setAttribute("aria-activedescendant", `row-${this.#place}`);
    if (show) showSpan(this.#element, this.#columns.span_id[this.#tree.visible[this.#place]]);
  }

  #nextError() {
    return this.#next((row) => this.#columns.is_error[row]);
  }

  /** Go to the next row, folded or not, for which something holds. */
  #next(holds) {
    const from = this.#tree.visible[this.#place];
    for (let step = 1; step <= this.#tree.length; step++) {
      const row = (from + step) % this.#tree.length;
      if (holds(row)) {
        this.#go(row);
        this.view.focus({ preventScroll: true });
        return true;
      }
    }
    return false;
  }

  #find() {
    const words = this.search.value.trim().toLowerCase();
    const { name, service, span_id: ids } = this.#columns;
    this.#found.clear();
    for (let row = 0; words && row < this.#tree.length; row++) {
        if (`${name[row]}\n${service[row]}\n${ids[row]}`.toLowerCase().includes(words)) this.#found.add(row);
    }
    this.said.textContent = words ? `${this.#found.size} found` : "";
    const [row] = this.#found;
    if (row === undefined) this.#draw();
    else this.#go(row, false);
  }
}

function kindOf({ kind, operation }, span) {
  const done = operation?.[span] ?? "";
  if (done === "execute_tool") return "tool";
  if (done.includes("agent")) return "agent";
  if (done) return "call";
  return kind[span] === "Server" || kind[span] === "Consumer" ? "request" : "other";
}

function make(name, className = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  return element;
}

function set(element, name, value) {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}
