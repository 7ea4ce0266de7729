// What every page runs. A page is complete without it: this writes numbers as the reader has them, draws the tables that
// are charts, and takes keys.
import { localise } from "./locale.js";
import { offerCopies } from "./copy.js";
import { listenToKeys } from "./keyboard.js";
import { offerThemes } from "./theme.js";
import { suggest } from "./suggest.js";

/** Make what is below `root` alive; also called for what a renewal brought. */
export function enliven(root) {
  localise(root);
  offerCopies(root);
  if (root.querySelector("[data-chart]")) import("./charts.js").then(({ drawCharts }) => drawCharts(root));
  if (root.querySelector("[data-messages]")) import("./conversation.js").then(({ showMessages }) => showMessages(root));
}

enliven(document);
offerThemes();
listenToKeys();
suggest();
for (const form of document.querySelectorAll("[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
// What few pages need, few pages load.
if (document.querySelector("[data-sign-out]")) import("./session.js").then(({ offerSignOut }) => offerSignOut());
if (document.querySelector("[data-api]")) import("./acting.js").then(({ actThroughApi }) => actThroughApi());
const waterfall = document.querySelector("[data-waterfall]");
if (waterfall) import("./waterfall.js").then(({ openWaterfall }) => openWaterfall(waterfall));
const main = document.querySelector("main");
if (main?.dataset.liveSeconds) import("./live.js").then(({ renew }) => renew(Number(main.dataset.liveSeconds) * 1000, enliven));
