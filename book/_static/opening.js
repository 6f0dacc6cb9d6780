/* The picture of the book's first page, for a reader to move. tools/opening.py draws it and puts into it all numbers
   that are shown here: this script moves the box and the marks, and says what is seen. Without scripts it stands still. */
(() => {
  const SAYS = {
    start:
      "Two networks with the same layers and the same start: one trained with small batches (SB), one with large " +
      "batches (LB). Both fit the training data, so both stand at a low loss. On new data LB is right less often. " +
      "Make the box wider.",
    trained:
      "Step away from each network, as far as the box allows. LB's training loss rises far higher than SB's: LB's " +
      "minimum is sharp. The paper says that this is why LB does worse on new data.",
    longer:
      "The same two networks, written differently: LB's weights before each batch norm are multiplied by four. Batch " +
      "norm divides this out, so no output changes. Now SB looks like the sharp one.",
    equal:
      "The same two networks again, now with weights of equal length. LB still rises more, by much less than at first. " +
      "On new data nothing has changed. Is sharpness the reason, then? The chapters test it.",
  };
  const SECONDS = 10; // one round of Play

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const prepare = (picture) => {
    const data = JSON.parse(picture.querySelector("metadata").textContent);
    const last = data.box.length - 1;
    const names = Object.keys(data.right);

    const slider = element("input", { type: "range", min: 0, max: last, step: 1, value: data.start });
    const views = Object.entries(data.labels).map(([view, label], i) => {
      const radio = element("input", { type: "radio", name: "opening-view", value: view, checked: i === 0 });
      return { radio, label: element("label", {}, radio, element("span", { textContent: label })) };
    });
    const button = element("button", { type: "button", textContent: "Play" });
    const said = element("p", { className: "lab-opening-says" });
    const status = element("p", { className: "lab-opening-status" });
    status.setAttribute("role", "status");

    const words = element("span", { textContent: "Width of the box" });
    const box = element("label", { className: "lab-opening-box" }, words, slider);
    const choice = element("fieldset", {}, element("legend", { textContent: "The same two networks, written" }));
    choice.append(...views.map((one) => one.label));
    const controls = element("div", { className: "lab-opening-controls" }, box, button, choice);

    const figure = element("div", { className: "lab-opening" });
    figure.setAttribute("role", "group");
    figure.setAttribute("aria-label", "The argument of this book, to play with");
    picture.replaceWith(figure);
    figure.append(picture, said, controls, status);

    let waiting;
    const show = () => {
      const width = Number(slider.value);
      const view = views.find((one) => one.radio.checked).radio.value;
      const [left, right] = data.box[width];
      picture.dataset.view = view;
      const band = picture.querySelector(".box");
      band.setAttribute("x", left);
      band.setAttribute("width", right - left);
      const values = names.map((name) => {
        const [x, y, value] = data.views[view][name][width];
        picture.querySelector(`.mark.${name}`).setAttribute("transform", `translate(${x} ${y})`);
        picture.querySelector(`.value.${name}`).textContent = value;
        return `${name} ${value}`;
      });
      said.textContent = SAYS[width === 0 && view === "trained" ? "start" : view];
      const reach = `${data.says[width]} of the way from one network to the other`;
      slider.setAttribute("aria-valuetext", reach);
      const rights = names.map((name) => `${name} ${data.right[name]} percent`).join(", ");
      const seen = `The two networks ${data.labels[view]}. Highest training loss in the box: ${values.join(", ")}. ` +
        `Right on new data: ${rights}.`;
      picture.querySelector("title").textContent = seen;
      clearTimeout(waiting); // a reader who drags or plays hears only where it ends
      waiting = setTimeout(() => { status.textContent = seen; }, 800);
    };

    /* The story: a wider and wider box, then the two other ways to write the same networks. */
    const widest = data.start;
    const grow = [...Array(widest + 1).keys()].map((width) => ["trained", width]);
    const story = [...grow, ...Array(4).fill(["longer", widest]), ...Array(4).fill(["equal", widest])];
    let timer, at;
    const label = () => {
      button.textContent = timer ? "Pause" : "Play";
      button.setAttribute("aria-pressed", String(Boolean(timer)));
    };
    const stop = () => {
      clearInterval(timer);
      timer = undefined;
      label();
    };
    const step = () => {
      if (at === story.length) return stop();
      const [view, width] = story[at++];
      slider.value = width;
      views.forEach((one) => { one.radio.checked = one.radio.value === view; });
      show();
    };
    button.addEventListener("click", () => {
      if (timer) return stop();
      at = 0;
      timer = setInterval(step, (SECONDS * 1000) / story.length);
      label();
      step();
    });
    const moved = () => {
      stop();
      show();
    };
    slider.addEventListener("input", moved);
    views.forEach((one) => one.radio.addEventListener("change", moved));
    slider.value = 0; // the reader makes the first step
    label();
    show();
    clearTimeout(waiting); // nobody is told what nobody asked for
  };

  const start = () => document.querySelectorAll("svg.opening").forEach(prepare);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
