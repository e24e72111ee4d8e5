// Checks in the browser that what the page shows of the trail stands in the audit log.
"use strict";
(async () => {
  const table = document.querySelector("[data-trail]");
  const status = document.getElementById("trail-status");
  if (!table) return;
  const broken = (why) => {
    status.textContent = `${status.dataset.broken} (${why})`;
    status.className = "broken";
  };
  try {
    const answer = await fetch(table.dataset.trail);
    if (!answer.ok) return;
    const file = await answer.text();
    const { faults } = await verify(file, table.dataset.key, []);
    if (faults.length) return broken(faults[0]);
    // What the page shows has to be what was proven; what has come since may be more.
    const events = file.split("\n").filter(Boolean).map((line) => JSON.parse(line).event).filter(Boolean);
    const proven = new Set(events.map((event) => `${event.topic} ${event.sequence} ${event.leaf}`));
    const rows = [...table.querySelectorAll("[data-event]")];
    const stray = rows.find((row) => !proven.has(row.dataset.event));
    if (stray) return broken(stray.dataset.event);
    status.textContent = status.dataset.proven;
    status.className = "proven";
  } catch (error) {
    broken(error.message);
  }
})();
