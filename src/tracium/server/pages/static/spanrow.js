// One row of the waterfall: nodes that are used again for another span as soon as theirs is out of sight.
import { show, visible } from "./characters.js";
import { duration } from "./locale.js";

export const ROW = 26;
const INDENT = 12;
const DEEPEST = 14;
const SVG = "http://www.w3.org/2000/svg";

export class SpanRow {
  #row = make("div", "span-row");
  #name = make("div", "span-name");
  #fold = make("span", "fold");
  #text = make("bdi", "text");
  #service = make("bdi", "service");
  #rect = svg("rect", { y: 8, height: 10, rx: 2 });
  #label = svg("text", { y: 17 });
  #key = "";

  constructor(space) {
    const track = make("div", "span-track");
    const drawing = svg("svg", {});
    this.#row.setAttribute("role", "row");
    this.#name.setAttribute("role", "gridcell");
    track.setAttribute("role", "gridcell");
    this.#fold.setAttribute("aria-hidden", "true");
    this.#name.append(this.#fold, this.#text, this.#service);
    drawing.append(this.#rect, this.#label);
    track.append(drawing);
    this.#row.append(this.#name, track);
    space.append(this.#row);
  }

  hide() {
    this.#key = "";
    this.#row.hidden = true;
  }

  /** Show a span; only what is other than before is written. */
  show(columns, tree, row, { place, isChosen, isFound, stretch }) {
    const isFolded = tree.isFolded(row);
    const key = `${place} ${row} ${isFolded} ${isChosen} ${isFound}`;
    if (this.#key === key) return;
    this.#key = key;
    const isOrphan = columns.orphans.has(row);
    const hasBelow = tree.hasBelow(row);
    const node = this.#row;
    node.hidden = false;
    node.id = `row-${place}`;
    node.style.transform = `translateY(${place * ROW}px)`;
    node.className = `span-row${columns.errors.has(row) ? " error" : ""}${isFound ? " found" : ""}`;
    node.title = isOrphan ? `${visible(columns.name[row])}\nits parent is not here` : visible(columns.name[row]);
    set(node, "aria-rowindex", place + 1);
    set(node, "aria-level", tree.depth[row] + 1);
    set(node, "aria-selected", isChosen);
    if (hasBelow) set(node, "aria-expanded", !isFolded);
    else node.removeAttribute("aria-expanded");
    this.#name.style.paddingLeft = `${8 + Math.min(tree.depth[row], DEEPEST) * INDENT}px`;
    this.#fold.textContent = hasBelow ? (isFolded ? "▸" : "▾") : "";
    show(this.#text, columns.name[row]);
    if (isOrphan) this.#text.append(" ⤴");
    show(this.#service, isFolded ? `+${tree.below(row)}` : columns.service[row]);
    this.#draw(columns, row, stretch);
  }

  #draw(columns, row, [first, whole]) {
    const length = columns.duration[row];
    const left = ((columns.start[row] - first) / whole) * 100;
    const width = (Math.max(length, 0) / whole) * 100;
    this.#rect.setAttribute("class", columns.look(row));
    this.#rect.setAttribute("x", `${left.toFixed(3)}%`);
    this.#rect.style.width = `max(2px, ${width.toFixed(3)}%)`;
    // The label stands behind the bar, or before it where there is no room, or in it.
    const end = left + width;
    const [x, offset, anchor] = end <= 82 ? [end, 6, "start"] : left > 12 ? [left, -5, "end"] : [end, -6, "end"];
    this.#label.setAttribute("class", end > 82 && left <= 12 ? "inside" : "");
    this.#label.setAttribute("x", `${x.toFixed(3)}%`);
    this.#label.setAttribute("dx", String(offset));
    this.#label.setAttribute("text-anchor", anchor);
    this.#label.textContent = duration(length);
  }
}

export function make(name, className = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  return element;
}

export function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function set(element, name, value) {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}
