// Numbers and moments in the reader's language and time zone. Elements carry the exact value; the server's text stays
// for whoever has no script.
const languages = navigator.languages?.length ? navigator.languages : undefined;
const number = (options) => new Intl.NumberFormat(languages, options);
const dateTime = (options) => new Intl.DateTimeFormat(languages, options);

const integer = number({ maximumFractionDigits: 0 });
const compact = number({ notation: "compact", maximumSignificantDigits: 3 });
const percentWhole = number({ style: "percent", maximumFractionDigits: 0 });
const percentFine = number({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const currency = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" };
const dollars = number(currency);
// Narrow, an m could be minutes, metres or millions.
const unit = (name, digits, unitDisplay = "narrow") => number({ style: "unit", unit: name, unitDisplay, maximumFractionDigits: digits });
const units = [[3_600_000, unit("hour", 1, "short")], [60_000, unit("minute", 1, "short")], [1000, unit("second", 2)], [1, unit("millisecond", 0)]];
const microsecond = unit("microsecond", 0);
const moments = {
  datetime: dateTime({ dateStyle: "medium", timeStyle: "short" }),
  date: dateTime({ dateStyle: "medium" }),
  clock: dateTime({ timeStyle: "medium" }),
};
const whole = dateTime({ dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(languages, { numeric: "auto", style: "short" });
const steps = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function percent(ratio) {
  if (ratio > 0 && ratio < 0.001) return `< ${percentFine.format(0.001)}`;
  return (ratio < 0.1 ? percentFine : percentWhole).format(ratio);
}

export function duration(milliseconds) {
  if (milliseconds > 0 && milliseconds < 1) return microsecond.format(milliseconds * 1000);
  const [size, format] = units.find(([least]) => milliseconds >= least) ?? units.at(-1);
  return format.format(milliseconds / size);
}

/** Below one dollar, as many digits as say something. */
const cents = (digits) => number({ ...currency, minimumFractionDigits: digits, maximumFractionDigits: digits });

export function money(amount) {
  const size = Math.abs(amount);
  if (amount === 0) return cents(0).format(0);
  if (size >= 1) return dollars.format(amount);
  if (size < 0.000001) return `< ${cents(6).format(0.000001)}`;
  return cents(Math.max(2, 1 - Math.floor(Math.log10(size)))).format(amount);
}

const formats = { integer: integer.format, compact: compact.format, percent, duration, money };

/** Write a value in one of the formats that the server names. */
export const write = (value, format) => (formats[format] ?? integer.format)(value);
export const moment = (when, style = "datetime") => moments[style].format(when);

const axisDay = dateTime({ month: "short", day: "numeric" });
const axisTime = dateTime({ hour: "2-digit", minute: "2-digit" });

/** A moment under a chart whose marks are `step` seconds apart: days say themselves at midnight. */
export function axisMoment(when, step) {
  const date = new Date(when);
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return (step >= 86_400 || isMidnight ? axisDay : axisTime).format(date);
}

function ago(when) {
  const seconds = (when - Date.now()) / 1000;
  const [name, size] = steps.find(([, least]) => Math.abs(seconds) >= least) ?? steps.at(-1);
  return relative.format(Math.round(seconds / size), name);
}

// What is folded away is written when it is opened: the tables behind charts are most of a page.
const FOLDED = "details:not([open])";

export function localise(root) {
  for (const details of root.querySelectorAll(FOLDED)) details.addEventListener("toggle", () => localise(details), { once: true });
  for (const element of root.querySelectorAll(`data[data-as]:not(${FOLDED} *)`)) {
    element.textContent = write(Number(element.value), element.dataset.as);
    if (element.dataset.as === "compact") element.title = integer.format(Number(element.value));
  }
  for (const element of root.querySelectorAll(`time[data-as]:not(${FOLDED} *)`)) {
    const when = new Date(element.dateTime);
    element.textContent = element.dataset.as === "relative" ? ago(when) : moment(when, element.dataset.as);
    element.title = `${whole.format(when)}\n${element.dateTime}`;
  }
  const zone = root.querySelector("[data-zone]");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
}
