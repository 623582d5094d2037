// @ts-check
// Receipts stand in the corner where they cover the fewest things that can be filled in or pressed, and none of the form
// that is being worked on.

const CORNERS = ["bottom-right", "top-right", "bottom-left", "top-left"];
const CONTROLS = "input, select, textarea, button, a.button, summary";
const MINE = 1000; // a control of the form at hand weighs more than any number of others

/** Where the reader was last. @type {Element | null} */
let form = null;

/** @param {HTMLElement} holder */
export function keepAside(holder) {
  const place = () => { if (holder.childElementCount) settle(holder); };
  const look = (/** @type {Event} */ event) => {
    const at = event.target instanceof Element && !holder.contains(event.target) ? event.target : null;
    if (at) form = at.closest("form, section, .head");
    place();
  };
  addEventListener("focusin", look);
  addEventListener("pointerdown", look, true);
  addEventListener("resize", place);
  addEventListener("hashchange", () => { form = null; });
  new MutationObserver(place).observe(holder, { childList: true });
  new MutationObserver(place).observe(document.body, { attributeFilter: ["data-ready"] }); // another page
}

/** @param {HTMLElement} holder */
function settle(holder) {
  const boxes = [...document.querySelectorAll(CONTROLS)].filter((control) => !holder.contains(control))
    .map((control) => ({ box: control.getBoundingClientRect(), weight: form?.contains(control) ? MINE : 1 }));
  const costs = CORNERS.map((corner) => {
    holder.dataset.corner = corner;
    const own = holder.getBoundingClientRect();
    return boxes.reduce((sum, { box, weight }) => sum + (meet(own, box) ? weight : 0), 0);
  });
  holder.dataset.corner = CORNERS[costs.indexOf(Math.min(...costs))];
}

/** @param {DOMRect} one @param {DOMRect} other */
const meet = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
