/* Some of the theme's buttons are named otherwise than they read, which fails readers who speak to their browser. */
for (const moment of ["DOMContentLoaded", "load"])
  window.addEventListener(moment, () => {
    document.querySelectorAll(".search-button-field").forEach((button) => button.removeAttribute("aria-label"));
    document.querySelectorAll("summary[aria-label]").forEach((folded) => folded.removeAttribute("aria-label"));
    document.querySelectorAll(".theme-switch-button > *").forEach((icon) => {
      icon.setAttribute("aria-hidden", "true");
      icon.removeAttribute("title");
      icon.querySelector("title")?.remove();
    });
  });

/* A formula wider than a phone scrolls in its line: by keyboard, too. */
window.addEventListener("load", () =>
  window.MathJax?.startup?.promise?.then(() =>
    document.querySelectorAll('mjx-container[display="true"]').forEach((formula) => {
      const scrolls = [formula, formula.parentElement].find((part) => part.scrollWidth > part.clientWidth);
      scrolls?.setAttribute("tabindex", "0");
    }),
  ),
);

/* A found term whose anchor holds a dot, such as #term-Metric-2.1, is no selector until the dot is escaped. */
window.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const plain = Search.htmlToText;
  Search.htmlToText = (page, anchor) => plain(page, anchor && "#" + CSS.escape(anchor.slice(1)));
});
