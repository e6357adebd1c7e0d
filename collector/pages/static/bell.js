// The title of a tab says how many notifications are unread, in tabs behind as well, whose streams rest.
"use strict";

const tabs = new BroadcastChannel("letterbell-bell");
const bell = document.querySelector("#bell-button");

function say(unread) {
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  document.title = unread ? `(${unread}) ${title}` : title;
}

if (bell) {
  new MutationObserver(() => {
    say(bell.dataset.unread);
    tabs.postMessage(bell.dataset.unread);
  }).observe(bell, { attributeFilter: ["data-unread"] });
  tabs.addEventListener("message", (event) => say(event.data));
}
