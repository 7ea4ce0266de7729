// Signing out: the cookie ends here and on the server.
export function offerSignOut() {
  const button = document.querySelector("[data-sign-out]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await fetch("/api/v1/session", { method: "DELETE" });
    location.assign("/sign-in");
  });
}
