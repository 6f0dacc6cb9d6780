/* Figures to explore (labsupport.explore) in the rendered book, where no kernel runs: names for screen
   readers, and the play button, which moves the same control the reader would. */
(() => {
  // RequireJS reads this when it loads. Without it, html-manager looks for its icon fonts beside the page.
  const home = new URL("../offline/html-manager/dist", document.currentScript.src).href;
  window.require = { paths: { "@jupyter-widgets/html-manager/dist": home } };

  const SECONDS_PER_FRAME = 0.9;
  const QUIET_SECONDS = 0.8; // a reader who drags or plays hears only where it ends

  const prepare = (figure) => {
    const rows = [...figure.querySelectorAll(".lab-row")];
    const knobs = rows.map((row) => row.querySelector(".noUi-handle, select"));
    const [play, picture, caption] = [".lab-play", ".lab-frame img", ".lab-caption"].map((part) => figure.querySelector(part));
    if (figure.dataset.ready || ![play, picture, caption, ...knobs].every(Boolean)) return; // still being drawn
    figure.dataset.ready = "true";
    figure.setAttribute("role", "group");
    figure.setAttribute("aria-label", caption.textContent);
    rows.forEach((row, i) => knobs[i].setAttribute("aria-label", row.querySelector(".lab-label").textContent));

    const status = document.createElement("p");
    status.className = "lab-status";
    status.setAttribute("aria-live", "polite");
    figure.append(status);

    let waiting;
    const shown = () => {
      const now = figure.querySelectorAll(".lab-now b"); // one for each slider
      knobs.filter((knob) => knob.matches(".noUi-handle")).forEach((handle, i) => {
        if (now[i] && handle.getAttribute("aria-valuetext") !== now[i].textContent)
          handle.setAttribute("aria-valuetext", now[i].textContent);
      });
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        const picture = figure.querySelector(".lab-frame img");
        if (picture && status.textContent && status.textContent !== picture.alt) status.textContent = picture.alt;
        else if (picture && !status.textContent) status.textContent = "\u00a0";
      }, QUIET_SECONDS * 1000);
    };
    new MutationObserver(shown).observe(figure, {
      childList: true, subtree: true, attributes: true, attributeFilter: ["aria-valuetext"],
    });
    shown();
    prepareToPlay(figure, play);
  };

  const step = (knob) => {
    if (knob.matches("select")) {
      knob.selectedIndex = (knob.selectedIndex + 1) % knob.options.length;
      knob.dispatchEvent(new Event("change", { bubbles: true }));
      return;
    }
    const [now, last] = ["aria-valuenow", "aria-valuemax"].map((name) => Number(knob.getAttribute(name)));
    const key = now < last ? "ArrowRight" : "Home";
    knob.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  };

  const prepareToPlay = (figure, button) => {
    const knob = button.closest(".lab-row").querySelector(".noUi-handle, select");
    let timer;
    const show = () => {
      button.textContent = timer ? "Pause" : "Play";
      button.setAttribute("aria-pressed", String(Boolean(timer)));
    };
    const stop = () => {
      clearInterval(timer);
      timer = undefined;
      show();
    };
    button.addEventListener("click", () => {
      if (timer) return stop();
      timer = setInterval(() => (figure.isConnected ? step(knob) : stop()), SECONDS_PER_FRAME * 1000);
      step(knob);
      show();
    });
    show();
  };

  const look = () => document.querySelectorAll(".lab-explore").forEach(prepare);
  const start = () => {
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    look();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
