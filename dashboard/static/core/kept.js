// @ts-check
// What this browser keeps of the reader's choices; nothing of the proxy's is kept here.

const KEY = "chronoproxy.choices";

/** @returns {Record<string, string>} */
function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

let choices = read();

export const kept = {
  get language() { return choices.language ?? ""; },
  get theme() { return choices.theme ?? ""; },
  get axis() { return choices.axis ?? "events"; },
};

/** @param {"language" | "theme" | "axis"} name @param {string} value */
export function keep(name, value) {
  choices = { ...choices, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // a browser that keeps nothing: the choice lasts as long as the page
  }
}
