// The list: keys, the address of what is shown, and rows that come and go without a jump.
"use strict";

const rows = () => [...document.querySelectorAll("#mails .mail")];
const mails = () => document.getElementById("mails");
const held = document.getElementById("held");
const dialog = document.getElementById("keys");
const words = document.getElementById("words");
const useKeys = document.getElementById("use-keys");
const KEYS_OFF = "letterbell.keys-off";

// What was typed into the form is in the address, to be shared and to come back to.
document.addEventListener("htmx:after:swap", () => {
  const { address } = document.getElementById("found").dataset;
  if (address !== location.pathname + location.search) history.replaceState(null, "", address);
});

// Keys: single letters only, and only where nothing is typed (WCAG 2.1.4: they can be turned off).
function move(step) {
  const all = rows();
  const at = all.indexOf(document.activeElement.closest("#mails .mail"));
  const next = all[at < 0 ? 0 : at + step];
  next?.querySelector(".open").focus();
  next?.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => document.activeElement.closest("#mails .mail")?.querySelector(".open").click(),
  n: () => document.getElementById("to-older")?.click(),
  p: () => document.getElementById("to-newer")?.click(),
  "/": () => words.select(),
  "?": () => dialog.showModal(),
};

function isTyping(element) {
  return element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || dialog.open) return;
  const within = document.activeElement.closest("#mails") !== null;
  let key = event.key;
  if (within && key === "ArrowDown") key = "j";
  else if (within && key === "ArrowUp") key = "k";
  else if (key === "Escape" && document.activeElement === words) return move(1);
  else if (!useKeys.checked || isTyping(event.target)) return;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
});

useKeys.checked = localStorage.getItem(KEYS_OFF) === null;
useKeys.addEventListener("change", () => {
  if (useKeys.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "");
});
const ask = document.getElementById("ask-keys");
ask.hidden = false;
ask.addEventListener("click", () => dialog.showModal());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

// While someone points at the list, or is in it by keyboard, no row comes, goes or moves: what has
// changed waits until they leave, or ask for it. Marks turn solid all the same.
const isBusy = () => mails().matches(":hover, :focus-within");
const ids = (list) => list.map((row) => row.id).join();

document.addEventListener("htmx:sse:before:message", (event) => {
  const page = new DOMParser().parseFromString(event.detail.message.data, "text/html");
  const row = page.querySelector("[hx-target^='#mail-']");
  if (row) event.detail.cancelled = document.querySelector(row.getAttribute("hx-target")) === null;
  if (row || !page.querySelector("[hx-target='#mails']")) return;
  if (ids([...page.querySelectorAll(".mail")]) === ids(rows())) return;
  if (isBusy()) {
    event.detail.cancelled = true;
    held.hidden = false;
  } else slide();
});

// The others glide to where they are now, so that the eye can follow them.
function slide() {
  held.hidden = true;
  const before = new Map(rows().map((row) => [row, row.getBoundingClientRect().top]));
  document.addEventListener("htmx:after:swap", () => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const options = { duration: 180, easing: "ease-out" };
    for (const row of rows()) {
      const by = before.get(row) - row.getBoundingClientRect().top;
      if (by) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], options);
      else if (Number.isNaN(by)) row.animate([{ opacity: 0 }, { opacity: 1 }], options);
    }
  }, { once: true });
}

function release() {
  if (held.hidden) return;
  held.hidden = true;
  const address = location.pathname + location.search;
  htmx.ajax("GET", address, { target: "#found", select: "#found", swap: "outerHTML" });
}

held.addEventListener("click", release);
for (const left of ["pointerout", "focusout"]) {
  document.addEventListener(left, () => requestAnimationFrame(() => isBusy() || release()));
}
