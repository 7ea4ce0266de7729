// Spans as a tree: rows in the order of a waterfall, each with its depth; plain arrays, so that 10,000 cost nothing.

/** Which rows there are, which are folded away, and what is below what. */
export class Tree {
  // The row behind the last one that is below a row.
  #end;
  #folded = new Set();

  /** @param depth the depth of each row: what is below a row follows it, and is deeper. */
  constructor(depth) {
    this.depth = depth;
    this.length = depth.length;
    this.#end = new Int32Array(this.length);
    const open = [];
    for (let row = 0; row < this.length; row++) {
      while (open.length && depth[open.at(-1)] >= depth[row]) this.#end[open.pop()] = row;
      open.push(row);
    }
    while (open.length) this.#end[open.pop()] = this.length;
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
