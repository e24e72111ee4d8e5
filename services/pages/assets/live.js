// Puts what has changed into the page as it comes, and says so when nothing comes any more.
"use strict";
(() => {
  const RETRY_MS = 5000;
  // The server sends something new at least each minute.
  const SILENT_MS = 90000;
  const place = document.querySelector("[data-stream]");
  const told = document.getElementById("live");
  let silence;

  const say = (text) => {
    told.textContent = text;
    told.hidden = !text;
  };

  const isLost = () => say(document.getElementById("as-of").dataset.lost);

  // Each part on its own, and only what differs: whoever reads or has the focus in another is left in peace.
  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    const focus = document.activeElement?.closest("[aria-labelledby]")?.getAttribute("aria-labelledby");
    for (const part of [...fresh.children]) {
      const shown = document.getElementById(part.id);
      if (!shown) place.append(part);
      else if (shown.outerHTML !== part.outerHTML) {
        const scrolled = [...shown.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
        shown.replaceWith(part);
        part.querySelectorAll(".scroll").forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
      }
    }
    if (focus && document.activeElement === document.body) {
      document.querySelector(`[aria-labelledby="${focus}"][tabindex]`)?.focus({ preventScroll: true });
    }
  };

  const ended = async () => {
    const page = await fetch(location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    // Either where to sign in, or that nobody is.
    return page?.type === "opaqueredirect" || page?.status === 401;
  };

  const follow = () => {
    const source = new EventSource(place.dataset.stream);
    // A connection can die without a word, while the machine sleeps for one: then it is given up.
    const wait = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        source.close();
        isLost();
        follow();
      }, SILENT_MS);
    };
    wait();
    source.addEventListener("content", (event) => {
      wait();
      say("");
      show(event.data);
    });
    source.addEventListener("error", async () => {
      if (source.readyState !== EventSource.CLOSED) return isLost();
      source.close();
      clearTimeout(silence);
      if (await ended()) return say(told.dataset.ended);
      isLost();
      setTimeout(follow, RETRY_MS);
    });
  };

  follow();
})();
