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
