// Buttons that copy. They are hidden until they work.
import { read } from "./asking.js";

export function offerCopies(root) {
  for (const button of root.querySelectorAll("button[data-copy-url]")) {
    button.hidden = false;
    button.addEventListener("click", () => copyFrom(button.dataset.copyUrl, button));
  }
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(document.querySelector(button.dataset.copy).textContent, button));
  }
}

async function copyFrom(url, button) {
  try {
    await copy(await read(url), button);
  } catch (error) {
    button.textContent = "Not copied";
    button.title = error.message;
  }
}

/** Put text into the clipboard, and say so. */
export async function copy(text, button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without TLS a browser has no clipboard for pages of other machines: what is selected can be copied by hand.
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "sr" });
    button.after(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl-C";
    area.remove();
  }
  setTimeout(() => (button.textContent = said), 1500);
}
