// Light or dark. The choice is in a cookie, so that the server's first byte has the right colours.
export function offerThemes() {
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `tracium_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=strict`;
    announce();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
}

const announce = () => document.dispatchEvent(new Event("tracium:theme"));
