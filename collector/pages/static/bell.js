// The title of a tab says how many notifications are unread, in tabs behind as well, whose streams rest.
// The popover is filled when it opens, and anew while it is open.
"use strict";

const tabs = new BroadcastChannel("letterbell-bell");
const bell = document.querySelector("#bell-button");

function say(unread) {
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  document.title = unread ? `(${unread}) ${title}` : title;
}

function fill() {
  htmx.ajax("GET", "/bell/recent", { target: "#notes-recent", swap: "innerMorph" });
}

if (bell) {
  const popover = document.getElementById("notifications");
  popover.addEventListener("toggle", (event) => {
    if (event.newState === "open") fill();
  });
  new MutationObserver(() => {
    say(bell.dataset.unread);
    tabs.postMessage(bell.dataset.unread);
    if (popover.matches(":popover-open")) fill();
  }).observe(bell, { attributeFilter: ["data-unread"] });
  tabs.addEventListener("message", (event) => say(event.data));
}
