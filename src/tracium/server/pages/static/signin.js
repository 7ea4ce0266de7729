// A token becomes a cookie that no script can read.
import { ask } from "./asking.js";

const form = document.querySelector("#sign-in");
const button = form.querySelector("button");
const refusal = form.querySelector("[role=alert]");
button.disabled = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  const reason = await signIn(form.token.value.trim());
  if (reason === null) {
    location.assign(form.dataset.next);
    return;
  }
  refusal.textContent = reason;
  refusal.hidden = false;
  button.disabled = false;
  form.token.select();
});

/** Null once it is done; else why not. */
async function signIn(token) {
  try {
    await ask("POST", "/api/v1/session", { token });
    return null;
  } catch (error) {
    return error.message;
  }
}
