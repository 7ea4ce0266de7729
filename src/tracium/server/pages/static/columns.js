// The spans of a trace as the server tells them, in as few bytes as it can, and as the waterfall wants them.
const LOOKS = ["other", "request", "agent", "tool", "call"];
// So many characters of a name tell a span from others.
const NAME_LENGTH = 200;

/** What a waterfall is drawn from: one array for each column, a row being a place in all of them. */
export class Columns {
  constructor(told) {
    this.at = told.at;
    this.depth = told.depth;
    this.duration = told.duration;
    this.name = spelt(told.name);
    this.service = spelt(told.service);
    this.errors = new Set(told.errors);
    this.orphans = new Set(told.orphans);
    this.start = [];
    let ticks = 0;
    for (const step of told.start) this.start.push((ticks += step) * told.tick);
    this.#look = told.look;
    this.#id = told.id.split(" ");
  }

  #look;
  #id;

  get length() {
    return this.depth.length;
  }

  /** What kind of work a span is. */
  look(row) {
    return LOOKS[this.#look[row]];
  }

  /** What is known of a span that no other one of the trace shares: its name, and how its id begins. */
  known(row) {
    return { name: Array.from(this.name[row]).slice(0, NAME_LENGTH).join(""), id: this.#id[row] };
  }

  /** When the first span begins, and how long it is until the last one ends, in milliseconds. */
  stretch() {
    let first = Infinity;
    let last = -Infinity;
    for (let row = 0; row < this.length; row++) {
      first = Math.min(first, this.start[row]);
      last = Math.max(last, this.start[row] + Math.max(this.duration[row], 0));
    }
    return [first, Math.max(last - first, 1e-6)];
  }

  /** The rows whose name or service has a text in it. */
  find(text) {
    const wanted = text.trim().toLowerCase();
    const found = new Set();
    for (let row = 0; wanted && row < this.length; row++) {
      if (`${this.name[row]}\n${this.service[row]}`.toLowerCase().includes(wanted)) found.add(row);
    }
    return found;
  }
}

/** Texts that are told once each: 0 is the next one, else which. */
function spelt({ texts, used }) {
  let next = 0;
  return used.map((which) => texts[which ? which - 1 : next++]);
}
