// Spans as a tree, in the order in which a waterfall shows them; plain arrays, so that 10,000 cost nothing.

/** The tree of columns that the server sent: rows in order, and for each row its span, depth and what is below it. */
export class Tree {
  #end;
  #folded = new Set();

  /** @param columns arrays of one length: span_id, parent_id, start, duration, name, status … */
  constructor(columns) {
    this.columns = columns;
    const count = columns.span_id.length;
    const children = childrenOf(columns);
    this.order = new Int32Array(count);
    this.depth = new Int32Array(count);
    // The row behind the last one that is below a row.
    this.#end = new Int32Array(count);
    let row = 0;
    const open = [];
    const stack = children.roots.toReversed().map((span) => [span, 0]);
    while (stack.length) {
      const [span, depth] = stack.pop();
      while (open.length > depth) this.#end[open.pop()] = row;
      this.order[row] = span;
      this.depth[row] = depth;
      open.push(row++);
      for (const child of (children.of[span] ?? []).toReversed()) stack.push([child, depth + 1]);
    }
    while (open.length) this.#end[open.pop()] = row;
    this.length = row;
    this.orphans = children.orphans;
    this.refresh();
  }

  /** Work out again which rows are to be seen. */
  refresh() {
    const visible = new Int32Array(this.length);
    let count = 0;
    for (let row = 0; row < this.length; ) {
      visible[count++] = row;
      row = this.#folded.has(row) ? this.#end[row] : row + 1;
    }
    this.visible = visible.subarray(0, count);
  }

  hasBelow(row) {
    return this.#end[row] > row + 1;
  }

  below(row) {
    return this.#end[row] - row - 1;
  }

  isFolded(row) {
    return this.#folded.has(row);
  }

  fold(row, folded) {
    if (!this.hasBelow(row) || folded === this.isFolded(row)) return false;
    if (folded) this.#folded.add(row);
    else this.#folded.delete(row);
    this.refresh();
    return true;
  }

  /** Fold, or open, every row of at least a depth. */
  foldAll(folded, depth) {
    this.#folded.clear();
    for (let row = 0; folded && row < this.length; row++) {
      if (this.depth[row] >= depth && this.hasBelow(row)) this.#folded.add(row);
    }
    this.refresh();
  }

  /** The row that a row is below; -1 for a root. */
  parent(row) {
    let at = row - 1;
    while (at >= 0 && this.depth[at] >= this.depth[row]) at--;
    return at;
  }

  /** Open everything above a row, and answer its place among what is to be seen. */
  reveal(row) {
    let changed = false;
    for (let at = this.parent(row); at >= 0; at = this.parent(at)) changed = this.#folded.delete(at) || changed;
    if (changed) this.refresh();
    return this.placeOf(row);
  }

  /** Where a row stands among what is to be seen; -1 if it is folded away. */
  placeOf(row) {
    let [low, high] = [0, this.visible.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.visible[middle] === row) return middle;
      if (this.visible[middle] < row) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** Who is below whom, by start. A span whose parent is not here is a root; one that is its own ancestor, too. */
function childrenOf({ span_id: ids, parent_id: parents, start }) {
  const places = new Map();
  ids.forEach((id, span) => places.has(id) || places.set(id, span));
  const above = parents.map((id, span) => {
    const place = id ? places.get(id) : undefined;
    return place === span ? undefined : place;
  });
  breakCircles(above);
  const orphans = new Set();
  const roots = [];
  const of = [];
  const byStart = [...ids.keys()].sort((one, other) => start[one] - start[other]);
  for (const span of byStart) {
    if (above[span] !== undefined) (of[above[span]] ??= []).push(span);
    else {
      roots.push(span);
      if (parents[span]) orphans.add(span);
    }
  }
  return { roots, of, orphans };
}

function breakCircles(above) {
  const done = new Uint8Array(above.length);
  for (let span = 0; span < above.length; span++) {
    const path = [];
    let at = span;
    while (at !== undefined && !done[at]) {
      done[at] = 1;
      path.push(at);
      at = above[at];
    }
    if (at !== undefined && path.includes(at)) above[at] = undefined;
  }
}
