// The spans of a trace over time. Rows have one height and only those in sight exist, so that 10,000 scroll like 10.
import { ask } from "./asking.js";
import { Columns } from "./columns.js";
import { duration } from "./locale.js";
import { showSpan } from "./span.js";
import { make, ROW, SpanRow, svg } from "./spanrow.js";
import { Tree } from "./tree.js";

const SPARE = 8;

/** Load the spans that an element names, and put the waterfall into the place of the table that it holds. */
export async function openWaterfall(element) {
  const busy = element.querySelector("[data-loading]");
  if (busy) busy.hidden = false;
  try {
    new Waterfall(element, new Columns(await ask("GET", element.dataset.waterfall)));
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
  #stretch;
  #scheduled = false;

  constructor(element, columns) {
    this.#element = element;
    this.#columns = columns;
    this.#tree = new Tree(columns.depth);
    this.#stretch = columns.stretch();
    this.#build();
    this.#listen();
    this.#space();
    this.#scale();
    this.#draw();
    this.#begin();
  }

  /** Begin with the span that the panel shows, in the middle of what is to be seen. */
  #begin() {
    this.#go(this.#columns.at, false);
    this.view.scrollTop = this.#place * ROW - this.view.clientHeight / 2;
    this.#draw();
  }

  #build() {
    const bar = make("div", "waterfall-bar");
    this.search = make("input");
    Object.assign(this.search, { type: "search", placeholder: "Find spans", spellcheck: false });
    this.search.setAttribute("aria-label", "Find spans by name or service");
    this.search.dataset.focusKey = "";
    this.said = make("output");
    this.errors = make("button");
    this.errors.type = "button";
    const count = this.#columns.errors.size;
    this.errors.textContent = count ? `Next error (${count})` : "No errors";
    this.errors.disabled = !count;
    this.errors.title = "e";
    this.folding = make("button");
    this.folding.type = "button";
    this.folding.textContent = "Fold";
    bar.append(this.search, this.said, this.errors, this.folding);

    this.scale = svg("svg", { class: "waterfall-scale", "aria-hidden": "true" });

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
    while (this.#rows.length < count) this.#rows.push(new SpanRow(this.space));
    const used = this.#rows.length;
    for (let index = 0; index < used; index++) {
      // A place keeps its node while it is in sight: scrolling moves few of them.
      const place = first + ((((index - first) % used) + used) % used);
      if (place < first + count) this.#fill(this.#rows[index], place);
      else this.#rows[index].hide();
    }
  }

  #fill(node, place) {
    const row = this.#tree.visible[place];
    const how = { place, isChosen: place === this.#place, isFound: this.#found.has(row), stretch: this.#stretch };
    node.show(this.#columns, this.#tree, row, how);
  }

  #scale() {
    const width = this.view.clientWidth;
    const left = Math.max(180, width * (matchMedia("(max-width: 720px)").matches ? 0.52 : 0.4));
    const steps = Math.max(1, Math.floor((width - left) / 110));
    const ticks = Array.from({ length: steps + 1 }, (_, index) => {
      const anchor = index === 0 ? "start" : index === steps ? "end" : "middle";
      const text = svg("text", { x: left + ((width - left) * index) / steps, y: 15, "text-anchor": anchor });
      text.textContent = duration((this.#stretch[1] * index) / steps);
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
    else if (event.key === "Enter") showSpan(this.#element, this.#columns.known(row), { focus: true });
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
    if (show) showSpan(this.#element, this.#columns.known(this.#tree.visible[this.#place]));
  }

  #nextError() {
    return this.#next((row) => this.#columns.errors.has(row));
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
    const words = this.search.value.trim();
    this.#found = this.#columns.find(words);
    this.said.textContent = words ? `${this.#found.size} found` : "";
    const [row] = this.#found;
    if (row === undefined) this.#draw();
    else this.#go(row, false);
  }
}
