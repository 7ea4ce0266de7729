// Signing out: the cookie ends here and on the server.
import { ask } from "./asking.js";

export function offerSignOut() {
  const button = document.querySelector("[data-sign-out]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await ask("DELETE", "/api/v1/session");
      location.assign("/sign-in");
    } catch (error) {
      // Nobody is to believe that the door is closed.
      button.textContent = "Still signed in";
      button.title = error.message;
    }
  });
}
