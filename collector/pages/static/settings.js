// A choice says that it is saved, or that it is not: what was said of the one before does not stay.
"use strict";

const saved = document.querySelector("#saved");
const choices = saved.closest("form");

function sayOfIt(words, isBad) {
  saved.textContent = words;
  saved.classList.toggle("bad", isBad);
}

choices.addEventListener("change", () => sayOfIt("", false));
for (const failure of ["htmx:response:error", "htmx:error"]) {
  choices.addEventListener(failure, () => sayOfIt(saved.dataset.failed, true));
}
