// Tells of imminent danger on the desktop, and lets the arrows move between the rows of a table.
"use strict";
(() => {
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const table = document.activeElement?.closest("table[data-rows]");
    if (!step || !table) return;
    const links = [...table.querySelectorAll("tbody a")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  const offer = document.getElementById("tell");
  if (!offer) return;
  const told = new Set(JSON.parse(sessionStorage.getItem("told") ?? "[]"));

  const tell = () => {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    for (const row of document.querySelectorAll("[data-danger]")) {
      const { danger, text } = row.dataset;
      if (told.has(danger)) continue;
      told.add(danger);
      // A lock screen shows it too: so the country, and nothing else.
      const notice = new Notification(offer.dataset.title, { body: text, tag: danger, requireInteraction: true });
      notice.addEventListener("show", () => offer.dispatchEvent(new CustomEvent("told", { detail: danger })));
      notice.addEventListener("click", () => {
        window.focus();
        location.href = row.querySelector("a").href;
      });
    }
    sessionStorage.setItem("told", JSON.stringify([...told]));
  };

  if ("Notification" in window && Notification.permission === "default") {
    offer.hidden = false;
    offer.querySelector("button").addEventListener("click", async () => {
      await Notification.requestPermission();
      offer.hidden = true;
      tell();
    });
  }
  tell();
  new MutationObserver(tell).observe(document.querySelector("[data-stream]"), { childList: true });
})();
