// Names and texts that anybody may have sent, as `characters.py` shows them: what is not seen is shown as its code, and what
// is copied is the text as it is.
const JOINING = "[\\u0600-\\u109f\\u1780-\\u18af\\u2190-\\u2bff\\ufe0f\\u{1f000}-\\u{1faff}]";
const VARYING = "[\\xa9\\xae\\u1820-\\u18aa\\u203c-\\u9fff\\uf900-\\ufaff\\u{1f000}-\\u{3ffff}]";
const JOINED = `(?<=${JOINING})[\\u200c\\u200d](?=${JOINING})|(?<=${VARYING})[\\u180b-\\u180d\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]|\\ufe0f(?=\\u20e3)`;
const UNSEEN = "[\\p{Cc}\\p{Co}\\p{Zl}\\p{Zp}\\p{DI}\\u2800\\ufff9-\\ufffb]|[^\\S \\u3000]";
const inName = new RegExp(`(${JOINED})|(${UNSEEN}|^ +| +$|(?<= ) +)`, "gu");
const inText = new RegExp(`(${JOINED}|[\\t\\n\\r])|(${UNSEEN})`, "gu");

/** Put a name or, with `lines`, a text into an element. */
export function show(element, text, { lines = false } = {}) {
  const parts = [];
  let seen = 0;
  for (const { 2: unseen, index } of text.matchAll(lines ? inText : inName)) {
    if (unseen === undefined) continue;
    parts.push(text.slice(seen, index), ...[...unseen].map(shown));
    seen = index + unseen.length;
  }
  element.replaceChildren(...parts, text.slice(seen));
}

/** A name where there can be no markup. */
export const visible = (text) => text.replace(inName, (_, joined, unseen) => joined ?? [...unseen].map((one) => `⟨${code(one)}⟩`).join(""));

function shown(char) {
  const element = Object.assign(document.createElement("span"), { className: "char", textContent: char });
  element.dataset.code = code(char);
  return element;
}

const code = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
