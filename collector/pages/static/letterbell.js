// What HTML and htmx cannot say: the reader's own time zone, Escape on a tooltip, copying.
"use strict";

const DAY = { hour: "2-digit", minute: "2-digit" };
const YEAR = { day: "numeric", month: "short" };
const SHORT = { day: "numeric", month: "short", year: "numeric" };
const FULL = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };

function shortForm(moment, now) {
  if (moment.toDateString() === now.toDateString()) return DAY;
  return moment.getFullYear() === now.getFullYear() ? YEAR : SHORT;
}

// The page's language, in the reader's own kind of it where that is known: en-GB writes 3 May, en-US May 3.
const page = document.documentElement.lang;
const language = navigator.languages.find((each) => each.startsWith(page)) ?? page;

// Making one takes longer than using it a hundred times.
const formats = new Map();
function formatOf(form) {
  if (!formats.has(form)) formats.set(form, new Intl.DateTimeFormat(language, { ...form, hourCycle: "h23" }));
  return formats.get(form);
}

function localise(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const form = time.dataset.form === "short" ? shortForm(moment, now) : FULL;
    time.textContent = formatOf(form).format(moment);
    time.dataset.local = "";
  }
}

// WCAG 1.4.13: Escape hides a tooltip without moving the pointer or the focus.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const mark of document.querySelectorAll(".mark:hover, .mark:focus-within")) mark.dataset.dismissed = "";
});
for (const left of ["focusout", "pointerout"]) {
  document.addEventListener(left, (event) => {
    const mark = event.target.closest?.(".mark");
    if (mark && !mark.contains(event.relatedTarget)) delete mark.dataset.dismissed;
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, 1500);
});

document.addEventListener("htmx:after:swap", () => localise(document));
localise(document);
