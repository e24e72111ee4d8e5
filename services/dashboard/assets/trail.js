// Checks in the browser that what the page shows of the trail stands in the audit log.
"use strict";
(async () => {
  const table = document.querySelector("[data-trail]");
  const status = document.getElementById("trail-status");
  if (!table) return;
  const say = (text, kind) => {
    status.textContent = text;
    status.className = kind;
  };
  const broken = (why) => say(`${status.dataset.broken} (${why})`, "broken");
  const unchecked = () => say(status.dataset.unchecked, "broken");
  // A trail that does not come is none that is wrong.
  const answer = await fetch(table.dataset.trail).catch(() => null);
  if (!answer?.ok) return unchecked();
  const file = await answer.text().catch(() => null);
  if (file === null) return unchecked();
  try {
    const { faults } = await verify(file, table.dataset.key, []);
    if (faults.length) return broken(faults[0]);
    // What the page shows has to stand in what was proven; what has come since may be more. That an event is called as
    // it is, is the operator's word.
    const events = file.split("\n").filter(Boolean).map((line) => JSON.parse(line).event).filter(Boolean);
    const said = ({ topic, sequence, leaf, name }) =>
      [topic, sequence, leaf, name].filter((part) => part !== null).join(" ");
    const proven = new Set(events.map(said));
    const stray = [...table.querySelectorAll("[data-event]")].find((row) => !proven.has(row.dataset.event));
    if (stray) return broken(stray.dataset.event);
    say(status.dataset.proven, "proven");
  } catch (error) {
    broken(error.message);
  }
})();
