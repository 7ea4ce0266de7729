// Messages as a conversation. Whatever stands in them is text: no markup of theirs is ever markup here.
import { show } from "./characters.js";
import { offerCopies } from "./copy.js";

const ROLES = new Map(Object.entries({ user: "user", assistant: "assistant", model: "assistant", system: "system", developer: "system", tool: "tool" }));

/** Show the JSON that stands in each `[data-messages]` as messages; what is none stays as it is. */
export function showMessages(root) {
  for (const element of root.querySelectorAll("[data-messages]")) {
    const messages = drawnOf(element.textContent);
    if (messages) element.replaceChildren(...messages);
    element.removeAttribute("data-messages");
  }
  offerCopies(root);
}

/** Elements for what a text holds; null if it holds no messages, or some of a form that nobody thought of. */
function drawnOf(text) {
  try {
    return read(text)?.map(drawn) ?? null;
  } catch {
    return null;
  }
}

/** Messages out of any of the forms that are about: parts, OpenAI's, Anthropic's, plain text. Null if it is none. */
export function read(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const list = Array.isArray(value) ? value : Array.isArray(value?.messages) ? value.messages : [value];
  if (!list.every((one) => one && typeof one === "object")) return null;
  // Instructions to the model are parts without a message around them.
  if (list.every((one) => "type" in one && !("role" in one))) return [{ role: "system", parts: list.flatMap(partsOf) }];
  return list.map(({ message, ...one }) => messageOf(message ?? one));
}

function messageOf(one) {
  const parts = [...[one.parts ?? one.content ?? []].flat().flatMap(partsOf)];
  for (const call of one.tool_calls ?? []) parts.push(callOf(call.function ?? call, call.id));
  if (!parts.length) parts.push({ kind: "json", text: pretty(one) });
  return { role: String(one.role ?? "message"), finish: one.finish_reason, parts };
}

function partsOf(part) {
  if (typeof part === "string") return [{ kind: "text", text: part }];
  switch (part?.type) {
    case "text":
      return [{ kind: "text", text: asText(part.content ?? part.text) }];
    case "reasoning":
    case "thinking":
      return [{ kind: "reasoning", text: asText(part.content ?? part.thinking) }];
    case "tool_call":
    case "tool_use":
      return [callOf({ name: part.name, arguments: part.arguments ?? part.input }, part.id)];
    case "tool_call_response":
    case "tool_result":
      return [{ kind: "result", title: `result ${part.id ?? part.tool_use_id ?? ""}`, text: asText(part.response ?? part.result ?? part.content) }];
    default:
      return [{ kind: "json", title: part?.type, text: pretty(part) }];
  }
}

const callOf = (call, id) => ({ kind: "call", title: `${call.name ?? "tool"} ${id ?? ""}`, text: asText(call.arguments) });
const pretty = (value) => JSON.stringify(value, null, 2);

function asText(value) {
  if (typeof value !== "string") return value === undefined ? "" : pretty(value);
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return pretty(JSON.parse(value));
  } catch {
    return value;
  }
}

function drawn({ role, finish, parts }) {
  const article = make("article", `message ${ROLES.get(role) ?? "other"}`);
  article.append(make("p", "role", finish && finish !== "stop" ? `${role} · ${finish}` : role));
  for (const part of parts) article.append(partOf(part));
  return article;
}

function partOf({ kind, title, text }) {
  if (kind === "text") return make("div", "said", text);
  const details = make("details", "more");
  details.open = kind === "call";
  details.append(make("summary", "", { call: "calls ", result: "", reasoning: "reasoning", json: "" }[kind] + (title ?? (kind === "json" ? "data" : ""))));
  details.append(make("pre", "", text));
  return details;
}

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) show(element, text, { lines: true });
  return element;
}
